"""A remedy's row as the tables have it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

import asyncpg

from journey.remedies import By, Choice, RemedyRequest, Stand
from store.remedy_goods import units

COLUMNS = """shop, order_id, part, reason, playbook, skus, amount, currency, options, sure, otherwise, status,
    offered_at, choose_by, choice, chosen_by, operator, chosen_at, approved_by, approved_at, reservation, reference,
    coupon, failure, known, made, turn"""
MOST_TURNS: Final = 3
"""So many replacements of one remedy are looked for, where it is not known how many were begun."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """A row. `amount` is in `currency`; moments are UTC; what has not happened yet is None.

    `skus` is each SKU with how many of it. `otherwise` is what is done when nobody chooses in time; None leaves it to a
    person. `operator` is who of the shop's people chose, `failure` the rule by which
    it did not go as chosen. `known` are the names of what had been given back when it was offered, `made` every id of
    what the shop made for it, `turn` how often a replacement was begun.
    """

    shop: str
    order_id: str
    part: str
    reason: str
    playbook: str
    skus: tuple[tuple[str, int], ...]
    amount: Decimal
    currency: str
    options: tuple[Choice, ...]
    sure: bool
    otherwise: Choice | None
    status: Stand
    offered_at: datetime
    choose_by: datetime
    choice: Choice | None
    chosen_by: By | None
    operator: str | None
    chosen_at: datetime | None
    approved_by: str | None
    approved_at: datetime | None
    reservation: str | None
    reference: str | None
    coupon: str | None
    failure: str | None
    known: tuple[str, ...]
    made: tuple[str, ...]
    turn: int

    @property
    def request(self) -> RemedyRequest:
        """Its saga's, as its choice began it."""
        at = self.chosen_at or self.offered_at
        return RemedyRequest(shop=self.shop, order_id=self.order_id, part=self.part, playbook=self.playbook, at=at)

    @property
    def keys(self) -> list[str]:
        """The keys under which the shop may have made a refund or a replacement for it."""
        turns = range(1, max(self.turn, MOST_TURNS) + 1)
        return [self.request.refund_key, *(self.request.replacement_key(turn) for turn in turns)]


def remedy_of(row: asyncpg.Record) -> Remedy:
    """The remedy in a row of `COLUMNS`."""
    values = dict(row)
    return Remedy(
        **values
        | {
            "skus": units(values["skus"]),
            "known": tuple(values["known"]),
            "made": tuple(values["made"]),
            "options": tuple(Choice(option) for option in values["options"]),
            "otherwise": Choice(values["otherwise"]) if values["otherwise"] else None,
            "status": Stand(values["status"]),
            "choice": Choice(values["choice"]) if values["choice"] else None,
            "chosen_by": By(values["chosen_by"]) if values["chosen_by"] else None,
        }
    )
