"""A parcel that counts as delivered and never came, as its customer says, until it is found."""

from journey.events import DeliveryDenied
from journey.facts import attention, delivery_state, order_delivered_at
from tests.journey.makers import after, delivered, folded, shipped
from tests.journey.stories import PLAYBOOK, story

SENT, ARRIVED = shipped(after(1)), delivered(after(3))
DENIED = DeliveryDenied(at=after(4), tracking_number="T1")
FOUND = DeliveryDenied(at=after(6), tracking_number="T1", found=True)


def test_a_denied_delivery_is_answered_and_stops_what_follows_one():
    """The customer is answered at once, nobody asks how they like it, and a person sees it."""
    journey = story(SENT, ARRIVED, DENIED, end=after(20))

    assert after(4) == journey.sent_at("denied:T1")
    assert {"care:T1", "review_request:T1", "check_in", "thank_you"}.isdisjoint(journey.sent)
    assert attention(journey.state, PLAYBOOK, journey.now) == ("denied",)
    assert (delivery_state(journey.state), order_delivered_at(journey.state)) == ("dispatched", None)


def test_what_is_found_goes_on_from_its_delivery():
    """Found with the neighbour two days later: what is still in time is told, and nothing wants a look."""
    journey = story(SENT, ARRIVED, DENIED, FOUND)

    assert after(3) == order_delivered_at(journey.state)
    assert after(6) == journey.sent_at("care:T1")
    assert after(9) == journey.sent_at("review_request:T1")
    assert attention(journey.state, PLAYBOOK, after(10)) == ()


def test_no_remedy_is_offered_by_itself():
    """Whether a denied parcel is made good is a person's decision."""
    assert story(SENT, ARRIVED, DENIED, end=after(40)).mended == []


def test_the_last_word_counts_whatever_the_order():
    """Denied, found, denied again; heard in any order, repeated: it is denied."""
    again = DENIED.but(at=after(8))

    assert folded(SENT, ARRIVED, DENIED, FOUND, again) == folded(again, FOUND, SENT, FOUND, ARRIVED, DENIED)
    assert folded(SENT, ARRIVED, DENIED, FOUND, again).parcels[0].denied
    assert not folded(SENT, ARRIVED, FOUND, DENIED).parcels[0].denied


def test_a_second_denial_is_told_again_and_a_repeated_one_is_not():
    """Denied, found, denied: a person hears of it twice; said twice in a row it is one."""
    again = DENIED.but(at=after(8))
    journey = story(SENT, ARRIVED, DENIED, DENIED.but(at=after(5)), FOUND, again, again.but(at=after(9)), end=after(20))

    denials = [name for name in journey.sent if name.startswith("denied:")]
    assert (len(denials), denials[0]) == (2, "denied:T1")
    assert after(8) == journey.sent_at(denials[1])


def test_a_denial_heard_before_its_scan_is_kept():
    """The customer was quicker than the carrier's own word."""
    assert folded(DENIED, SENT, ARRIVED) == folded(SENT, ARRIVED, DENIED)
