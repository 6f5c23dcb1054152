"""How a language writes money, days and numbers of things, by Unicode's CLDR through Babel; and which one to take.

Everything here is pure, and what is asked for again and again is kept: a shop's prices and a week's days are few.
"""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError, localedata
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal

DEFAULT_LANGUAGE = "en"
_DEEPEST = 4  # subtags of a locale that are looked at
# The nearest skeletons of "weekday, day, month" that CLDR has; English of the world alone has the first.
_DAY_SKELETONS = ("MMMMEEEEd", "MMMMEd", "MMMEd")
_OUTSIDE_QUOTES = r"(?=(?:[^']*'[^']*')*[^']*$)"
_CODE = re.compile(r"(\{\{.*?\}\}|\{%.*?%\})", re.DOTALL)
_FRENCH_BEFORE = re.compile(r" (?=[?!:;»%€])")


def tag(locale: str) -> str:
    """A locale as a lower-case BCP 47 tag: de_AT becomes de-at."""
    return locale.replace("_", "-").lower()


@lru_cache(maxsize=1024)
def chain(locale: str) -> tuple[str, ...]:
    """The tags to look under, nearest first: de-AT is looked for as de-at, de, then English."""
    parts = tag(locale).split("-")
    return (*("-".join(parts[:n]) for n in range(min(len(parts), _DEEPEST), 0, -1)), DEFAULT_LANGUAGE)


@lru_cache(maxsize=1024)
def locale_of(wanted: str, language: str) -> Locale:
    """The customer's region in the language the mail is written in, so that no sentence mixes two languages.

    Args:
        wanted: the customer's locale, BCP 47 or with an underscore; anything may stand there.
        language: the tag the copy is written in, known to Babel.
    """
    spoken = Locale.parse(language, sep="-")
    try:
        region = Locale.parse(wanted.replace("_", "-"), sep="-")
        if region.language == spoken.language:
            return region
        # English in a country that has none of its own is the world's, not America's.
        foreign = spoken.language == "en" and not localedata.exists(f"en_{region.territory}")
        return Locale(spoken.language, "001" if foreign else region.territory)
    except (UnknownLocaleError, ValueError):
        return spoken


@lru_cache(maxsize=16_384)
def money(amount: Decimal, currency: str, locale: Locale) -> str:
    """An amount as the locale writes it; `currency` is ISO 4217."""
    return str(format_currency(amount, currency, locale=locale))


def country(code: str, locale: Locale) -> str:
    """What the locale calls a country; `code` is ISO 3166-1 alpha-2, and stands for itself where nobody has a name."""
    return str(locale.territories.get(code, code))


@lru_cache(maxsize=4096)
def day(value: date, locale: Locale) -> str:
    """Weekday, day and month in full: "Donnerstag, 26. November", "Thursday 26 November", "Thursday, November 26"."""
    return str(format_date(value, _day_pattern(locale), locale=locale))


@lru_cache(maxsize=256)
def _day_pattern(locale: Locale) -> str:
    """CLDR's pattern of the nearest skeleton, its fields widened to full words as UTS 35 (2.6.2.2) has it."""
    skeletons = locale.datetime_skeletons
    pattern = str(next(skeletons[name] for name in _DAY_SKELETONS if name in skeletons))
    return re.sub("L+|M+" + _OUTSIDE_QUOTES, "MMMM", re.sub("E+" + _OUTSIDE_QUOTES, "EEEE", pattern))


def plural_rule(language: str) -> Callable[..., str]:
    """The filter `{{ n|plural(one='# parcel', other='# parcels') }}` of a language.

    The forms are CLDR's categories of the language (zero, one, two, few, many, other); `#` stands for the number, as
    in ICU messages. A category without a form takes `other`, which must be there: TypeError.
    """
    locale = Locale.parse(language, sep="-")

    def plural(number: int, *, other: str, **forms: str) -> str:
        form = forms.get(locale.plural_form(number), other)
        return form.replace("#", str(format_decimal(number, locale=locale)))

    return plural


def spaced(copy: object, language: str) -> object:
    """Copy with the blanks its language wants unbreakable: in French those before ? ! : ; » % € and after «.

    Lists and mappings are walked; expressions stay as they are.
    """
    if language.partition("-")[0] != "fr":
        return copy
    if isinstance(copy, dict):
        return {key: value if key in ("when", "by") else spaced(value, language) for key, value in copy.items()}
    if isinstance(copy, list):
        return [spaced(part, language) for part in copy]
    if not isinstance(copy, str):
        return copy
    parts = _CODE.split(copy)
    words = [_FRENCH_BEFORE.sub("\u00a0", part).replace("« ", "«\u00a0") for part in parts[::2]]
    parts[::2] = words
    return "".join(parts)
