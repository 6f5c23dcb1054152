"""Real time, for what vendors judge by it: signatures, tokens and their windows. Never for a decision about a touch."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Now, aware UTC."""
    return datetime.now(UTC)
