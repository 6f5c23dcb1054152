"""The rules: every decision of a journey as plain functions over frozen models.

What lives here takes `now` as an argument and gives back values. What may not: I/O, the clock,
randomness, Temporal, SQL, HTTP, and anything that knows a person's name or address.
"""
