"""Money, days and plurals in each language's own way, and which language a customer gets."""

from datetime import date
from decimal import Decimal

import pytest

from activities.messaging.language import chain, day, locale_of, money, plural_rule, spaced


@pytest.mark.parametrize(
    ("locale", "language", "expected"),
    [
        ("en-GB", "en", "Thursday 26 November"),
        ("en-US", "en", "Thursday, November 26"),
        ("de-AT", "de", "Donnerstag, 26. November"),
        ("fr-FR", "fr", "jeudi 26 novembre"),
        ("es-ES", "es", "jueves, 26 de noviembre"),
        ("it-IT", "en", "Thursday, 26 November"),
        ("ja-JP", "en", "Thursday, 26 November"),
        ("'); drop", "de", "Donnerstag, 26. November"),
        ("", "en", "Thursday, November 26"),
    ],
)
def test_a_day_is_written_as_its_language_does(locale: str, language: str, expected: str) -> None:
    """Order, commas and small words are CLDR's; the language is the mail's, the region the customer's."""
    assert expected == day(date(2026, 11, 26), locale_of(locale, language))


@pytest.mark.parametrize(
    ("locale", "language", "expected"),
    [
        ("en-IE", "en", "€1,152.90"),
        ("de-DE", "de", "1.152,90\u00a0€"),
        ("fr-FR", "fr", "1\u202f152,90\u00a0€"),
        ("de-CH", "de", "EUR\u00a01\u2019152.90"),
    ],
)
def test_money_is_written_as_its_region_does(locale: str, language: str, expected: str) -> None:
    """Separators, the sign's place and unbreakable blanks are the region's."""
    assert expected == money(Decimal("1152.90"), "EUR", locale_of(locale, language))


@pytest.mark.parametrize(
    ("language", "numbers", "expected"),
    [
        ("en", (0, 1, 2, 1200), ["0 parcels", "1 parcel", "2 parcels", "1,200 parcels"]),
        ("de", (1, 1200), ["1 parcel", "1.200 parcels"]),
        ("fr", (0, 1, 2), ["0 parcel", "1 parcel", "2 parcels"]),
        ("pl", (1, 3, 5, 22), ["1 parcel", "3 few", "5 parcels", "22 few"]),
    ],
)
def test_a_number_takes_its_languages_form(language: str, numbers: tuple[int, ...], expected: list[str]) -> None:
    """French zero is singular, Polish has a form for a few, and a category without a form takes `other`."""
    plural = plural_rule(language)
    assert expected == [plural(number, one="# parcel", few="# few", other="# parcels") for number in numbers]


def test_a_locale_falls_back_step_by_step() -> None:
    """Region, language, English; any spelling of a locale is understood."""
    assert chain("de_AT") == ("de-at", "de", "en")
    assert chain("zh-Hant-TW") == ("zh-hant-tw", "zh-hant", "zh", "en")


def test_french_blanks_do_not_break() -> None:
    """No line of French begins with a question mark; expressions and other languages are left alone."""
    copy = {"when": "a ? b", "text": ["Alors ? « Oui » : {{ x if y else ' ?' }} 10 %"]}
    assert spaced(copy, "fr-ca") == {
        "when": "a ? b",
        "text": ["Alors\u00a0? «\u00a0Oui\u00a0»\u00a0: {{ x if y else ' ?' }} 10\u00a0%"],
    }
    assert spaced(copy, "de") == copy
