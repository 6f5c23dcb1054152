"""The rows about parcels: what their polling costs, how soon a scan is in the journey, how fast scans are folded."""

from dataclasses import asdict
from typing import Any

from bench.polling import polls
from bench.report import Row, compared
from bench.scan import SCANS, fold, shown
from bench.sides import Postlude
from bench.sizes import Sizes
from bench.world import World, percentile

_MOST_ATTEMPTS = 1
_MOST_SCAN = 1.5


async def polling_rows(world: World, sizes: Sizes) -> tuple[list[Row], dict[str, Any]]:
    """Open parcels polled in rounds without news, and the numbers behind it."""
    took = await polls(world, parcels=sizes.parcels)
    turns = took.parcels * took.rounds
    what = f"{took.parcels:,} open parcels polled {took.rounds} times"
    began, quiet, after = took.events
    before, unmoved, _ = took.journeys
    seconds = " / ".join(f"{one:.1f}" for one in took.seconds)
    rows = [
        Row(
            f"{what}: activity attempts for each parcel and poll",
            f"{took.attempts / turns:.4f} ({took.attempts})",
            "1 (an activity that retries for each parcel)",
            f"≤ {_MOST_ATTEMPTS}",
            took.attempts <= _MOST_ATTEMPTS * turns and took.answers == turns,
        ),
        Row(
            f"{what}, no news: events added to the polling's history; to the journeys'",
            f"{quiet - began}; {unmoved - before}",
            "",
            "0; 0",
            quiet == began and unmoved == before,
        ),
        Row(
            f"one poll more with news of {took.news:,}: events in the inbox; added to the polling's history",
            f"{took.kept:,}; {after - quiet}",
            "",
            f"{took.news:,}; 0",
            took.kept == took.news and after == quiet,
        ),
        Row(
            f"{what}: requests to the carrier; seconds of each round; worker CPU for each parcel and poll",
            f"{took.requests:,}; {seconds} s; {took.worker_cpu / turns * 1000:.2f} ms",
            f"{turns:,} requests (one for each parcel)",
            "",
            None,
        ),
    ]
    return rows, {"polling": asdict(took)}


async def scan_rows(world: World, side: Postlude, sizes: Sizes) -> tuple[list[Row], dict[str, Any]]:
    """Webhooks of a carrier at a steady rate."""
    took = await shown(world, side, a_second=sizes.scans_a_second, seconds=sizes.scan_seconds)
    rows = [
        compared(
            f"scan webhook to the journey's changed timeline, {sizes.scans_a_second} a second, p{percent}"
            " (bare: from the signal)",
            percentile(took.webhook, percent),
            percentile(took.signal, percent),
            "ms",
            most=most,
        )
        for percent, most in {50: None, 99: _MOST_SCAN}.items()
    ]
    return rows, {"scan_ms": {"webhook": sorted(took.webhook), "signal": sorted(took.signal)}}


def fold_rows(world: World, sizes: Sizes) -> list[Row]:
    """The fold alone."""
    took = fold(world.playbook, seconds=sizes.core_seconds)
    return [
        Row(
            f"fold of a parcel's {SCANS} scans (into the whole journey's state)",
            f"{took.parcel:.2f} ms ({took.journey:.2f} ms)",
            "",
            "",
            None,
        )
    ]
