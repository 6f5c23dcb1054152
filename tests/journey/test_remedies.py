"""What a lost parcel is worth, and what customers' replies choose."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey.remedies import Bought, Choice, RemedyTerms, remedy_id, worth
from journey.remedy_words import chosen

MAT = Bought("MAT", 1, Decimal(60))
BLOCKS = Bought("BLOCK", 2, Decimal(20))
COURSE = Bought("COURSE", 1, Decimal(100), travels=False)


def held(lines, parcels, part="A", *, total, digits=2, said=None):
    found = worth(lines, parcels, part, total=Decimal(total), digits=digits, said=said or {})
    return dict(found.skus), found.amount, found.sure


@pytest.mark.parametrize(
    ("parcels", "total", "expected"),
    [
        ({"A": None}, "100", ({"MAT": 1, "BLOCK": 2}, Decimal(100), True)),
        ({"A": ["MAT"], "B": ["BLOCK"]}, "100", ({"MAT": 1}, Decimal(60), True)),
        ({"A": ["MAT"], "B": ["BLOCK"]}, "90", ({"MAT": 1}, Decimal(54), True)),
        ({"A": ["MAT"], "B": ["BLOCK"]}, "110", ({"MAT": 1}, Decimal(66), True)),
        ({"A": ["MAT", "BLOCK"], "B": ["BLOCK"]}, "100", ({"MAT": 1, "BLOCK": 1}, Decimal(80), True)),
        ({"A": ["BLOCK"], "B": ["MAT"]}, "100", ({"BLOCK": 2}, Decimal(40), False)),
        ({"A": None, "B": ["BLOCK", "BLOCK"]}, "100", ({"MAT": 1}, Decimal(60), False)),
        ({"A": None, "B": None}, "100", ({"MAT": 1, "BLOCK": 2}, Decimal(100), False)),
        ({"A": ["BLOCK"], "B": None}, "100", ({"BLOCK": 2}, Decimal(40), False)),
        ({"A": ["UNHEARD-OF"]}, "100", ({}, Decimal(0), True)),
    ],
    ids=[
        *("all of it", "its own line", "less a discount", "with its shipping", "one of each", "two, or one to come"),
        *("unknown beside many", "two unknown", "named beside unknown", "nothing of the order"),
    ],
)
def test_a_parcel_is_worth_what_was_paid_for_what_is_in_it(parcels, total, expected):
    """Its lines' share of the total; a guess is told as one."""
    assert held([MAT, BLOCKS], parcels, total=total) == expected


def test_how_many_are_in_a_parcel_is_no_guess_where_the_shop_says_it():
    """One of two blocks, whatever is registered of the other one."""
    said = {"A": (("BLOCK", 1),)}
    assert held([MAT, BLOCKS], {"A": ["BLOCK"]}, total="100", said=said) == ({"BLOCK": 1}, Decimal(20), True)


@pytest.mark.parametrize(("total", "sure"), [("100", True), ("110", False)])
def test_the_share_of_a_line_without_a_price_is_a_guess_unless_it_was_free(total, sure):
    """Where the other prices make up the total nothing was paid for it; else nobody knows what was."""
    parcels = {"A": ["BOOK", "MAT"], "B": ["BLOCK"]}
    for said in (None, {"A": (("BOOK", 1), ("MAT", 1))}):
        lines = [MAT, BLOCKS, Bought("BOOK", 1, Decimal(0))]
        assert held(lines, parcels, total=total, said=said)[2] is sure


def test_what_does_not_travel_was_in_no_parcel():
    """A course in the same order keeps its share of the money."""
    assert held([MAT, BLOCKS, COURSE], {"A": None}, total="200") == ({"MAT": 1, "BLOCK": 2}, Decimal(100), True)


def test_a_gift_has_goods_and_no_money():
    """What cost nothing is worth a replacement, and no refund."""
    assert held([Bought("GIFT", 1, Decimal(0))], {"A": None}, total="0") == ({"GIFT": 1}, Decimal(0), True)


@pytest.mark.parametrize(("digits", "amount"), [(2, "33.33"), (0, "33"), (3, "33.333")])
def test_an_amount_has_the_currencys_own_decimals(digits, amount):
    """A third of a hundred euros, yen and dinars."""
    lines = [Bought(sku, 1, Decimal(10)) for sku in "XYZ"]
    assert held(lines, {"A": ["X"], "B": ["Y", "Z"]}, total="100", digits=digits)[1] == Decimal(amount)


SKUS = st.sampled_from("XYZ")


@given(
    quantities=st.dictionaries(SKUS, st.integers(1, 5), min_size=1),
    parcels=st.dictionaries(st.sampled_from("ABC"), st.none() | st.lists(SKUS, max_size=3), min_size=1),
    total=st.decimals(0, 1000, places=2),
)
def test_all_parcels_together_hold_no_more_than_was_bought_where_it_is_known(quantities, parcels, total):
    """Whatever is known of the contents: no amount above the total, no SKU twice among parcels that name theirs."""
    lines = [Bought(sku, quantity, Decimal(7)) for sku, quantity in quantities.items()]
    found = {part: worth(lines, parcels, part, total=total, digits=2) for part in parcels}
    assert all(0 <= one.amount <= total for one in found.values())
    for sku, quantity in quantities.items():
        known = [dict(one.skus).get(sku, 0) for part, one in found.items() if parcels[part] is not None]
        assert sum(known) <= quantity


@pytest.mark.parametrize(
    ("limits", "amount", "currency", "asked"),
    [
        ({}, "10000", "EUR", False),
        ({"EUR": "50"}, "50", "EUR", False),
        ({"EUR": "50"}, "50.01", "EUR", True),
        ({"EUR": "50"}, "1", "USD", True),
    ],
)
def test_who_approves(limits, amount, currency, asked):
    """Nobody without limits; above a limit somebody; of a currency without one always."""
    assert RemedyTerms(approve_above=limits).wants_approval(Decimal(amount), currency) is asked


def test_no_two_sagas_share_a_name():
    """An order id may hold colons, and so may a number."""
    assert remedy_id("acme", "1:2", "3") != remedy_id("acme", "1", "2:3")
    assert remedy_id("acme", "1:2", "3") != remedy_id("acme", "1%3A2", "3")
    assert remedy_id("acme", "1001", "T1") == "remedy:acme:1001:T1"


@pytest.mark.parametrize(
    "text",
    [
        "1",
        " 1. ",
        "1)",
        "Replacement",
        "please send it again!",
        "ERSATZ",
        "Bitte noch einmal schicken",
        "Nochmal 🙏",
        "un nouvel envoi, s'il vous plaît",
        "Renvoyez",
        "reenvío",
        "Otra vez, por favor",
        "option 1",
        "The first one",
    ],
)
def test_words_for_a_replacement(text):
    """In four languages, with any case, accents and politeness."""
    assert chosen(text) is Choice.REPLACEMENT


@pytest.mark.parametrize(
    "text",
    [
        "2",
        "2!",
        "REFUND",
        "Refund, please",
        "I want my money back",
        "Geld zurück",
        "Bitte Geld zurueck, danke",
        "Rückerstattung",
        "Remboursement svp",
        "remboursez-moi",
        "Reembolso",
        "Quiero mi dinero",
        "dos",
    ],
)
def test_words_for_the_money(text):
    """Likewise."""
    assert chosen(text) is Choice.REFUND


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12",
        "1 or 2?",
        "no refund",
        "where is my refund?",
        "refund or replacement",
        "not 2",
        "devolución",
        "👍",
        "STOP",
        "2 please, but to another address",
        "Ich will kein Geld zurück",
        "1" * 500,
    ],
)
def test_anything_else_is_for_a_person(text):
    """A question, a condition, a no: never a choice."""
    assert chosen(text) is None
