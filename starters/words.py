"""What the customers' pages say, and in which language."""

from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Any, Final

import yaml
from fastapi import Request

LANGUAGES: Final = {"en": "English", "de": "Deutsch", "fr": "Français", "es": "Español"}
"""The languages of these pages, each in its own name; `pages/words` has a file for each."""
_MOST_ASKED = 20


@lru_cache(maxsize=len(LANGUAGES))
def words_of(language: str) -> Mapping[str, Any]:
    """The texts of these pages in one of `LANGUAGES`."""
    file = resources.files("starters").joinpath("pages", "words", f"{language}.yaml")
    texts: Mapping[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    return texts


def language_of(locale: str) -> str:
    """The language of a BCP 47 tag, or English where these pages do not speak it."""
    language = locale.partition("-")[0].lower()
    return language if language in LANGUAGES else "en"


def asked_for(request: Request) -> str:
    """The language a browser would like best of ours (RFC 9110 12.5.4), for pages that are nobody's; else English."""
    best, found = 0.0, "en"
    for part in request.headers.get("accept-language", "").split(",")[:_MOST_ASKED]:
        tag, _, weight = part.partition(";")
        language = tag.strip().partition("-")[0].lower()
        if language in LANGUAGES and (liking := _weight(weight)) > best:
            best, found = liking, language
    return found


def _weight(parameter: str) -> float:
    value = parameter.strip().removeprefix("q=")
    if not value:
        return 1.0
    return float(value) if value.replace(".", "", 1).isdecimal() and value.isascii() else 0.0
