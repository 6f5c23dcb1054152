"""When a new run is worth its price: continue-as-new costs one action and stops storing the old history as open.

Prices are Temporal Cloud's list prices (https://temporal.io/pricing): $50 a million actions, and active storage
by the GB and hour. On a self-hosted server the same rule keeps histories short where they wait longest.
"""

from datetime import timedelta

ACTION = 50 / 1_000_000
"""Dollars an action."""
ACTIVE_GB_HOUR = 0.042
"""Dollars for holding one GB of open history for one hour."""
FRESH_RUN = 2_600
"""Bytes that a continued run begins with: the state, the start event and the first workflow task, measured."""


def worth_a_new_run(history_bytes: int, wait: timedelta) -> bool:
    """Whether starting afresh before a wait of this length saves more in storage than the action costs."""
    saved = (history_bytes - FRESH_RUN) / 1e9 * (wait.total_seconds() / 3600) * ACTIVE_GB_HOUR
    return saved > ACTION
