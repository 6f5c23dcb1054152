"""How many SMS a text is, known before it is sent: GSM 7-bit where every character allows it, else UCS-2.

3GPP TS 23.038 has the alphabets, 3GPP TS 23.040 (9.2.3.24.1) the header that joins several messages into one. The
packages that count were last kept years ago or know only the codec, so the table is here: 138 characters that have
not changed since 1999.
"""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum

# TS 23.038, 6.2.1. 0x1B, which leads into the extension, is left out.
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# TS 23.038, 6.2.1.1: two septets each.
_EXTENSION = frozenset("\f^{}\\[~]|€")
# 140 octets: 160 septets or 70 code units; the header that joins messages takes six of them.
_BEYOND_BMP = 0x10000


class Encoding(StrEnum):
    """The alphabet a text needs."""

    GSM = "gsm"
    UCS2 = "ucs2"


_ALONE = {Encoding.GSM: 160, Encoding.UCS2: 70}
_JOINED = {Encoding.GSM: 153, Encoding.UCS2: 67}


@dataclass(frozen=True, slots=True)
class Segments:
    """What a text comes to.

    `units` are septets (GSM) or 16-bit code units (UCS-2) in all, `segments` the messages that are paid for, `left`
    the units that still fit into the last one. An empty text is one message.
    """

    encoding: Encoding
    units: int
    segments: int
    left: int


def count(body: str) -> Segments:
    """How many SMS `body` is. A character of two units is never torn apart between two of them."""
    encoding = _encoding(body)
    sizes = [_size(character, encoding) for character in body]
    units = sum(sizes)
    if units <= _ALONE[encoding]:
        return Segments(encoding, units, 1, _ALONE[encoding] - units)
    room = _JOINED[encoding]
    segments, left = 1, room
    for size in sizes:
        if size > left:
            segments, left = segments + 1, room
        left -= size
    return Segments(encoding, units, segments, left)


def fits(body: str, most: int) -> bool:
    """Whether `body` goes into `most` messages."""
    return count(body).segments <= most


def _encoding(body: str) -> Encoding:
    return Encoding.GSM if all(one in _BASIC or one in _EXTENSION for one in body) else Encoding.UCS2


def _size(character: str, encoding: Encoding) -> int:
    if encoding is Encoding.GSM:
        return 2 if character in _EXTENSION else 1
    return 2 if ord(character) >= _BEYOND_BMP else 1


_PLAIN = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′´`ʼ", "'"),  # noqa: RUF001  these are the look-alikes that are replaced
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‹›", "'"),  # noqa: RUF001
        **dict.fromkeys("‐‑‒–—―−•", "-"),  # noqa: RUF001
        **dict.fromkeys("\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a", " "),
        **dict.fromkeys("\u202f\u205f\u3000", " "),
        **dict.fromkeys("\u00ad\u200b\u2060\ufeff", ""),
        **dict.fromkeys("\u2028\u2029", "\n"),
        "…": "...",
        "⁄": "/",  # noqa: RUF001
    }
)


def plain(body: str) -> str:
    """`body` with GSM characters for typographic quotes, dashes, ellipses and blanks, where that saves the alphabet.

    A text that needs UCS-2 all the same (an emoji, `ê`) keeps its typography, and so does one that would become more
    messages; letters are never touched. Accents that stand apart from their letter are joined with it.
    """
    joined = unicodedata.normalize("NFC", body)
    simple = joined.translate(_PLAIN)
    saves = _encoding(simple) is Encoding.GSM and count(simple).segments <= count(joined).segments
    return simple if saves else joined
