"""Journeys as they were, out of the recorded histories."""

from collections.abc import Sequence

from activities.histories import read_run
from journey.past import Attempted, Run
from journey.playbook import Playbook, read_published
from tests.support.histories import FOLDER, recorded


def recorded_pasts() -> dict[str, list[Run]]:
    """By recording, the runs of each journey whose histories are whole."""
    found: dict[str, list[Run]] = {}
    for name, history in sorted(recorded().items()):
        runs = found.setdefault(name.rsplit(".", 3)[0], [])
        run = read_run(name, history.events)
        runs.append(run.but(continues=runs[-1].run_id) if runs else run)
    return {name: runs for name, runs in found.items() if all(run.ended for run in runs)}


def followed(runs: Sequence[Run]) -> Playbook:
    """The playbook that the journey followed."""
    return read_published((FOLDER / "playbooks" / f"{runs[0].state.playbook}.json").read_text())


def became(runs: Sequence[Run]) -> dict[str, Attempted]:
    """By touch key, the last attempt at it that had an answer."""
    return {
        entry.key: entry
        for run in runs
        for entry in run.entries
        if isinstance(entry, Attempted) and entry.answer is not None
    }
