"""Where somebody stands about one order, when another address was given for it."""

from collections.abc import Sequence

import pytest

from journey.consent import Preferences
from journey.playbook import Channel
from store.standing import Standing, about_order


def told(theirs: dict[Channel, str], *listed: str, email: str | None = None, phone: str | None = None) -> Standing:
    known = Standing("DE", None, "de-DE", (), Preferences(), None, theirs, frozenset({Channel.EMAIL}))
    return about_order(known, {"contact_email": email, "contact_phone": phone, "contact_suppressed": list(listed)})


@pytest.mark.parametrize(
    ("theirs", "listed", "stands"),
    [
        ({Channel.SMS: "bounced"}, (), {}),
        ({Channel.SMS: "opted_out"}, (), {Channel.SMS: "opted_out"}),
        ({Channel.SMS: "opted_out"}, ("sms complained",), {Channel.SMS: "opted_out"}),
        ({Channel.SMS: "opted_out"}, ("sms bounced",), {Channel.SMS: "bounced"}),
        ({}, ("sms opted_out",), {Channel.SMS: "opted_out"}),
        ({Channel.EMAIL: "bounced"}, (), {Channel.EMAIL: "bounced"}),
    ],
)
def test_the_list_is_asked_of_the_address_that_is_written_to(
    theirs: dict[Channel, str], listed: Sequence[str], stands: dict[Channel, str]
) -> None:
    """Of the order's number its own entries count, and the person's opt-out; without an address of its own, theirs."""
    assert told(theirs, *listed, phone="+4915199999999").suppressed == stands


def test_an_order_may_be_reached_where_its_customer_is_not() -> None:
    """A number that was given for the order is one for texts about it."""
    assert told({}, phone="+4915199999999").addressed == {Channel.EMAIL, Channel.SMS, Channel.WHATSAPP}
    assert told({}).addressed == {Channel.EMAIL}
