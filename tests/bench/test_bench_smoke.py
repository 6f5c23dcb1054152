"""The bench runs; what it measures is for its reader, and no test fails over a busy machine."""

from temporalio.client import Client
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from bench import rules
from bench.bare import TAIL
from bench.cost import payload_bytes
from bench.measure import measure
from bench.provider import Provider
from bench.report import Machine, markdown
from bench.sizes import TINY
from bench.world import World
from journey.playbook import Playbook
from store import playbooks
from store.pool import Pool
from workers.embedded import EmbeddedStack

FIGURES = [
    *("Temporal actions", "history events", "history, all runs", "list price", "replay", "`apply` + `next_step`"),
    *(
        "fold of a parcel's 40 scans",
        "a ready mail",
        "mails a second on one core as MIME",
        "decision and claim",
        "decision and claim",
    ),
]


async def test_a_brief_run_fills_its_rows(
    stack: EmbeddedStack, database_url: str, pool: Pool, client: Client, playbook: Playbook
) -> None:
    """What needs no process of its own is measured beside the bare one, and the actions are what the server counts."""
    await playbooks.publish(pool, playbook)
    skipper = TimeSkipper(client, config=TimeSkippingConfig(enabled=False))
    async with Provider() as provider:
        found = await measure(World(stack, database_url, client, pool, playbook, provider, skipper), TINY, brief=True)
        sent = {touch for _, touch in provider.arrived}
    assert [row.figure[: len(figure)] for row, figure in zip(found.rows, FIGURES, strict=True)] == FIGURES
    assert {touch for touch, _ in TAIL} <= sent
    assert found.raw["actions"]["events"] == found.raw["actions"]["server"]
    assert "never" in [policy.name for policy in found.policies]
    table = markdown(found.rows, found.policies, Machine("a processor", 2, 4.0, "3.11", "1.35", "1.32"))
    assert all(row.figure in table for row in found.rows)


def test_the_state_a_run_passes_on_grows_with_the_journey(playbook: Playbook) -> None:
    """The pure core's default journey has a timer for each wait, and remembers more at each."""
    sizes = [payload_bytes(pause) for pause in rules.pauses(playbook)]
    assert len(sizes) >= 11
    assert sizes == sorted(sizes)
