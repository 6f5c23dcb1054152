"""Another time-zone database than the installed one, for the time of a test.

Elsewhere in this suite parts are injected and never patched. Which database there is, is the one thing that the rules
must not be asked for at every turn, so it is replaced for the process.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from journey import deadlines, zones

NEXT = "2026z"
"""A release behind the installed one."""


# The sign of these names is turned round: Etc/GMT-2 is two hours ahead of UTC.
WEST = {f"Etc/GMT{-hours:+d}": f"Etc/GMT{1 - hours:+d}" for hours in range(-11, 15) if hours not in {0, 1}}
WEST |= {"Etc/GMT-1": "UTC", "UTC": "Etc/GMT+1", "Europe/Berlin": "Europe/London"}
"""The zones of recorded customers, each with one that is an hour further west."""


def moved_by_an_hour(folder: Path, *, keep: bool) -> zones.Database:
    """A next release that moves the zones in `WEST` by an hour; with `keep` the old ones stay beside it."""
    before, files, superseded = Path(str(zones.INSTALLED.files)), folder / "zoneinfo", folder / "superseded"
    shutil.copytree(before, files, ignore=shutil.ignore_patterns("*.py*"))
    superseded.mkdir()
    for name, west in WEST.items():
        shutil.copyfile(before / west, files / name)
        if keep:
            (superseded / zones.RELEASE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(before / name, superseded / zones.RELEASE / name)
    return zones.Database(NEXT, files, superseded)


@contextmanager
def installed(database: zones.Database) -> Iterator[None]:
    """That database in the place of the installed one."""
    before = zones.INSTALLED
    try:
        zones.INSTALLED = database  # type: ignore[misc]
        _forget()
        yield
    finally:
        zones.INSTALLED = before  # type: ignore[misc]
        _forget()


def _forget() -> None:
    for cache in (zones.zone_named, zones.zones_by_country, deadlines._end_of):
        cache.cache_clear()
