"""The memory of people: PostgreSQL, one small module per aggregate, plain SQL through asyncpg.

All SQL of the project is in this folder. What may not live here: a decision (that is `journey`), HTTP, Temporal.
"""
