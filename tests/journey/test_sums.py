"""What an order comes to is shown part by part where that adds up exactly, and not at all where it does not."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from journey.sums import Sums

D = Decimal
AMOUNTS = st.integers(0, 10_000).map(lambda cents: D(cents) / 100)
PARTS = st.none() | AMOUNTS


def test_parts_come_to_the_total() -> None:
    """Goods less the discount, with shipping, fees and tax on top."""
    sums = Sums("USD", D("61.60"), (D(50), D(10)), D(6), D(4), D(1), D("2.60"), tax_included=False)
    assert sums.adds_up
    assert sums.parts == {"goods": D(60), "discount": D(6), "shipping": D(4), "fees": D(1), "tax": D("2.60")}


def test_tax_that_is_included_is_no_part_of_its_own() -> None:
    """It is told beside the total, whether the shop says that it is included or the figures do."""
    for said in (True, None):
        sums = Sums("EUR", D(54), (D(50),), shipping=D(4), tax=D("8.62"), tax_included=said)
        assert sums.parts == {"goods": D(50), "shipping": D(4), "tax_included": D("8.62")}


def test_a_gift_card_pays_a_part_of_the_total() -> None:
    """It takes nothing off; what is left to pay stands beside it."""
    sums = Sums("EUR", D(50), (D(50),), gift_cards=D(20))
    assert sums.parts == {"gift_cards": D(20), "paid": D(30)}
    assert not Sums("EUR", D(50), (D(50),), gift_cards=D(60)).adds_up


def test_a_plain_order_has_no_parts() -> None:
    """Lines and their total need no further rows."""
    assert Sums("EUR", D(50), (D(20), D(30)), D(0), D(0), D(0), D(0)).parts == {}


def test_what_nobody_said_adds_up_to_nothing() -> None:
    """Without the lines' own amounts nothing is known, which is no mistake."""
    assert Sums("EUR", D(50), shipping=D(4)).adds_up is None


@given(st.lists(AMOUNTS, max_size=4).map(tuple), AMOUNTS, PARTS, PARTS, PARTS, PARTS, st.none() | st.booleans(), PARTS)
def test_whatever_is_shown_adds_up(  # noqa: PLR0917  an order's parts
    lines: tuple[Decimal, ...],
    total: Decimal,
    discount: Decimal | None,
    shipping: Decimal | None,
    fees: Decimal | None,
    tax: Decimal | None,
    included: bool | None,
    gift_cards: Decimal | None,
) -> None:
    """Whatever a shop says, the rows above the total come to it, and those below do as well."""
    said = Sums("EUR", total, lines, discount, shipping, fees, tax, included, gift_cards)
    nothing = D(0)
    whole = sum(lines, nothing) - (discount or nothing) + (shipping or nothing) + (fees or nothing)
    for sums in (said, Sums("EUR", max(whole, nothing), lines, discount, shipping, fees, tax, included, gift_cards)):
        parts = sums.parts
        above = [-amount if name == "discount" else amount for name, amount in parts.items() if name not in _BELOW]
        assert not above or sum(above, nothing) == sums.total
        assert ("paid" in parts) == ("gift_cards" in parts)
        if "paid" in parts:
            assert parts["paid"] + parts["gift_cards"] == sums.total
            assert parts["paid"] >= 0
        if sums.adds_up and not above:
            assert sum(lines, nothing) == sums.total


_BELOW = {"tax_included", "gift_cards", "paid"}
