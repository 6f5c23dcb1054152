"""Bodies no sender would send, built around the words that adapters look for."""

import copy
import json

from hypothesis import strategies as st

from activities.shops.protocol import Delivery, Ignored, Malformed
from store.intake import from_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ODD = st.sampled_from(
    [
        "",
        "\u0000",
        "\ud800",
        "2026-11-22T10:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "1E+99999",
        "-0",
        "EUR",
        "a@b",
        "+1",
        [],
    ]
)


def places(value, path=()):
    """Every place in a JSON value, the value itself first."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in children:
        yield from places(part, (*path, key))


@st.composite
def holes(draw, value):
    """The same JSON with one to three of its parts replaced by something else, or left out."""
    body = {"": copy.deepcopy(value)}
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(list(places(body))[1:]))
        inside = body
        for key in way:
            inside = inside[key]
        if isinstance(inside, dict) and way and draw(st.booleans()):
            del inside[last]
        else:
            inside[last] = draw(ODD | JSON)
    return body[""]


def judge(adapter, body, headers):
    """Put a body through an adapter: events that can be kept and read again, Ignored, or Malformed; nothing else."""
    delivery = Delivery(headers, body if isinstance(body, bytes) else json.dumps(body).encode())
    try:
        adapter.topic(delivery)
        adapter.event_id(delivery)
        said = adapter.translate(delivery)
    except Malformed:
        return
    if isinstance(said, Ignored):
        return
    assert said
    for event in said:
        text = event.model_dump_json()
        assert "\\u0000" not in text
        assert from_json(text) == event
