"""Whole journeys of the shipped playbook in one call."""

from journey.parcels import ParcelStatus as S
from journey.playbook import Playbook
from tests.journey.driver import Drive, drive
from tests.journey.makers import PLACED, after, begun, default_playbook, delivered, scan, shipped

PLAYBOOK = default_playbook()
AFTER_DELIVERY = {touch.id for touch in PLAYBOOK.touches if touch.anchor == "order_delivered"}


def story(*told, facts=None, answer=None, end=None) -> Drive:
    """A journey that hears each fact when it happens, or at the given moment."""
    arrivals = [one if isinstance(one, tuple) else (one.at, one) for one in told]
    answers = {} if answer is None else {"answer": answer}
    return drive(begun(facts), PLAYBOOK, arrivals, now=PLACED, end=end, **answers)


def revised(**changes: object) -> Playbook:
    """The shipped playbook with these of its fields, as a marketer would write them."""
    return Playbook.model_validate(PLAYBOOK.model_dump(mode="json") | changes)


def smooth(days: float = 3) -> list:
    return [shipped(after(1)), scan(after(days - 0.2), S.OUT_FOR_DELIVERY), delivered(after(days))]
