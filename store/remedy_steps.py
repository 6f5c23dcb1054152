"""What the saga of a remedy writes into its row. Each write may be repeated; an ended row is left alone."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from journey.remedies import By, Choice, RemedyRequest, Stand
from store.pool import Connection, Pool

_OPEN = "shop = $1 AND order_id = $2 AND part = $3 AND status NOT IN ('done', 'failed', 'withdrawn', 'declined')"
_STAND = f"UPDATE remedies SET status = $4, updated_at = now() WHERE {_OPEN}"  # noqa: S608  our own words
_BEGUN = f"""
UPDATE remedies SET status = 'in_hand', turn = greatest(turn, $4), updated_at = now() WHERE {_OPEN}
"""  # noqa: S608
_APPROVED = f"""
UPDATE remedies SET approved_by = $4, approved_at = $5, status = 'in_hand', updated_at = now() WHERE {_OPEN}
"""  # noqa: S608
_SWITCHED = f"""
UPDATE remedies SET choice = $4, chosen_by = $5, operator = $6, chosen_at = $7, updated_at = now() WHERE {_OPEN}
"""  # noqa: S608
_RESERVED = f"UPDATE remedies SET reservation = $4, updated_at = now() WHERE {_OPEN}"  # noqa: S608
# Every id that the shop ever gave is kept: what was undone is not taken for somebody else's later.
_MADE = f"""
UPDATE remedies SET reference = $4, updated_at = now(),
    made = CASE WHEN coalesce($5, '') = '' THEN made ELSE array_append(array_remove(made, $5), $5) END
WHERE {_OPEN}
"""  # noqa: S608
_COUPON = f"UPDATE remedies SET coupon = $4, updated_at = now() WHERE {_OPEN}"  # noqa: S608
_SETTLED = f"""
UPDATE remedies SET status = $4, choice = $5, reference = coalesce($6, reference), failure = $7,
    amount = coalesce($9, amount), coupon = CASE WHEN $8 THEN NULL ELSE coupon END, updated_at = now() WHERE {_OPEN}
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Steps:
    """The writes of one remedy."""

    connection: Connection | Pool
    request: RemedyRequest

    async def stand(self, stand: Stand) -> None:
        """Where it stands now, on its way."""
        await self._write(_STAND, stand)

    async def begun(self, turn: int) -> None:
        """The shop is about to be asked, for the replacement of that turn if for one."""
        await self._write(_BEGUN, turn)

    async def approved(self, by: str, at: datetime) -> None:
        """A person said yes."""
        await self._write(_APPROVED, by, at)

    async def switched(self, choice: Choice, by: str | None, at: datetime) -> None:
        """Something else is done than was chosen: by a person, or, without one, by the terms."""
        await self._write(_SWITCHED, choice, By.OPERATOR if by else By.DEFAULT, by, at)

    async def reserved(self, reference: str | None) -> None:
        """The goods are set aside, under the shop's `reference`; None: they are not, or no longer."""
        await self._write(_RESERVED, reference)

    async def made(self, reference: str) -> None:
        """The shop made the replacement or the refund."""
        await self._write(_MADE, reference, reference)

    async def unmade(self, reference: str) -> None:
        """The shop undid what it calls `reference`, if it had made anything."""
        await self._write(_MADE, None, reference)

    async def coupon(self, code: str) -> None:
        """The apology's code."""
        await self._write(_COUPON, code)

    async def settled(
        self,
        stand: Stand,
        choice: Choice,
        *,
        reference: str | None,
        rule: str | None,
        amount: Decimal | None,
        without_coupon: bool,
    ) -> None:
        """How it ended, and for how much. `without_coupon` drops a code that nobody can vouch for."""
        await self._write(_SETTLED, stand, choice, reference, rule, without_coupon, amount)

    async def _write(self, statement: str, *values: object) -> None:
        request = self.request
        await self.connection.execute(statement, request.shop, request.order_id, request.part, *values)
