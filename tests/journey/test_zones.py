"""Time zones are an input of every journey: out of one database, and as of one release for a whole run."""

import zoneinfo
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import pytest
import tzdata

from journey.hours import local_day
from journey.order import OrderFacts
from journey.state import JourneyState, renewed
from journey.zones import FIRST, INSTALLED, RELEASE, Database, is_zone, possible_zones, zone_named
from tests.journey.makers import order
from tests.support.zones import NEXT, installed, moved_by_an_hour

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOURS_OF = Path(str(resources.files("tzdata"))) / "zoneinfo"


def wrong(folder: Path) -> Path:
    """A system's database in which Berlin is Tokyo."""
    (folder / "Europe").mkdir(parents=True)
    (folder / "Europe" / "Berlin").write_bytes((HOURS_OF / "Asia" / "Tokyo").read_bytes())
    return folder


def test_the_systems_database_is_not_read(tmp_path):
    """What a machine has of its own changes no journey, and neither does its lack of any."""
    for paths in ([wrong(tmp_path / "system")], []):
        zoneinfo.reset_tzpath(to=paths)
        zoneinfo.ZoneInfo.clear_cache()
        zone_named.cache_clear()
        try:
            assert local_day(NOON, "Europe/Berlin").start == datetime(2026, 11, 21, 23, tzinfo=UTC)
        finally:
            zoneinfo.reset_tzpath()
            zoneinfo.ZoneInfo.clear_cache()


def test_every_zone_of_the_database_is_there():
    """The names that customers have are those of the pinned package, none more and none less."""
    names = (Path(str(resources.files("tzdata"))) / "zones").read_text().split()
    assert [name for name in names if not is_zone(name)] == []
    odd = (
        "",
        None,
        "Mars/Olympus",
        "America",
        "zone.tab",
        "leapseconds",
        "../zones",
        "a/../UTC",
        "UTC@2026f",
        "/",
    )
    assert [name for name in odd if is_zone(name)] == []


def test_a_run_counts_by_the_release_it_began_with(tmp_path):
    """A zone that a later release moved stays where it was for older runs, and is moved for new ones."""
    with installed(moved_by_an_hour(tmp_path, keep=True)):
        before = possible_zones("Etc/GMT-3", None, RELEASE)
        after = possible_zones("Etc/GMT-3", None, NEXT)
        hours = [zone_named(*names).utcoffset(NOON).total_seconds() / 3600 for names in (before, after)]
        assert hours == [3, 2]
        assert possible_zones("Europe/Paris", None, RELEASE) == ("Europe/Paris",)
        # The release that superseded a zone first has it as every older release had it, too.
        assert possible_zones("Etc/GMT-3", None, "2025a") == before


def test_a_countrys_zones_are_as_of_a_release_too(tmp_path):
    """Where only the country is known, its list of zones is kept with the release."""
    kept = tmp_path / "superseded" / "2026f"
    kept.mkdir(parents=True)
    (kept / "zone.tab").write_text("DE\t+5230+01322\tEurope/Busingen\n")
    database = Database(NEXT, INSTALLED.files, tmp_path / "superseded")
    assert database.by_country("2026f")["DE"] == ("Europe/Busingen",)
    assert "Europe/Berlin" in database.by_country(NEXT)["DE"]


def test_the_run_that_continues_counts_by_the_newest_release():
    """A journey that began long ago is not kept for ever from what was learnt of its customer's clock."""
    facts = OrderFacts(**(dict(order()) | {"zone_rules": "2020a"}))
    state = renewed(JourneyState(order=facts, playbook="digest"))
    assert state.order == facts.but(zone_rules=RELEASE)
    assert renewed(state) is state


@pytest.mark.parametrize("rules", [None, RELEASE])
def test_runs_of_before_count_by_the_first_release(rules):
    """An order's facts of before the release was written down have that of the day on which it first was."""
    given = {} if rules is None else {"zone_rules": rules}
    facts = OrderFacts(**(order().model_dump(exclude={"zone_rules"}) | given))
    assert facts.zone_rules == (rules or FIRST)


def test_the_database_is_updated_by_its_command():
    """Updated in any other way, the zones that changed would not be kept for the runs that are open."""
    updated = (Path(str(resources.files("journey"))) / "superseded" / "INSTALLED").read_text().strip()
    assert updated == tzdata.IANA_VERSION, "tzdata was updated by hand: undo that, and run `.ci/tzdata VERSION`"
