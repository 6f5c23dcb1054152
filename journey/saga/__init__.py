"""The saga of a remedy as a pure state machine: what is known of it, people's words, and what comes next.

`requests` is what any saga needs that asks a shop for things: whether the shop has them, and when it may be asked.
"""
