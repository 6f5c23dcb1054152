"""Summaries and details in the Temporal UI are Markdown, and nothing from outside may be any."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey.markdown import code, shown, summary

ROOT = Path(__file__).parents[2]
MARKUP = [
    "[pay here](https://evil.example)",
    "![](https://evil.example/seen.png)",
    "https://evil.example",
    "www.evil.example",
    "a@evil.example",
    "<img src=x>",
    "1001\n\n# All is well",
    "1001 | delivered |",
    "`code` out",
    "**bold**",
    "_evil_",
    "# heading",
    "- list",
    "\u202e1001",
    "\x1b[31m1001",
    "&lt;b&gt;",
    "a\\b",
    "~~gone~~",
    "$x$",
]


@pytest.mark.parametrize("text", MARKUP)
def test_markup_is_shown_as_code(text):
    """What could be read as Markdown stands in back quotes, on one line, and can end neither them nor its cell."""
    for said in (shown(text), code(text), summary(text)):
        assert re.fullmatch(r"`[^`|\n\x1b\u202e]+`", said)


@pytest.mark.parametrize("text", ["acme/1001", "out_for_delivery:1Z999AA10123456784", "held by quiet_hours", "DHL", ""])
def test_ordinary_words_stay_as_they_are(text):
    """Ids and touches that hold no markup look, and are recorded in histories, as ever."""
    assert shown(text) == summary(text) == text


@given(st.text())
def test_any_text_is_harmless_or_code(text):
    """Whatever comes: either letters and digits with a little between them, or code on one line."""
    said = shown(text)
    assert not re.search(r"[\n\r\x00-\x1f|]", said)
    if not said.startswith("`"):
        assert said in ("", text)
        assert not re.search(r"[\[\]<>`*\\&@~$|]|://|www\.", said)
