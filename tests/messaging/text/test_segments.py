"""How many SMS a text is, by the standard's own limits."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from activities.messaging.text.segments import Encoding, Segments, count, fits, plain

GSM, UCS2 = Encoding.GSM, Encoding.UCS2
# The alphabet by code, row by row, as TS 23.038 prints it; 0x1B is the way into the extension.
ALPHABET = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
gsm_texts = st.text(st.sampled_from(ALPHABET.replace("\x1b", "") + "".join(EXTENSION.values())), max_size=700)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
typography = st.text(st.sampled_from("aé “”‘’—–…«»\u00a0\u202f\u200b€ê🙂\u0301"), max_size=300)  # noqa: RUF001


def on_air(body: str, encoding: Encoding) -> list[bytes]:
    """Each character as it is sent: septets as a byte each, code units as two."""
    if encoding is UCS2:
        return [one.encode("utf-16-be") for one in body]
    codes = {one: bytes([at]) for at, one in enumerate(ALPHABET)}
    codes |= {one: bytes([0x1B, at]) for at, one in EXTENSION.items()}
    return [codes[one] for one in body]


def torn(characters: list[bytes], room: int) -> int:
    """How many messages of `room` bytes these need, none torn: filled one by one."""
    messages = [b""]
    for one in characters:
        if len(messages[-1] + one) > room:
            messages.append(b"")
        messages[-1] += one
    return len(messages)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", Segments(GSM, 0, 1, 160)),
        ("a" * 160, Segments(GSM, 160, 1, 0)),
        ("a" * 161, Segments(GSM, 161, 2, 145)),
        ("a" * 306, Segments(GSM, 306, 2, 0)),
        ("a" * 307, Segments(GSM, 307, 3, 152)),
        ("€" * 80, Segments(GSM, 160, 1, 0)),
        ("€" * 81, Segments(GSM, 162, 2, 143)),
        # The 153rd septet stays empty: the escape and its character travel together.
        ("a" * 152 + "€" + "a" * 152, Segments(GSM, 306, 3, 152)),
        ("ê" * 70, Segments(UCS2, 70, 1, 0)),
        ("ê" * 71, Segments(UCS2, 71, 2, 63)),
        ("🙂" * 35, Segments(UCS2, 70, 1, 0)),
        ("🙂" * 36, Segments(UCS2, 72, 2, 61)),
        ("🙂" * 67, Segments(UCS2, 134, 3, 65)),
        ("ç", Segments(UCS2, 1, 1, 69)),
        ("Ç", Segments(GSM, 1, 1, 159)),
        ("\x1b", Segments(UCS2, 1, 1, 69)),
        ("`", Segments(UCS2, 1, 1, 69)),
    ],
)
def test_a_text_is_counted_by_the_standard(body, expected) -> None:
    """160 or 70 alone, 153 or 67 joined, and nothing torn between two messages."""
    assert count(body) == expected


def test_the_alphabet_is_the_standards() -> None:
    """Each of the 137 characters is GSM, in one septet or two, and no other one of the BMP is."""
    gsm = {chr(code) for code in range(0xD800) if count(chr(code)).encoding is GSM}
    assert gsm == set(ALPHABET) - {"\x1b"} | set(EXTENSION.values())
    assert {one for one in gsm if count(one).units == 2} == set(EXTENSION.values())


@given(gsm_texts)
def test_gsm_septets_are_packed_without_tearing(body) -> None:
    """Filling message after message by hand comes to the same number."""
    result, sent = count(body), on_air(body, GSM)
    assert result.encoding is GSM
    assert result.units == len(b"".join(sent))
    assert result.segments == (1 if result.units <= 160 else torn(sent, 153))


@given(texts)
@example("🙂" * 200)
def test_any_text_can_be_counted(body) -> None:
    """Every text has one alphabet, as many units as it has on the air, and fits into what it was said to be."""
    result = count(body)
    sent = on_air(body, result.encoding)
    size, alone, joined = (1, 160, 153) if result.encoding is GSM else (2, 140, 134)
    assert result.units * size == len(b"".join(sent))
    assert result.segments == (1 if len(b"".join(sent)) <= alone else torn(sent, joined))
    assert 0 <= result.left * size <= alone
    assert fits(body, result.segments)
    assert not fits(body, result.segments - 1)


@given(gsm_texts)
def test_what_is_left_still_fits(body) -> None:
    """As many more letters as are left cost nothing, and one more costs a message."""
    result = count(body)
    assert fits(body + "a" * result.left, result.segments)
    assert not fits(body + "a" * (result.left + 1), result.segments)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("“Hi” – it’s Ada’s…", "\"Hi\" - it's Ada's..."),  # noqa: RUF001
        ("„Größe“ 10\u00a0€", '"Größe" 10 €'),
        ("1\u202f000 m\u00ads\u200bg", "1 000 msg"),
        ("Cafe\u0301", "Café"),
        ("“Prêt” – voilà", "“Prêt” – voilà"),  # noqa: RUF001  ê needs UCS-2 all the same
        ("“Hi” 🙂", "“Hi” 🙂"),
        ("Привет — мир", "Привет — мир"),
        ("…" * 70, "…" * 70),  # 210 septets would be two messages
    ],
)
def test_typography_goes_where_that_saves_the_alphabet(body, expected) -> None:
    """Quotes, dashes, ellipses and blanks become plain ones, letters stay, and nothing is lost for nothing."""
    assert plain(body) == expected


@given(st.one_of(texts, typography))
@example("Ada\u02bcs")
def test_plain_never_costs_more_and_keeps_every_letter(body) -> None:
    """Never more messages than before, every letter and digit in place, and done once is done."""
    simple, joined = plain(body), unicodedata.normalize("NFC", body)
    assert count(simple).segments <= count(joined).segments
    assert _letters(simple) == _letters(joined)
    assert plain(simple) == simple


def _letters(text: str) -> list[str]:
    """Letters and digits. Unicode counts the modifier letter apostrophe among them, which is written `'` in a text."""
    return [one for one in text if one.isalnum() and one != "\u02bc"]
