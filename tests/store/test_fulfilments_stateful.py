"""Any life of an order's fulfilments in the tables agrees with a plain model of it."""

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from journey.numbers import fulfilment_key
from store import intake
from tests.store.parcels import SENT, hours, ordered, word
from tests.store.test_fulfilments import cancelled, fulfilled, parcels, told

FULFILMENTS = ("F1", "F2", "F3")
NUMBERS = {
    "JJD000390001": ("jjd-0003-9000-1", "JJD 000390001"),
    "1Z9990000002": ("1z 999 0000 002", "UPS 1Z9990000002"),
    "1234567890": ("DHL AWB# 1234567890", "1234567890"),
}
"""Each number with the ways in which somebody writes it."""

_written = st.sampled_from([text for texts in NUMBERS.values() for text in texts])
_fulfil = st.tuples(st.just("fulfil"), st.sampled_from(FULFILMENTS), st.lists(_written, max_size=3))
_cancel = st.tuples(st.just("cancel"), st.sampled_from(FULFILMENTS))
_scan = st.tuples(
    st.just("scan"),
    _written,
    st.sampled_from(["in_transit", "delivered", "returning"]),
    st.integers(1, 200),
)
_again = st.tuples(st.just("again"), st.integers(0, 30))
STEPS = st.lists(st.one_of(_fulfil, _fulfil, _cancel, _scan, _again), min_size=1, max_size=25)


def _normal(text):
    return next(number for number, texts in NUMBERS.items() if text in texts)


class Model:
    """What the last word of each fulfilment names, what was ever named, and what was scanned."""

    def __init__(self):
        self.words = {}
        self.named = set()
        self.scans = {}

    def fulfil(self, which, texts):
        keys = {_normal(text) for text in texts} or {fulfilment_key(which)}
        self.words[which] = keys
        self.named |= keys

    def rows(self):
        live = {key for keys in self.words.values() for key in keys}
        return {key: (key not in live, self._arrived(key)) for key in self.named}

    def _arrived(self, key):
        said = self.scans.get(key, [])
        came = min((at for at, status in said if status == "delivered"), default=None)
        back = min((at for at, status in said if status == "returning"), default=None)
        return None if came is None or (back is not None and back < came) else SENT + timedelta(hours=came)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_any_life_of_fulfilments_agrees_with_a_plain_model(pool, steps):
    """Created, corrected, cancelled, made again, split, scanned, returned, in any order and repeated."""
    await pool.execute("DELETE FROM orders")
    await ordered(pool)
    model, said, waiting = Model(), [], []
    for clock, step in enumerate(steps, start=1):
        match step:
            case ("fulfil", which, texts):
                event = fulfilled(clock, *texts, fulfilment=which)
                model.fulfil(which, texts)
            case ("cancel", which):
                event = cancelled(clock, which)
                model.words[which] = set()
            case ("scan", text, status, at):
                event = word(status, hours(at), number=text)
                model.scans.setdefault(_normal(text), []).append((at, status))
                # The relay keeps a scan until its parcel is known.
                waiting.append(event)
            case ("again", which):
                event = said[which % len(said)] if said else None
        if event is None:
            continue
        said.append(event)
        await told(pool, event)
        for one in [] if isinstance(event, intake.ShipmentUpdated) else waiting:
            await told(pool, one)
        assert await parcels(pool) == model.rows()
