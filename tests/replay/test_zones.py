"""An update of the time-zone database while journeys are open: a zone that moves by an hour breaks no replay.

The next release moves here the zone of every recorded customer by an hour.
"""

from pathlib import Path

from tests.support.histories import recorded
from tests.support.replaying import replay
from tests.support.zones import installed, moved_by_an_hour
from workflows.order_journey import OrderJourney


async def test_a_moved_zone_changes_no_open_run(tmp_path: Path) -> None:
    """Every recorded run asks for the same messages and the same waits: it counts by the release it began with."""
    with installed(moved_by_an_hour(tmp_path, keep=True)):
        found = {name: await replay(history, OrderJourney) for name, history in recorded().items()}
    others = {name: one.difference or str(one.failure) for name, one in found.items()}
    assert {name: other for name, other in others.items() if other != "None"} == {}


async def test_a_zone_that_was_not_kept_breaks_runs(tmp_path: Path) -> None:
    """Why the old zones stay: without them journeys that have waited by the old clock could not go on."""
    with installed(moved_by_an_hour(tmp_path, keep=False)):
        found = {name: await replay(history, OrderJourney) for name, history in recorded().items()}
    assert [name for name, one in found.items() if one.failure]
