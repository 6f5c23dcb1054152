"""Every row, one after another, on one server."""

import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from temporalio.api.enums.v1 import EventType

from bench import footprint, outage, rules, yardstick
from bench.burst import CONNECTIONS, bursts
from bench.campaign import Campaign, campaign
from bench.contact import decisions
from bench.cost import Ledger, Policy, price
from bench.histories import Record, counted_actions, record
from bench.latency import signal_to_send
from bench.parcels import fold_rows, polling_rows, scan_rows
from bench.rendering import rates
from bench.report import Row, compared
from bench.scenario import SENDS, SIGNALS, play
from bench.sides import Side
from bench.sizes import Sizes
from bench.webhooks import answers
from bench.world import Sides, World, percentile

# Every target is a ratio to what was measured beside it in the same run, except what is counted or priced.
_MOST_ACTIONS = 1.10
_MOST_EVENTS = 1.05
_MOST_DOLLARS = 0.0021
_MOST_CPU = 1.5
_MOST_REPLAY = 4
_MOST_MEMORY = 1.5
_MOST_LATENCY = 1.4
_MOST_ANSWER = 2
_MOST_PACE = 3
_MOST_DECISION = 5
_MOST_MAIL = 4
_LEAST_BURST = 0.7
_LEAST_BURST_BESIDE_A_WORKER = 0.5
_NAIVE_SHARE = 5
"""The campaign without a ledger is that much smaller: its faults are many enough."""


@dataclass
class Findings:
    """The rows so far, the policies, and the numbers behind them."""

    rows: list[Row] = field(default_factory=list)
    policies: list[Policy] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)

    def add(self, figure: str, ours: str, bare: str, target: str, *, met: bool | None) -> None:
        """One more row."""
        self.rows.append(Row(figure, ours, bare, target, met))

    def compare(self, figure: str, ours: float, bare: float, unit: str, *, most: float | None) -> None:
        """One more row of two figures in the same unit; of ours no more than `most` times the bare one is asked."""
        self.rows.append(compared(figure, ours, bare, unit, most=most))

    def take(self, rows: Sequence[Row], raw: Mapping[str, Any] | None = None) -> None:
        """More rows, and the numbers behind them."""
        self.rows += rows
        self.raw.update(raw or {})


async def measure(world: World, sizes: Sizes, *, brief: bool = False) -> Findings:
    """Run everything; `brief` leaves out what needs processes of its own: CPU, latency, memory and webhooks."""
    found = Findings()
    async with world.sides() as sides:
        _say("histories")
        ours, theirs = await _histories(world, sides, found)
        _say("replay")
        await _replay(world, sizes, found, ours, theirs)
        if not brief:
            _say("CPU")
            await _cpu(world, sides, sizes, found)
            _say("latency")
            await _latency(world, sides, sizes, found)
            _say("scans")
            found.take(*await scan_rows(world, sides.postlude, sizes))
    if not brief:
        _say("polling")
        found.take(*await polling_rows(world, sizes))
        _say("memory")
        await _memory(world, sizes, found)
    _say("core")
    _core(world, sizes, found)
    found.take(fold_rows(world, sizes))
    _say("mails")
    _mails(world, sizes, found)
    _say("decisions")
    await _decisions(world, sizes, found)
    if not brief:
        _say("webhooks")
        await _webhooks(world, sizes, found)
        _say("burst")
        await _burst(world, sizes, found)
        _say("outage")
        await _outage(world, sizes, found)
        _say("campaign")
        await _campaign(world, sizes, found)
    return found


async def _histories(world: World, sides: Sides, found: Findings) -> tuple[Record, Record]:
    """Actions, events, bytes and price of one journey a side, and where a new run pays."""
    metrics = world.stack.temporal_metrics_url
    before = await counted_actions(metrics)
    ours = await _recorded(world, sides.postlude)
    counted = sum((await counted_actions(metrics)).values()) - sum(before.values())
    # `workflow.patched` writes a marker and a search attribute, which the price list leaves out and the counter has.
    counted -= 2 * ours.count(EventType.EVENT_TYPE_MARKER_RECORDED)
    theirs = await _recorded(world, sides.bare)
    split = await _recorded(world, replace(sides.bare, split=True))
    waits = theirs.count(EventType.EVENT_TYPE_TIMER_STARTED)
    due = 1 + SIGNALS + SENDS + waits
    found.add(
        "Temporal actions of a journey (the server's own counter)",
        f"{ours.actions} ({counted:.0f})",
        f"{theirs.actions}",
        f"≤ {_MOST_ACTIONS * due:.1f} = 1.10 x (1 start + {SIGNALS} signals + {SENDS} sends + {waits} waits)",
        met=ours.actions <= _MOST_ACTIONS * due and counted == ours.actions,
    )
    found.add(
        "history events",
        f"{ours.events} ({ours.events / theirs.events:.2f} x)",
        f"{theirs.events}",
        f"≤ {_MOST_EVENTS:.2f} x bare",
        met=ours.events <= _MOST_EVENTS * theirs.events,
    )
    found.add(
        "history, all runs together",
        f"{ours.size / 1024:.1f} KiB",
        f"{theirs.size / 1024:.1f} KiB",
        "",
        met=None,
    )
    dollars = price(ours)
    found.add(
        "list price: actions + open history",
        f"${dollars:.5f}",
        f"${price(theirs):.5f} in one run, ${price(split):.5f} in two",
        f"≤ ${_MOST_DOLLARS:.4f}",
        met=dollars <= _MOST_DOLLARS,
    )
    found.policies = Ledger(ours, rules.pauses(world.playbook)).policies()
    found.raw["actions"] = {"events": ours.actions, "server": counted, "bare": theirs.actions}
    found.raw["history"] = {"runs": [run.size for run in ours.runs], "sends": SENDS, "dollars": dollars}
    return ours, theirs


async def _recorded(world: World, side: Side) -> Record:
    """One played journey."""
    handle = await play(side, world.skipper)
    return await record(world.client, handle.id)


async def _replay(world: World, sizes: Sizes, found: Findings, ours: Record, theirs: Record) -> None:
    took, bare = await footprint.replay(world, (ours, theirs), times=sizes.replays)
    found.compare("replay of a whole journey", took, bare, "ms", most=_MOST_REPLAY)


async def _cpu(world: World, sides: Sides, sizes: Sizes, found: Findings) -> None:
    took = await footprint.cpu(world, sides, rounds=sizes.rounds, batch=sizes.batch)
    for of, rounds, most in (("worker", took.worker, _MOST_CPU), ("Temporal server", took.server, None)):
        bare = statistics.median(rounds["bare"])
        for name, what in (("stub", "sends that do nothing"), ("postlude", "with ledger, templates and provider")):
            times = footprint.ratio(rounds[name], rounds["bare"])
            asked = most if name == "stub" else None
            found.add(
                f"{of} CPU of a journey, {what}",
                f"{statistics.median(rounds[name]):.0f} ms ({times:.2f} x)",
                f"{bare:.0f} ms",
                "" if asked is None else f"≤ {asked} x bare",
                met=None if asked is None else times <= asked,
            )
    found.raw["cpu_ms"] = asdict(took)


async def _memory(world: World, sizes: Sizes, found: Findings) -> None:
    grown = await footprint.memory(world, journeys=sizes.open_journeys)
    found.compare("worker memory of an open cached journey", grown["stub"], grown["bare"], "KiB", most=_MOST_MEMORY)


async def _latency(world: World, sides: Sides, sizes: Sizes, found: Findings) -> None:
    took = await signal_to_send(world, sides, samples=sizes.samples)
    for percent in (50, 99):
        found.compare(
            f"signal to provider request, p{percent} (bare: to the activity)",
            percentile(took.ours, percent),
            percentile(took.bare, percent),
            "ms",
            most=_MOST_LATENCY,
        )
    found.raw["latency_ms"] = {"ours": sorted(took.ours), "bare": sorted(took.bare)}


def _core(world: World, sizes: Sizes, found: Findings) -> None:
    now = rules.pace(world.playbook, seconds=sizes.core_seconds)
    times = now.rounds / yardstick.FIRST
    found.add(
        "`apply` + `next_step`, a pair (beside what 73ad135 took, both measured against a fixed loop)",
        f"{1_000_000 / now.pairs_a_second:.0f} µs ({times:.2f} x)",
        f"{1_000_000 / now.pairs_a_second / times:.0f} µs",
        f"≤ {_MOST_PACE} x",
        met=times <= _MOST_PACE,
    )


def _mails(world: World, sizes: Sizes, found: Findings) -> None:
    made = rates(world.playbook, seconds=sizes.core_seconds)
    times = made.body / made.ready
    found.add(
        f"a ready mail on one core: HTML, text, header fields ({made.kib:.0f} KiB, four languages)"
        " (bare: Jinja rendering the compiled HTML and text alone)",
        f"{1_000_000 / made.ready:.0f} µs ({times:.2f} x)",
        f"{1_000_000 / made.body:.0f} µs",
        f"≤ {_MOST_MAIL} x bare",
        met=times <= _MOST_MAIL,
    )
    found.add(
        "mails a second on one core as MIME bytes for SMTP (of it a ready mail to bytes; bare: `email.message`)",
        f"{made.mime:,.0f} ({made.mime_alone:,.0f})",
        f"({made.standard_library:,.0f})",
        "",
        met=None,
    )


async def _decisions(world: World, sizes: Sizes, found: Findings) -> None:
    took = await decisions(
        world.database_url,
        world.playbook,
        customers=sizes.customers,
        rows=sizes.ledger_rows,
        samples=sizes.decisions,
    )
    for percent, most in {50: _MOST_DECISION, 99: None}.items():
        found.compare(
            f"decision and claim among {took.rows:,} ledger rows, p{percent} (bare: one INSERT in a transaction)",
            percentile(took.claimed, percent),
            percentile(took.bare, percent),
            "ms",
            most=most,
        )
    found.raw["decision_ms"] = {"claimed": _two(took.claimed), "held_or_refused": len(took.not_now)}


async def _campaign(world: World, sizes: Sizes, found: Findings) -> None:
    log = world.stack.home / "campaign.log"
    ours = await campaign(world.database_url, world.playbook, log, recipients=sizes.recipients)
    few = max(1, sizes.recipients // _NAIVE_SHARE)
    naive = await campaign(world.database_url, world.playbook, log, recipients=few, kind="naive")
    found.add(
        f"campaign to {ours.recipients:,}, a fifth of the triggers doubled, a worker killed: duplicates / over cap",
        _faults(ours),
        f"{_faults(naive)} (look, send, note; {naive.recipients:,} recipients)",
        "0 / 0",
        met=ours.duplicates == ours.over_cap == ours.open == 0,
    )
    found.raw["campaign"] = {"ledger": asdict(ours), "naive": asdict(naive)}


def _faults(one: Campaign) -> str:
    doubt = f", {one.in_doubt} in doubt" if one.in_doubt else ""
    return f"{one.duplicates} / {one.over_cap} of {one.sent:,}{doubt}"


async def _webhooks(world: World, sizes: Sizes, found: Findings) -> None:
    took = await answers(world, requests=sizes.requests)
    for percent in (50, 99):
        found.compare(
            f"webhook answer, p{percent}",
            percentile(took["gateway"], percent),
            percentile(took["bare"], percent),
            "ms",
            most=_MOST_ANSWER,
        )
    relaying = _two(took["relaying"])
    found.add("webhook answer while the same process starts the journeys, p50 / p99", relaying, "", "", met=None)
    found.raw["webhook_ms"] = {kind: _two(values) for kind, values in took.items()}


async def _burst(world: World, sizes: Sizes, found: Findings) -> None:
    took = await bursts(world, orders=sizes.burst)
    what = f"a burst of {sizes.burst} orders over {CONNECTIONS} connections, from the first webhook to the last journey"
    alone, beside = took.gateway / took.bare, took.beside_worker / took.bare_beside_worker
    for figure, ours, bare, times, least in (
        (f"{what}: one gateway (bare: starts)", took.gateway, took.bare, alone, _LEAST_BURST),
        (
            f"{what}: with a worker beside it (bare: starts, with the bare worker beside)",
            took.beside_worker,
            took.bare_beside_worker,
            beside,
            _LEAST_BURST_BESIDE_A_WORKER,
        ),
    ):
        said = f"{ours:.0f} a second ({times:.2f} x)"
        found.add(figure, said, f"{bare:.0f} a second", f"≥ {least} x bare", met=times >= least)
    found.raw["burst"] = asdict(took)


async def _outage(world: World, sizes: Sizes, found: Findings) -> None:
    plan = outage.Plan(sizes.outage_journeys, sizes.outage_seconds, flaps=2, flap=5, patience=sizes.outage_patience)
    async with outage.Unsteady() as provider, world.whole(email_url=provider.url) as (side, _):
        came = await outage.outage(world, side, provider, plan)
    found.take(outage.rows(came), {"outage": asdict(came)})


def _two(values: Sequence[float]) -> str:
    return f"{percentile(values, 50):.2f} / {percentile(values, 99):.2f} ms"


def _say(part: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} measuring: {part}", file=sys.stderr, flush=True)
