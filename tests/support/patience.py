"""How long tests wait for what comes at once on an idle machine.

Long enough for one on which ten processes wait for each core, and shorter than a test's own limit (`timeout` in
`pyproject.toml`), so that a test that waits in vain says what for.
"""

PATIENCE = 150.0
"""Seconds."""
