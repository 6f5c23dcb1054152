"""Tracking numbers as people write them: with blanks, in lower case, two in one field, with words before or for none.

A number is matched in its normal form and shown as it was written. The keys of parcels are made here, too.
"""

import re
import unicodedata
from collections.abc import Iterator
from hashlib import sha256
from typing import Final, NamedTuple

from journey.base import TrackingNumber


class Number(NamedTuple):
    """A tracking number: `normal` in upper case without blanks and signs, `written` as somebody wrote it."""

    normal: str
    written: str


_LONGEST: Final = 100
_URL: Final = re.compile(r"\S+://\S*|\bwww\.\S+", re.IGNORECASE)
_APART: Final = re.compile(r"[,;/|&+\r\n\t\v\f\u2028\u2029]|\s(?:and|und|et|y|e)\s", re.IGNORECASE)
_ASIDE: Final = re.compile(r"\([^)]*\)|\[[^\]]*\]")
_FIRST_WORD: Final = re.compile(r"[\W_]*([^\W\d_]+)(?=[\W_]+[^\W_])")
_LAST_WORD: Final = re.compile(r"(?<=[^\W_])[\W_]+([^\W\d_]+)[\W_]*$")
_SIGNS: Final = re.compile(r"[\W_]+")
_POSTAL: Final = re.compile(r"[A-Z]{2}[0-9]{9}[A-Z]{2}")
"""A number of the Universal Postal Union's standard S10: its letters are its own, whatever they spell."""
_ALONE: Final = 10
"""From so many characters on two numbers with nothing but a blank between them are two."""
_REST: Final = 4
"""What is left of a number without its word is at least so long: else the word was a part of it."""
_SHORTEST_AFTER: Final = 3
"""A word behind a number is at least so long: `DHL`, but not the `DE` of a postal number."""
_UNKNOWN_WORD: Final = 5
"""A word nobody knows is one from so many letters on: the letters that numbers begin with are fewer (`RR`, `JVGL`)."""
_KNOWN: Final = """
DHL UPS DPD GLS TNT EMS FEDEX USPS EVRI POST ROYAL MAIL SEUR MRW CTT BRT SDA NACEX GEL LSO YODEL
NO NR NUM NÚM TRACK TRACE TRK AWB HAWB MAWB REF ID CODE COD CÓD CN GUIA GUÍA ENVIO ENVÍO COLIS SUIVI PAKET LOT PKG
YOUR MY IHR IHRE DEIN VOTRE VOS TU SU SUS THE MIT PER VIA BY WITH POR CON PAR AVEC IS IST EST ES DER DIE DAS HERE HIER
"""
"""Carriers, and what stands before a number in the four languages; longer words are known by their length."""
_WORDS: Final = frozenset(_KNOWN.split())
_SMALL: Final = frozenset({"DE", "DU", "D", "DEL", "LA", "LE", "L", "EL", "OF", "FOR", "N", "A", "IT"})
"""They are a word's, but only behind another one: `numéro de suivi`. Alone they begin numbers, such as `LA123…`."""
FULFILMENT: Final = "fulfilment:"
_PICKUP: Final = "pickup:"
_KEY_LENGTH: Final = 200


def tracking_numbers(text: str | None) -> tuple[Number, ...]:
    """The numbers in a field, each once, in its order; none in words such as `N/A`, in `0` and in an address.

    What has no digit is no number, and neither is one character over and over.
    """
    found: dict[str, Number] = {}
    for piece in _pieces(text or ""):
        written = _without_words(piece)
        normal = _plain(written)
        if len(normal) <= _LONGEST and any(sign.isdecimal() for sign in normal) and len(set(normal)) > 1:
            found.setdefault(normal, Number(normal, written))
    return tuple(found.values())


def normalised(text: str | None) -> str | None:
    """The one number in a field, in its normal form; None where there is none, or more than one."""
    found = tracking_numbers(text)
    return found[0].normal if len(found) == 1 else None


def fulfilment_key(fulfilment: str) -> TrackingNumber:
    """The key of the parcel of a fulfilment that was sent without a number."""
    key = f"{FULFILMENT}{fulfilment}"
    if len(key) > _KEY_LENGTH:
        key = f"{FULFILMENT}{sha256(key.encode()).hexdigest()}"
    return TrackingNumber(key)


def made_up(key: str) -> bool:
    """Whether a parcel's key is ours and no carrier's number: nobody is shown it."""
    return key.startswith((FULFILMENT, _PICKUP))


def _pieces(text: str) -> Iterator[str]:
    for part in _APART.split(_URL.sub(" ", unicodedata.normalize("NFKC", text))):
        piece = _ASIDE.sub(" ", part).strip()
        words = _without_words(piece).split()
        if len(words) > 1 and all(_stands_alone(word) for word in words):
            yield from words
        else:
            yield piece


def _stands_alone(word: str) -> bool:
    plain = _plain(word)
    return len(plain) >= _ALONE and any(sign.isdecimal() for sign in plain)


def _without_words(piece: str) -> str:
    """The piece without the words around its number; the number's own letters stay."""
    text, dropped = piece, False
    label, colon, rest = text.rpartition(":")
    if colon and not any(sign.isdecimal() for sign in label) and _is_rest(rest):
        text, dropped = rest, True
    while (found := _FIRST_WORD.match(text)) and not _POSTAL.fullmatch(_plain(text)):
        rest = text[found.end() :]
        if not _is_word(found[1], dropped or rest.startswith("°")) or not _is_rest(rest):
            break
        text, dropped = rest, True
    while (found := _LAST_WORD.search(text)) and not _POSTAL.fullmatch(_plain(text)):
        rest = text[: found.start()]
        if len(found[1]) < _SHORTEST_AFTER or not _is_word(found[1], False) or not _is_rest(rest):
            break
        text = rest
    return text.strip(" \u00a0#:.-_°")


def _is_word(letters: str, dropped: bool) -> bool:
    upper = letters.upper()
    return len(upper) >= _UNKNOWN_WORD or upper in _WORDS or (dropped and upper in _SMALL)


def _is_rest(text: str) -> bool:
    plain = _plain(text)
    return len(plain) >= _REST and any(sign.isdecimal() for sign in plain)


def _plain(text: str) -> str:
    return _SIGNS.sub("", unicodedata.normalize("NFKC", text.upper()))
