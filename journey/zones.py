"""The time zones, out of the database that comes with this version and out of no other.

A zone decides when a message goes, so it is an input of a journey like its playbook. `zoneinfo` would ask the system's
database first, and that one changes under a running journey: it is never read. `tzdata` is pinned to one release, and
the zones that a newer release changed are kept as they were, in `journey/superseded/RELEASE`: a run of a journey counts
by the release that it began with (`OrderFacts.zone_rules`), and the run that continues it by the newest one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import tzdata

FIRST: Final = "2026f"
"""The release that runs count by which began before it was written down."""
_AT: Final = "@"
_COUNTRIES: Final = "zone.tab"
_SIGNS: Final = str.maketrans("", "", "+-_")


@dataclass(frozen=True)
class Database:
    """A release of the tz database, with what it changed of the releases before it.

    Attributes:
        release: its name, such as `2026f`; a later one sorts behind it.
        files: its zones, as compiled files (RFC 9636) by name.
        superseded: a folder for each release that a later one changed, with the files as they were.
    """

    release: str
    files: Traversable
    superseded: Traversable

    def zone(self, name: str) -> ZoneInfo:
        """The zone of an IANA name, or of a name as `as_of` gives it.

        Raises:
            ZoneInfoNotFoundError: there is none.
        """
        key, _, release = name.partition(_AT)
        file = (self.superseded / release if release else self.files).joinpath(*key.split("/"))
        if not self._named(key) or not file.is_file():
            raise ZoneInfoNotFoundError(f"no time zone {name!r}")
        with file.open("rb") as data:
            return ZoneInfo.from_file(data, key=name)

    def as_of(self, name: str, release: str) -> str:
        """The name under which `zone` finds it as it was in that release."""
        for kept, files in self._kept.items():
            if release <= kept and name in files:
                return f"{name}{_AT}{kept}"
        return name

    def by_country(self, release: str) -> dict[str, tuple[str, ...]]:
        """The IANA zones of each country (ISO 3166 alpha-2) as of that release, from the database's own table."""
        kept = self.as_of(_COUNTRIES, release).partition(_AT)[2]
        table = (self.superseded / kept if kept else self.files) / _COUNTRIES
        found: dict[str, list[str]] = {}
        for row in table.read_text(encoding="utf-8").splitlines():
            if row and not row.startswith("#"):
                country, _, zone = row.split("\t")[:3]
                found.setdefault(country, []).append(zone)
        return {country: tuple(zones) for country, zones in found.items()}

    @cached_property
    def _kept(self) -> Mapping[str, frozenset[str]]:
        """The names that each superseded release has files of, the oldest release first."""
        if not self.superseded.is_dir():
            return {}
        folders = sorted((one for one in self.superseded.iterdir() if one.is_dir()), key=lambda one: one.name)
        return {folder.name: frozenset(_names(folder)) for folder in folders}

    @staticmethod
    def _named(key: str) -> bool:
        """Whether this may be a zone's name and not a way out of the folder."""
        return all(
            part and part.replace("-", "").replace("_", "").replace("+", "").isalnum() for part in key.split("/")
        )


def _names(folder: Traversable, before: str = "") -> list[str]:
    found = []
    for one in folder.iterdir():
        found += _names(one, f"{before}{one.name}/") if one.is_dir() else [f"{before}{one.name}"]
    return found


INSTALLED: Final = Database(
    tzdata.IANA_VERSION, resources.files("tzdata") / "zoneinfo", resources.files("journey") / "superseded"
)
"""The database of this version."""
RELEASE: Final = INSTALLED.release


@lru_cache(maxsize=1024)
def zone_named(name: str) -> ZoneInfo:
    """The zone, kept: a wide country has thirty, and every step of every journey asks for one.

    Raises:
        ZoneInfoNotFoundError: there is none of that name.
    """
    return INSTALLED.zone(name)


def is_zone(name: str | None) -> bool:
    """Whether this is an IANA zone that exists."""
    if not name or _AT in name:
        return False
    try:
        zone_named(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


@lru_cache(maxsize=16)
def zones_by_country(release: str = RELEASE) -> dict[str, tuple[str, ...]]:
    """The IANA zones of each country (ISO 3166 alpha-2) as of a release."""
    return INSTALLED.by_country(release)


def possible_zones(zone: str | None, country: str | None, release: str = RELEASE) -> tuple[str, ...]:
    """Where the person's clock may be: their zone when it is known, else all of their country's, else UTC.

    The names are for `zone_named`, which reads them as of that release.
    """
    if zone is not None and is_zone(zone):
        return (INSTALLED.as_of(zone, release),)
    found = zones_by_country(release).get((country or "").upper(), ("UTC",))
    return tuple([INSTALLED.as_of(name, release) for name in found])
