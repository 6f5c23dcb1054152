"""Processes: the worker, its settings and logs, and the embedded development stack.

What may not live here: a rule, SQL, a workflow or an activity; this room only puts them together.
"""
