"""What a shop tells of an order's lines beside what they cost: variant, picture, page, access, gift, subscription.

A shop that says nothing more of a line keeps what it said before: an edit seldom repeats a download's link.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Annotated, Any, Protocol

from pydantic import BeforeValidator

from store import cleaning
from store.fields import TITLE_LENGTH
from store.pool import Connection

_KEY_LENGTH = 500


def _web_address(value: object) -> str | None:
    if value is None:
        return None
    found = cleaning.web_address(value)
    if found is None:
        raise ValueError("must be an http or https address")
    return found


def _text(cap: int) -> BeforeValidator:
    return BeforeValidator(lambda value: (cleaning.plain(value, cap) or None) if isinstance(value, str) else None)


WebAddress = Annotated[str | None, BeforeValidator(_web_address)]
"""A link that a customer may follow: `http` or `https` with a host, nothing else."""
Variant = Annotated[str | None, _text(TITLE_LENGTH)]
AccessKey = Annotated[str | None, _text(_KEY_LENGTH)]
"""A licence key or a code, on one line."""


class _Line(Protocol):
    @property
    def sku(self) -> str: ...
    @property
    def variant(self) -> str | None: ...
    @property
    def image_url(self) -> str | None: ...
    @property
    def product_url(self) -> str | None: ...
    @property
    def access_url(self) -> str | None: ...
    @property
    def access_key(self) -> str | None: ...
    @property
    def gift(self) -> bool: ...
    @property
    def subscription(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class LineFact:
    """What is known of one line; links are `http` or `https`."""

    variant: str | None = None
    image_url: str | None = None
    product_url: str | None = None
    access_url: str | None = None
    access_key: str | None = None
    gift: bool = False
    subscription: bool = False

    def over(self, before: "LineFact") -> "LineFact":
        """This, and what was known before where it says nothing."""
        return LineFact(*(new or old for new, old in zip(astuple(self), astuple(before), strict=True)))


NOTHING = LineFact()
_COLUMNS = "variant, image_url, product_url, access_url, access_key, gift, subscription"
_READ = f"SELECT sku, {_COLUMNS} FROM lines WHERE shop = $1 AND order_id = $2 ORDER BY position DESC"  # noqa: S608  a constant
_WRITE = f"""
UPDATE lines SET ({_COLUMNS}) = (new.variant, new.image_url, new.product_url, new.access_url, new.access_key,
                                 new.gift, new.subscription)
FROM unnest($3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bool[],
            $11::bool[])
     AS new (position, sku, {_COLUMNS})
WHERE lines.shop = $1 AND lines.order_id = $2 AND lines.position = new.position AND lines.sku = new.sku
"""  # noqa: S608  as above


def of(row: Mapping[str, Any]) -> LineFact:
    """The facts in a row of `lines`."""
    return LineFact(**{name: row[name] for name in LineFact.__dataclass_fields__})


async def read(connection: Connection, shop: str, order_id: str) -> Mapping[str, LineFact]:
    """What is known of an order's lines, by SKU; of several lines of one SKU the first."""
    rows = await connection.fetch(_READ, shop, order_id)
    return {row["sku"]: of(row) for row in rows}


async def write(
    connection: Connection,
    shop: str,
    order_id: str,
    lines: Sequence[_Line],
    known: Mapping[str, LineFact] | None = None,
) -> None:
    """Write down what is said of lines that stand in the table in this order, over what is `known` by SKU."""
    said = [said_of(line).over((known or {}).get(line.sku, NOTHING)) for line in lines]
    if all(fact == NOTHING for fact in said):
        return
    columns = list(zip(*(astuple(fact) for fact in said), strict=True))
    places = list(range(len(lines)))
    await connection.execute(_WRITE, shop, order_id, places, [line.sku for line in lines], *map(list, columns))


def said_of(line: _Line) -> LineFact:
    """What an event says of one line."""
    return LineFact(**{name: getattr(line, name) for name in LineFact.__dataclass_fields__})
