"""Which parcels an order consists of: fulfilments that are corrected, cancelled, made again and split."""

from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from journey.base import TrackingNumber
from journey.deadlines import deadlines
from journey.events import DeliveryDenied, Event, GoodsTakenOff, OrderEdited, ShipmentCancelled, ShipmentCreated
from journey.facts import attention, delivery_state, order_delivered_at, overdue
from journey.itinerary import next_step
from journey.mending import mends
from journey.numbers import fulfilment_key
from journey.parcels import ParcelStatus as S
from journey.parcels import Reason
from journey.remedies import Action, Stand
from journey.state import renewed
from journey.telling import apply
from tests.journey.makers import PLACED, after, begun, delivered, folded, line, order, pickup, scan, shipped
from tests.journey.stories import PLAYBOOK, story

NOW = after(60)


def fulfilled(
    days: float, *numbers: str, fulfilment: str = "F1", at: float | None = None, skus: tuple[str, ...] | None = None
) -> list[Event]:
    """The shop's word of day `days` that the fulfilment consists of these parcels; without any it has no number."""
    keys = tuple(TrackingNumber(number) for number in numbers) or (fulfilment_key(fulfilment),)
    return [
        ShipmentCreated(
            at=after(days if at is None else at),
            tracking_number=key,
            fulfilment=fulfilment,
            parcels=keys,
            said_at=after(days),
            skus=skus,
        )
        for key in keys
    ]


def cancelled(days: float, fulfilment: str = "F1") -> ShipmentCancelled:
    return ShipmentCancelled(at=after(days), fulfilment=fulfilment)


def live(state):
    return [parcel.tracking_number for parcel in state.parcels]


def test_a_corrected_number_takes_the_place_of_the_wrong_one():
    """One parcel is waited for and told, under the number that is right; nothing is expected of the dead one."""
    journey = story(*fulfilled(1, "WRONG1"), *fulfilled(1.5, "RIGHT1", at=1), delivered(after(3), "RIGHT1"))

    assert live(journey.state) == ["RIGHT1"]
    assert [parcel.tracking_number for parcel in journey.state.left_out] == ["WRONG1"]
    assert "delivered:RIGHT1" in journey.sent
    assert not [key for key in journey.sent if key.startswith(("not_scanned", "overdue", "late"))]


def test_a_corrected_number_that_was_not_told_yet_is_never_told():
    """Within the hour in which parcels are gathered the wrong number is put right: only the right one is told."""
    journey = story(
        *fulfilled(1, "WRONG1", skus=("A",)), *fulfilled(1.01, "RIGHT1", at=1), facts=order(line("A"), line("B"))
    )

    assert "shipped:RIGHT1" in journey.sent
    assert "shipped:WRONG1" not in journey.sent


def test_what_was_withdrawn_with_its_number_is_offered_again_when_the_number_is_back():
    """It is lost still: it is told anew, once, and left to its default; by older rules it was never offered again."""
    facts = [
        *fulfilled(1, "LOST1"),
        scan(after(2), S.IN_TRANSIT, "LOST1"),
        scan(after(5), S.EXCEPTION, "LOST1", reason=Reason.LOST),
        *fulfilled(6, "OTHER1"),
        *fulfilled(7, "LOST1"),
    ]
    repeated = fulfilled(7.5, "LOST1")
    journey = story(*facts, *repeated)
    assert [action for action, _, _ in journey.mended][:3] == [Action.OFFER, Action.WITHDRAW, Action.OFFER]
    assert journey.state.remedies["LOST1"].times == 2
    assert "remedy_offer:LOST1:2" in journey.sent

    found = story(*facts, delivered(after(7.2), "LOST1"))
    assert found.state.remedies["LOST1"].stand is Stand.WITHDRAWN
    came = story(*facts[:4], delivered(after(6.5), "LOST1"), facts[4])
    assert [action for action, _, _ in came.mended] == [Action.OFFER, Action.WITHDRAW]


def test_what_is_offered_for_a_number_that_is_none_is_withdrawn():
    """The lost parcel was never the order's: the offer is taken back, and nothing is refunded."""
    lost = scan(after(3), S.EXCEPTION, "WRONG1", reason=Reason.LOST)
    journey = story(*fulfilled(1, "WRONG1"), lost, *fulfilled(4, "RIGHT1"), delivered(after(5), "RIGHT1"))

    assert [action for action, _, _ in journey.mended] == [Action.OFFER, Action.WITHDRAW]
    assert journey.state.remedies["WRONG1"].stand is Stand.WITHDRAWN


def test_a_fulfilment_that_is_cancelled_and_made_again_lives_again():
    """With the same number under another fulfilment, whichever order the words and scans come in."""
    told = [*fulfilled(1, "A1"), cancelled(2), *fulfilled(3, "A1", fulfilment="F2"), delivered(after(5), "A1")]
    for again in (told, told[::-1], [*told, *told]):
        state = folded(*again)
        assert live(state) == ["A1"]
        assert order_delivered_at(state) == after(5)


def test_an_order_whose_only_fulfilment_is_cancelled_has_still_to_be_sent():
    """It is waited for again, as if nothing had been sent."""
    state = folded(*fulfilled(1, "A1"), cancelled(2))

    assert live(state) == []
    assert delivery_state(state) == "not dispatched"
    assert overdue(state, PLAYBOOK, after(10)) == {"order_not_dispatched"}


def test_a_number_in_two_fulfilments_stays_while_one_of_them_has_it():
    """Cancelled in one of them it is still the other's."""
    state = folded(*fulfilled(1, "A1"), *fulfilled(1, "A1", fulfilment="F2"), cancelled(2))

    assert live(state) == ["A1"]


def test_a_number_takes_the_place_of_none():
    """Sent without a number first; when it is known, the parcel is followed under it."""
    state = folded(*fulfilled(1), *fulfilled(2, "A1", at=1))

    assert live(state) == ["A1"]
    assert state.parcels[0].shipped_at == after(1)


def test_what_was_sent_without_a_number_is_sent_and_taken_to_be_there_in_time():
    """Told as sent; nothing is missed, nothing is called delivered, care and review go by the usual transit."""
    journey = story(*fulfilled(1))

    assert "shipped:fulfilment:F1" in journey.sent
    there = after(1) + timedelta(days=12)
    assert journey.sent_at("care:fulfilment:F1") >= there
    assert any(key.startswith("review_request") for key in journey.sent)
    assert not [
        key
        for key in journey.sent
        if key.startswith(("not_dispatched", "not_scanned", "stuck", "overdue", "late", "delivered", "remedy"))
    ]
    assert delivery_state(journey.state) == "dispatched"
    assert order_delivered_at(journey.state, told=True) is None
    assert attention(journey.state, PLAYBOOK, NOW) == ()


def test_what_the_shop_says_was_delivered_is_delivered_without_a_number():
    """Its own word is enough."""
    arrived = delivered(after(3), "fulfilment:F1").but(by_shop=True)
    state = folded(*fulfilled(1), arrived)

    assert delivery_state(state) == "delivered"
    assert order_delivered_at(state) == after(3)


def test_a_parcel_without_a_number_is_never_made_good_for_being_late():
    """The shop's word that it is on its way is no promise of a carrier's."""
    moving = scan(after(2), S.IN_TRANSIT, "fulfilment:F1").but(by_shop=True)
    state = folded(*fulfilled(1), moving)

    assert mends(state, PLAYBOOK, after(80)) == []
    terms = {"dispatch": timedelta(days=4), "keeps": timedelta(days=7), "awaited": state.to_be_sent}
    assert [found for _, found in deadlines(state.order, state.parcels, **terms) if found] == []


def test_access_that_is_marked_as_fulfilled_was_sent_to_nobody():
    """An order at a till, or of nothing that travels, is not told to be on its way."""
    journey = story(*fulfilled(1), facts=order(channel="pos"))

    assert not [key for key in journey.sent if key.startswith("shipped")]


def test_an_order_that_is_edited_down_to_nothing_is_waited_for_no_more():
    """No promise of a parcel, no care and no offers; a later edit that brings lines back brings all of it back."""
    nothing = OrderEdited(at=after(0.1), total=0, lines=())
    journey = story(nothing)

    assert journey.state.to_be_sent is False
    assert set(journey.sent) <= {"order_confirmation"}
    assert overdue(journey.state, PLAYBOOK, NOW) == set()
    back = apply(journey.state, OrderEdited(at=after(1), total=9, lines=(line(),)), now=NOW)
    assert back.to_be_sent


BACK, HANDED = scan(after(5), S.RETURNING), delivered(after(7))


@pytest.mark.parametrize("told", [[BACK, HANDED], [HANDED, BACK], [HANDED, BACK, HANDED, scan(after(6), S.IN_TRANSIT)]])
def test_what_is_delivered_after_it_went_back_came_to_its_sender(told):
    """In whatever order it is heard: nobody has it, nobody is asked how it was, and the offer stays."""
    state = folded(shipped(after(1)), *told)
    parcel = state.parcels[0]

    assert (parcel.status, parcel.status_at, parcel.delivered_at) == (S.RETURNED, after(7), None)
    assert order_delivered_at(state) is None
    journey = story(shipped(after(1)), BACK, HANDED)
    assert not [key for key in journey.sent if key.startswith(("delivered", "care", "review", "check_in"))]
    assert Action.WITHDRAW not in [action for action, _, _ in journey.mended]


def test_what_was_delivered_before_it_went_back_stays_delivered():
    """The customer had it, and sent it back."""
    state = folded(shipped(after(1)), delivered(after(4)), scan(after(7), S.RETURNING))

    assert state.parcels[0].delivered_at == after(4)


def test_a_parcel_that_its_customer_found_was_not_delivered_to_the_sender():
    """Somebody who can tell says otherwise."""
    state = folded(shipped(after(1)), BACK, HANDED, DeliveryDenied(at=after(8), tracking_number="T1", found=True))

    assert state.parcels[0].delivered_at == after(7)


def test_where_shop_and_carrier_disagree_a_person_is_asked():
    """The carrier had it on its way back, the shop says delivered: nothing is sold, and people see it."""
    state = folded(shipped(after(1)), BACK, HANDED.but(by_shop=True))

    assert attention(state, PLAYBOOK, after(8)) == ("delivery_disputed",)
    assert state.parcels[0].troubled


def test_a_pick_up_that_is_collected_after_it_went_back_to_the_shelf_is_collected():
    """It waited in the shop's own store."""
    state = folded(pickup(after(1)), scan(after(5), S.RETURNING, pickup(after(1)).tracking_number),
                   delivered(after(7), pickup(after(1)).tracking_number))  # fmt: skip

    assert state.parcels[0].delivered_at == after(7)


def test_older_runs_take_it_for_delivered_until_they_are_renewed():
    """A run goes on by the rules it began with; the one that continues it has the newest."""
    state = begun().but(rules=2)
    for fact in (shipped(after(1)), BACK, HANDED):
        state = apply(state, fact, now=NOW)
    assert state.parcels[0].delivered_at == after(7)

    assert renewed(state).parcels[0].status is S.RETURNED


_FULFILMENTS, _NUMBERS = ("F1", "F2"), ("A1", "B1", "C1")


class Orders(RuleBasedStateMachine):
    """An order as its shop and carriers tell of it, beside a plain model of it."""

    def __init__(self) -> None:
        super().__init__()
        self.state = begun()
        self.clock = 0
        self.words: dict[str, tuple[int, tuple[str, ...]]] = {}
        self.named: set[str] = set()
        self.scans: dict[str, list[tuple[float, S]]] = {}
        self.refunds: dict[str, tuple[int, int]] = {}
        self.told: list[Event] = []

    def tell(self, *facts: Event) -> None:
        self.told += facts
        for fact in facts:
            self.state = apply(self.state, fact, now=NOW)
            next_step(self.state, PLAYBOOK, now=NOW)

    @rule(which=st.sampled_from(_FULFILMENTS), numbers=st.lists(st.sampled_from(_NUMBERS), max_size=2, unique=True))
    def fulfil(self, which: str, numbers: list[str]) -> None:
        """Made, corrected, split or made again: with numbers or without."""
        self.clock += 1
        facts = fulfilled(self.clock / 24, *numbers, fulfilment=which)
        keys = tuple(numbers) or (fulfilment_key(which),)
        self.words[which] = (self.clock, keys)
        self.named |= set(keys)
        self.tell(*facts)

    @rule(which=st.sampled_from(_FULFILMENTS))
    def cancel(self, which: str) -> None:
        self.clock += 1
        self.words[which] = (self.clock, ())
        self.tell(cancelled(self.clock / 24, which))

    @rule(
        number=st.sampled_from(_NUMBERS),
        status=st.sampled_from([S.IN_TRANSIT, S.OUT_FOR_DELIVERY, S.DELIVERED, S.RETURNING]),
        hours=st.integers(1, 200),
    )
    def scan(self, number: str, status: S, hours: int) -> None:
        self.scans.setdefault(number, []).append((hours, status))
        self.tell(scan(after(hours=hours), status, number))

    @rule(refund=st.sampled_from(["R1", "R2"]), count=st.integers(0, 1))
    def refund(self, refund: str, count: int) -> None:
        """All of the order is refunded, or that comes to nothing."""
        self.clock += 1
        self.refunds[refund] = (self.clock, count)
        units = (("MAT", count),) if count else ()
        self.tell(GoodsTakenOff(at=after(self.clock / 24), refund_id=refund, units=units))

    @rule(data=st.data())
    def again(self, data: st.DataObject) -> None:
        """Anything that was told is told again, late."""
        if self.told:
            self.tell(data.draw(st.sampled_from(self.told)))

    @invariant()
    def the_parcels_are_those_of_the_last_words(self) -> None:
        in_order = {number for _, keys in self.words.values() for number in keys}
        never_named = set(self.scans) - self.named
        assert set(live(self.state)) == in_order | never_named
        assert {parcel.tracking_number for parcel in self.state.left_out} == self.named - in_order

    @invariant()
    def what_arrived_arrived(self) -> None:
        for parcel in (*self.state.parcels, *self.state.left_out):
            said = self.scans.get(parcel.tracking_number, [])
            came = min((at for at, status in said if status is S.DELIVERED), default=None)
            back = min((at for at, status in said if status is S.RETURNING), default=None)
            had = came is not None and (back is None or back >= came)
            assert parcel.delivered_at == (PLACED + timedelta(hours=came) if had and came is not None else None)

    @invariant()
    def what_went_back_is_on_its_way_back(self) -> None:
        """Whatever is scanned after that; until somebody has it."""
        for parcel in self.state.parcels:
            said = self.scans.get(parcel.tracking_number, [])
            back = any(status is S.RETURNING for _, status in said)
            assert parcel.going_back == (back and parcel.delivered_at is None)

    @invariant()
    def nothing_is_expected_of_what_is_left_out(self) -> None:
        state = self.state
        waited = deadlines(
            state.order,
            state.parcels,
            dispatch=timedelta(days=4),
            keeps=timedelta(days=7),
            awaited=state.to_be_sent,
        )
        of = {parcel.tracking_number for parcel, _ in waited if parcel is not None}
        assert of <= set(live(self.state)) - {fulfilment_key(which) for which in _FULFILMENTS}
        came = any(parcel.delivered_at is not None for parcel in state.left_out)
        refunded = any(count for _, count in self.refunds.values())
        assert (None in [parcel for parcel, _ in waited]) == (not state.parcels and not came and not refunded)


TestOrders = Orders.TestCase
TestOrders.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
