"""The shell: workflows that turn signals into events, waits into timers and deliveries into activities.

What may not live here: a decision (that is `journey`), I/O, or anything not deterministic. A change to a
command sequence is gated with `workflow.patched`; see CONTRIBUTING.md.
"""
