"""What is left of a thing after what shops gave back: by units, whoever did it and whenever."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey.made_good import Claim, Given, Thing, judge, same, together
from journey.remedies import Bought, Choice

LINES = (Bought("MAT", 2, Decimal(30)), Bought("BENCH", 1, Decimal(40)))
TOTAL = Decimal(100)
MAT = Thing((("MAT", 1),), Decimal(30))
BENCH = Thing((("BENCH", 1),), Decimal(40))


def refund(amount, *units, reference="r1", **more):
    return Given(what=Choice.REFUND, reference=reference, amount=Decimal(amount), units=units, **more)


def replacement(*units, linked=True):
    return Given(what=Choice.REPLACEMENT, reference="o1", units=units, linked=linked)


def look(thing, *given_back, claims=(), known=()):
    found = judge(thing, LINES, given_back, claims, total=TOTAL, digits=2, known=known)
    return dict(found.units), found.amount, found.over, len(found.concerns)


@pytest.mark.parametrize(
    ("given_back", "left"),
    [
        ((), ({"BENCH": 1}, Decimal(40), None, 0)),
        ((refund(40, ("BENCH", 1)),), ({}, Decimal(0), "already_refunded", 1)),
        ((replacement(("BENCH", 1)),), ({}, Decimal(0), "already_replaced", 1)),
        # Somebody may have sent it again, or meant another thing.
        ((replacement(("BENCH", 1), linked=False),), ({"BENCH": 1}, Decimal(40), None, 1)),
        ((replacement(),), ({"BENCH": 1}, Decimal(40), None, 1)),
        # Less than it cost: what is left of the money may be paid, by a person's yes.
        ((refund(15, ("BENCH", 1)),), ({"BENCH": 1}, Decimal(25), None, 1)),
        ((refund(40),), ({"BENCH": 1}, Decimal(40), None, 1)),
        ((refund(70),), ({"BENCH": 1}, Decimal(30), None, 1)),
        ((refund(100),), ({"BENCH": 1}, Decimal(0), "already_refunded", 1)),
        ((refund(30, ("MAT", 1)),), ({"BENCH": 1}, Decimal(40), None, 0)),
        # More than the mat cost: some of it may be for the bench.
        ((refund(45, ("MAT", 1)),), ({"BENCH": 1}, Decimal(40), None, 1)),
    ],
    ids=[
        *(
            "nothing",
            "refunded",
            "replaced",
            "a free order",
            "goods not said",
            "refunded in part",
            "an amount alone",
            "more than the rest",
        ),
        *("everything", "other goods", "other goods and more"),
    ],
)
def test_what_is_left_of_a_thing(given_back, left):
    """Evident cover ends it, what may be of it concerns a person, and other goods concern nothing here."""
    assert look(BENCH, *given_back) == left


def test_of_two_alike_one_that_was_paid_back_may_be_the_other():
    """One of two mats is lost and one was refunded: there is one left, and a person says which that is."""
    assert look(MAT, refund(30, ("MAT", 1))) == ({"MAT": 1}, Decimal(30), None, 1)
    assert look(MAT, refund(60, ("MAT", 2))) == ({}, Decimal(0), "already_refunded", 1)


@pytest.mark.parametrize("reference", ["r1", "gid://shopify/Refund/r1"])
def test_what_another_remedy_had_made_is_no_concern(reference):
    """Its refund is its own, by its reference or its key, and its units are not there for this one."""
    claim = Claim((("MAT", 1),), Decimal(30), paid_back=True, references=[reference])
    assert look(MAT, refund(30, ("MAT", 1)), claims=[claim]) == ({"MAT": 1}, Decimal(30), None, 0)
    keyed = Claim((("MAT", 1),), Decimal(30), paid_back=True, keys=["k"])
    assert look(MAT, refund(30, ("MAT", 1), key="k"), claims=[keyed]) == ({"MAT": 1}, Decimal(30), None, 0)
    assert look(MAT, claims=[claim, Claim((("MAT", 1),), Decimal(30), paid_back=False)])[2] == "already_refunded"


TWO_MATS = (("MAT", 2),)


@pytest.mark.parametrize(
    ("claim", "given_back", "left"),
    [
        # Told and done are the same money, also where a person noted another reference for it.
        (Claim(TWO_MATS, Decimal(60), paid_back=True, references=["r1"]), [refund(60, ("MAT", 2))], 40),
        (Claim(TWO_MATS, Decimal(60), paid_back=True, references=["by hand"]), [refund(60, ("MAT", 2))], 40),
        # Done, and told by nobody yet.
        (Claim(TWO_MATS, Decimal(70), paid_back=True), [], 30),
        # Promised to the other one, beside what was paid for nobody knows what.
        (Claim(TWO_MATS, Decimal(60), paid_back=False), [refund(20)], 20),
    ],
    ids=["told", "told by another name", "not told yet", "promised"],
)
def test_what_another_remedy_takes_of_the_total_is_counted_once(claim, given_back, left):
    """An order is never paid back more than once, and what is left of it is not kept back either."""
    assert look(BENCH, *given_back, claims=[claim])[:3] == ({"BENCH": 1}, Decimal(left), None)


def test_what_was_taken_off_at_the_offer_is_not_taken_off_again():
    """A part that went back before the offer has lowered its worth already."""
    offered = Thing(BENCH.units, Decimal(25))
    assert look(offered, refund(15, ("BENCH", 1)), known=["refund:r1"])[1] == Decimal(25)


def test_the_shops_books_know_more_than_what_was_told():
    """A refund that a webhook told without its lines, and the books have with them, is one."""
    told, booked = refund(40), refund(40, ("BENCH", 1), reference="gid://shopify/Refund/r1")
    assert together([told], [booked]) == [booked]
    assert same("gid://shopify/Refund/7", "7")
    assert not same("17", "7")


UNITS = st.lists(st.tuples(st.sampled_from(["MAT", "BENCH"]), st.integers(1, 2)), max_size=2, unique_by=lambda u: u[0])
GIVEN = st.builds(
    Given,
    what=st.sampled_from(Choice),
    reference=st.uuids().map(str),
    amount=st.integers(0, 120).map(Decimal),
    units=UNITS.map(tuple),
    linked=st.booleans(),
)


@given(thing=st.sampled_from([MAT, BENCH]), given_back=st.lists(GIVEN, max_size=5))
def test_never_more_than_the_thing_is_worth_nor_than_is_left_of_the_order(thing, given_back):
    """Whatever was given back: no more units and no more money than was offered, and no less than nothing."""
    found = judge(thing, LINES, given_back, [], total=TOTAL, digits=2)
    gone = sum((one.amount for one in given_back if one.what is Choice.REFUND), Decimal(0))
    assert Decimal(0) <= found.amount <= min(thing.worth, max(TOTAL - gone, Decimal(0)))
    assert all(count <= dict(thing.units)[sku] for sku, count in found.units)
    if found.over is not None:
        assert given_back
