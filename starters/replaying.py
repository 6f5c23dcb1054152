"""A past order's journey under another playbook, beside what it was.

From what is kept of it, and from Temporal for what has not ended yet.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

from pydantic import ValidationError
from temporalio.client import Client
from temporalio.service import RPCError

from activities.histories import UnreadableError
from activities.keeping import read
from journey.base import Frozen, Instant
from journey.outcomes import Status
from journey.past import Run, chain
from journey.playbook import Channel, Playbook, read_published
from journey.replay import Became, Compared, Message, Replayed, compare, replay
from starters.account import OrderUnknownError
from starters.fast_forward import Clocks, NotAllowedError
from store import accounts, pasts, playbooks
from store.accounts import LedgerRow
from store.pool import Pool


class Report(Frozen):
    """What an order's journey did and would do. `followed` and `playbook` are digests, moments are UTC.

    `why` it would end at `ended_at`. `notes` say in plain words where something had to be assumed or left out.
    """

    order: str
    number: str
    followed: str
    playbook: str
    began_at: Instant
    ended_at: Instant
    why: str
    messages: tuple[Compared, ...]
    notes: tuple[str, ...]


class PastUnknownError(Exception):
    """What a journey heard is not known, or cannot be read by this version."""


async def report(pool: Pool, client: Client | None, shop: str, order_id: str, playbook: Playbook | None) -> Report:
    """Replay an order's journey under that playbook, by default the one that it followed.

    With no client, or one whose server is away or has forgotten the journey, from what is kept alone.

    Raises:
        OrderUnknownError: there is no such order.
        PastUnknownError: what its journey heard is not known, or not to be read.
        PlaybookError: this version cannot read the playbook that it followed.
    """
    row = await accounts.order(pool, shop, order_id)
    if row is None:
        raise OrderUnknownError(f"there is no order {shop}/{order_id}: `postlude order list` shows those there are")
    try:
        runs = await past(pool, client, shop, order_id)
    except (ValidationError, UnreadableError) as error:
        raise PastUnknownError(
            f"a newer version wrote down what the journey of {shop}/{order_id} heard: use that version"
        ) from error
    if not runs:
        raise PastUnknownError(
            f"what the journey of {shop}/{order_id} heard is not known: Temporal does not have it, and it was not kept"
        )
    digest = runs[0].state.playbook
    content = await playbooks.content(pool, digest)
    if content is None:
        raise PastUnknownError(f"the playbook {digest} that {shop}/{order_id} followed is not published here")
    lived = read_published(content)
    other = playbook or lived
    ledger = await accounts.messages(pool, shop, order_id)
    did, channels = became(ledger)
    now = await _now(client, shop, order_id, runs)
    as_it_was = replay(runs, lived, lived, channels=channels, now=now)
    again = as_it_was if other.digest == lived.digest else replay(runs, other, lived, channels=channels, now=now)
    return Report(
        order=f"{shop}/{order_id}",
        number=row.number,
        followed=digest,
        playbook=other.digest,
        began_at=again.began_at,
        ended_at=again.ended_at,
        why=again.why,
        messages=tuple(compare(did, again.messages)),
        notes=(*_doubts(did, as_it_was), *again.notes),
    )


async def past(pool: Pool, client: Client | None, shop: str, order_id: str) -> list[Run]:
    """The runs of an order's journey, the first one first; none where nobody knows them any more.

    Raises:
        ValidationError, UnreadableError: a newer version wrote one down.
    """
    known = {run.run_id: run for run in await pasts.runs(pool, shop, order_id)}
    with suppress(RPCError):
        run = None if client is None else await read(client, shop, order_id)
        while client is not None and run is not None and run.run_id not in known:
            known[run.run_id] = run
            run = await read(client, shop, order_id, run.continues) if run.continues else None
    return chain(known) if known else []


def became(ledger: list[LedgerRow]) -> tuple[dict[str, Message], Mapping[str, Channel]]:
    """How each message ended by the ledger, and the channels of those that were sent."""
    found: dict[str, Message] = {}
    channels: dict[str, Channel] = {}
    for row in ledger:
        if row.touch in channels:
            continue
        channel = Channel(row.channel)
        sent = row.status == Status.SENT
        if sent:
            channels[row.touch] = channel
        found[row.touch] = Message(
            status=Status(row.status), at=row.at, channel=channel if sent else None, rule=None if sent else row.rule
        )
    return found, channels


def _doubts(did: Mapping[str, Message], played: Replayed) -> list[str]:
    """Where a replay under its own playbook is not what the ledger says."""
    others = {Became.MOVED, Became.NEW, Became.GONE}
    found = [one.touch for one in compare(did, played.messages) if one.became in others]
    return [f"under its own playbook the ledger has these otherwise: {', '.join(found)}"] if found else []


async def _now(client: Client | None, shop: str, order_id: str, runs: list[Run]) -> datetime:
    """The journey's own clock, where it is still open; it may run ahead."""
    now = max([datetime.now(UTC), *(entry.at for run in runs for entry in run.entries)])
    if client is not None and runs[-1].ended is None:
        with suppress(NotAllowedError, RPCError):
            now = max(now, await Clocks(client).now(shop, order_id))
    return now
