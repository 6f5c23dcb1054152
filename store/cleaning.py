"""What people and shops type, made safe to keep: text without control characters, addresses that can be addresses.

Nothing here decides what an order may be; see `store.intake` for that. Markup is left alone: it is escaped where
it is rendered.
"""

import re
import unicodedata
from functools import lru_cache
from urllib.parse import urlsplit

import phonenumbers
from babel import Locale, UnknownLocaleError
from babel.numbers import list_currencies

_DROPPED = {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}
# Marks that turn the direction of the text around them: in a name they can only be meant to mislead.
_BIDI = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_EMAIL_LENGTH = 254
_LOCAL_LENGTH = 64
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}")
_PHONE_LENGTH = 40
_LOCALE_LENGTH = 35
_URL_LENGTH = 2000
_UNSAFE = set(' "<>\\^`{|}')
_COUNTRY = re.compile(r"[A-Z]{2}")

# ISO 4217 minor units where they are not two. CLDR's table says what is usual in print, not what is legal tender.
_WHOLE = ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV")
_DIGITS = (
    dict.fromkeys((*_WHOLE, "XAF", "XOF", "XPF"), 0)
    | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)
    | dict.fromkeys(("CLF", "UYW"), 4)
)


def plain(text: str, cap: int) -> str:
    """One line of text of at most `cap` characters: control characters and line ends become single blanks."""
    if not text.isprintable():
        text = "".join(
            " " if unicodedata.category(char) in _DROPPED or char in _BIDI else char for char in text[: 4 * cap]
        )
    return " ".join(text.split())[:cap].rstrip()


def email(value: object) -> str | None:
    """The address with its domain in lower-case ASCII (IDNA), or None when it cannot be one.

    Anything that could end a header (control characters, line ends, blanks, lists) is no address, and neither is
    one over 254 characters or with a local part outside ASCII, which most providers refuse.
    """
    if not isinstance(value, str) or len(value) > _EMAIL_LENGTH:
        return None
    local, at, domain = value.strip(" ").rpartition("@")
    if not at or len(local) > _LOCAL_LENGTH or not _LOCAL.fullmatch(local):
        return None
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    address = f"{local}@{domain.lower()}"
    return address if _DOMAIN.fullmatch(domain) and len(address) <= _EMAIL_LENGTH else None


def phone(value: object, country: str | None) -> str | None:
    """The number as E.164, read as one of `country` (ISO 3166 alpha-2) when it has no prefix, else None."""
    if not isinstance(value, str) or len(value) > _PHONE_LENGTH:
        return None
    try:
        number = phonenumbers.parse(value, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def web_address(value: object) -> str | None:
    """An address of the web, `https` or `http` with a host, as it was written; None for whatever is none.

    What could not stand in a header or a page, or hides who is asked (a name before the host), is none.
    """
    if not isinstance(value, str) or not 0 < len(text := value.strip()) <= _URL_LENGTH or not text.isprintable():
        return None
    if any(char in _UNSAFE for char in text):
        return None
    try:
        parts = urlsplit(text)
        usable = parts.scheme.lower() in {"https", "http"} and parts.hostname and (parts.port or 1) > 0
    except ValueError:
        return None
    return text if usable and "@" not in parts.netloc else None


def locale(value: object) -> str | None:
    """The locale as a BCP 47 tag (`de-DE`), its language alone where only that is known, else None."""
    return _locale(value) if isinstance(value, str) and len(value) <= _LOCALE_LENGTH and value.isascii() else None


@lru_cache(maxsize=512)
def _locale(value: str) -> str | None:
    tag = value.strip().replace("_", "-")
    for candidate in (tag, tag.partition("-")[0]):
        try:
            return str(Locale.parse(candidate, sep="-")).replace("_", "-")
        except (ValueError, UnknownLocaleError, TypeError):
            continue
    return None


def country(value: object) -> str | None:
    """An ISO 3166 alpha-2 code in upper case, or None when it is not two letters."""
    code = value.strip().upper() if isinstance(value, str) else ""
    return code if _COUNTRY.fullmatch(code) else None


@lru_cache(maxsize=1)
def _currencies() -> frozenset[str]:
    return frozenset(list_currencies())


def is_currency(code: str) -> bool:
    """Whether ISO 4217 knows this code."""
    return code in _currencies()


def minor_units(code: str) -> int:
    """How many decimals amounts of this currency have."""
    return _DIGITS.get(code, 2)
