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


def moved_by_an_hour(folder: Path, *, keep: bool) -> zones.Database:
    """A next release that moves every `Etc/GMT…` zone an hour to the west; with `keep` the old ones stay beside it."""
    files, superseded = folder / "zoneinfo", folder / "superseded"
    shutil.copytree(Path(str(zones.INSTALLED.files)), files, ignore=shutil.ignore_patterns("*.py*"))
    superseded.mkdir()
    if keep:
        shutil.copytree(files / "Etc", superseded / zones.RELEASE / "Etc")
    # The sign of these names is turned round: Etc/GMT-2 is two hours ahead of UTC.
    for hours in range(-11, 15):
        shutil.copyfile(_etc(Path(str(zones.INSTALLED.files)), hours - 1), _etc(files, hours))
    return zones.Database(NEXT, files, superseded)


def _etc(files: Path, hours: int) -> Path:
    return files / "Etc" / (f"GMT{-hours:+d}" if hours else "UTC")


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
