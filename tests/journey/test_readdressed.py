"""A message that did not go for want of an address is decided again when one becomes known."""

from datetime import timedelta

import pytest

from journey.answers import settle
from journey.base import TouchKey
from journey.events import AddressGiven, OrderNumbered
from journey.itinerary import Deliver, next_step
from journey.outcomes import DeliverRequest, Outcome, Refused, Sent
from journey.state import JourneyState
from journey.telling import apply
from tests.journey.makers import PLACED, begun, default_playbook

KEY = TouchKey("order_confirmation")
UNREACHED = Refused(rule="no_address", why={"email": "no_address", "sms": "no_provider"})
GIVEN = AddressGiven(at=PLACED)


def answered(state: JourneyState, outcome: Outcome) -> JourneyState:
    request = DeliverRequest(shop="acme", order_id="1001", playbook=state.playbook, key=KEY, due=PLACED)
    return settle(state, request, outcome, now=PLACED)


def is_due(state: JourneyState, *, days: int = 0) -> bool:
    """Whether the confirmation is what comes next."""
    step = next_step(state, default_playbook(), now=PLACED + timedelta(days=days))
    return isinstance(step, Deliver) and step.stop.key == KEY


@pytest.mark.parametrize(
    ("outcome", "again"),
    [
        (UNREACHED, True),
        (Refused(rule="suppressed_bounced"), True),
        (Refused(rule="no_provider", why={"email": "no_provider", "sms": "no_address"}), True),
        (Refused(rule="no_consent"), False),
        (Sent(at=PLACED), False),
    ],
)
def test_only_what_no_address_stood_against_is_decided_again(outcome, again):
    """What was sent, or refused for another reason, stays as it is."""
    state = answered(begun(), outcome)
    assert not is_due(state)
    assert is_due(apply(state, GIVEN, now=PLACED)) == again


def test_an_address_that_comes_during_an_attempt_is_not_lost():
    """An answer that was given before the address was known settles nothing, once."""
    state = answered(apply(begun(), GIVEN, now=PLACED), UNREACHED)
    assert is_due(state)
    assert not is_due(answered(state, UNREACHED))
    assert not is_due(answered(apply(begun(), GIVEN, now=PLACED), Sent(at=PLACED)))


def test_an_address_that_comes_too_late_sends_nothing():
    """The rules decide on the message as on any other that is late."""
    state = apply(answered(begun(), UNREACHED), GIVEN, now=PLACED + timedelta(days=20))
    assert not is_due(state, days=20)


def test_the_latest_number_of_an_order_stands():
    """In whatever order the words come, and of two at once it is always the same one."""
    words = [OrderNumbered(at=PLACED + timedelta(days=day), number=number) for day, number in ((1, "A"), (2, "B"))]
    words.append(OrderNumbered(at=PLACED + timedelta(days=2), number="C"))
    for told in (words, words[::-1], [words[1], words[2], words[0]]):
        state = begun()
        for word in told:
            state = apply(state, word, now=PLACED + timedelta(days=3))
        assert state.order.number == "C"
