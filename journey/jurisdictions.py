"""When the law, a network or good practice lets a marketing message ring a phone: dated data, each row with its source.

Not legal advice. A rule is a row: when one changes, the old row gets its `until` and a new one follows, so that a
journey of last year can still be explained. What has no source is not in here.

**Which channels.** Rows of the United States go for SMS and WhatsApp alike: a text is a "call" (FCC 03-153, 68 FR
44144), Connecticut names over-the-top messages (Conn. Gen. Stat. 42-284), and both ring the same number. The French
row goes for SMS, which is what the networks' charter is about. Notifications call no number, mail rings nowhere and
an inbox row waits to be looked at: for those the playbook's own quiet hours are what there is.

**Which messages.** Marketing only: each of these rules is about solicitation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from journey.calendars import french, rhode_island
from journey.contact_rules import Channel

_MIDNIGHT: Final = time()


class Window(NamedTuple):
    """Hours of one local calendar day: from `start` on, before `end`; an `end` of 00:00 is the day's own end."""

    start: time
    end: time

    def holds(self, clock: time) -> bool:
        """Whether a wall clock that shows this is inside."""
        return self.start <= clock and (self.end == _MIDNIGHT or clock < self.end)


WHOLE_DAY: Final = (Window(_MIDNIGHT, _MIDNIGHT),)


class Kind(StrEnum):
    """What stands behind a row."""

    LAW = "law"
    NETWORK = "network"
    """The networks hold it back or bounce it."""
    PRACTICE = "practice"
    """No law; the trade's own advice."""


Week = tuple[tuple[Window, ...], ...]
"""The windows of each weekday, Monday first."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: in `country` (ISO 3166-1 alpha-2) or its `region` (ISO 3166-2 without the country; None: all of it).

    It goes from `since` on and before `until`. `closed` answers a year's days on which nothing may go at all.
    """

    country: str
    region: str | None
    channels: frozenset[Channel]
    since: date
    week: Week
    source: str
    kind: Kind = Kind.LAW
    until: date | None = None
    closed: Callable[[int], frozenset[date]] | None = field(default=None, compare=False)

    def windows(self, on: date) -> tuple[Window, ...]:
        """The hours of this local date, the rule being in force."""
        if self.closed is not None and on in self.closed(on.year):
            return ()
        return self.week[on.weekday()]

    def applies(self, channel: Channel, country: str | None, region: str | None, on: date) -> bool:
        """Whether it may concern such a recipient on this date; None is a country or region that nobody knows."""
        return (
            channel in self.channels
            and country in {None, self.country}
            and (self.region is None or region in {None, self.region})
            and self.since <= on
            and (self.until is None or on < self.until)
        )


def _hours(start: int, end: int) -> tuple[Window, ...]:
    return (Window(time(start), time(end % 24)),)


def _week(weekdays: tuple[Window, ...], saturday: tuple[Window, ...], sunday: tuple[Window, ...]) -> Week:
    return (weekdays,) * 5 + (saturday, sunday)


def _daily(start: int, end: int) -> Week:
    return (_hours(start, end),) * 7


_TEXTS: Final = frozenset({Channel.SMS, Channel.WHATSAPP})
_SMS: Final = frozenset({Channel.SMS})

RULES: Final[tuple[Rule, ...]] = (
    # The states and the territories, which have ISO codes of their own.
    *(
        Rule(
            country,
            None,
            _TEXTS,
            date(2003, 8, 25),
            _daily(8, 21),
            "47 CFR 64.1200(c)(1): 8 a.m. to 9 p.m. at the called party's location",
        )
        for country in ("US", "AS", "GU", "MP", "PR", "VI")
    ),
    Rule("US", "FL", _TEXTS, date(2021, 7, 1), _daily(8, 20), "Fla. Stat. 501.616(6)(a), SB 1120 of 2021"),
    Rule("US", "OK", _TEXTS, date(2022, 11, 1), _daily(8, 20), "15 O.S. 775C, HB 3168 of 2022"),
    Rule("US", "MD", _TEXTS, date(2024, 1, 1), _daily(8, 20), "Stop the Spam Calls Act of 2023, SB 90"),
    Rule(
        "US",
        "MS",
        _TEXTS,
        date(2024, 6, 3),
        _week(_hours(8, 20), _hours(8, 20), ()),
        "Miss. Code 77-3-723(1): none on a Sunday; texts: 77-3-705(d). https://www.dnc.com/blog/no-more-holidays-"
        "mississippi-marketers-magnolia-state-lifts-prohibition-telemarketing-legal",
    ),
    Rule("US", "CT", _TEXTS, date(2023, 10, 1), _daily(9, 20), "Conn. Gen. Stat. 42-288a, Public Act 23-98"),
    Rule(
        "US",
        "TX",
        _TEXTS,
        date(2025, 9, 1),
        _week(_hours(9, 21), _hours(9, 21), _hours(12, 21)),
        "Tex. Bus. & Com. Code 301.051; texts: SB 140 of 2025",
    ),
    Rule(
        "US",
        "RI",
        _TEXTS,
        date(2000, 1, 1),
        # Often told as "weekends 10 to 5"; the statute names Saturday, and no Sunday or holiday.
        _week(_hours(9, 18), _hours(10, 17), ()),
        "R.I. Gen. Laws 5-61-3.6 with 5-61-2(2)",
        closed=rhode_island,
    ),
    Rule(
        "FR",
        None,
        _SMS,
        date(2024, 9, 1),
        _week(_hours(8, 22), _hours(8, 22), ()),
        "af2m, charte Business Messaging: jours ouvrables, 8 h to 22 h. https://af2m.org/la-charte-de-deontologie-"
        "applicable-aux-services-de-business-messaging-est-effective-depuis-le-1er-septembre-2024",
        kind=Kind.NETWORK,
        closed=french,
    ),
    Rule(
        "GB",
        None,
        _SMS,
        date(2026, 11, 1),
        _week(_hours(8, 21), _hours(9, 21), _hours(9, 21)),
        "No law sets hours; the DMA Code bids avoid antisocial ones. The hours: "
        "https://hs.smsglobal.com/united-kingdom-laws-and-regulations-smsglobal-help-center",
        kind=Kind.PRACTICE,
    ),
)

_STATES: Final = (
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK"
    " OR PA RI SC SD TN TX UT VT VA WA WV WI WY"
)
_REGIONS: Final = {"US": frozenset(_STATES.split())}
"""The regions of the countries that have rules by region. Any other word is a region that nobody knows."""


def regulated(channel: Channel, country: str | None) -> bool:
    """Whether any row may concern this channel there, on whatever date."""
    code = _country(country)
    return any(channel in rule.channels and code in {None, rule.country} for rule in RULES)


@lru_cache(maxsize=4096)
def allowed_windows(channel: Channel, country: str | None, region: str | None, on: date) -> tuple[Window, ...]:
    """The hours of a local calendar day in which marketing may go, in order; empty: not on this day.

    Where the region is not known, or the country, the hours are those that every one of them allows.

    Args:
        channel: how it would travel.
        country: ISO 3166-1 alpha-2 in either case, or None.
        region: ISO 3166-2 with or without its country (`FL`, `US-FL`), or None.
        on: the day as the recipient's own calendar has it.
    """
    code = _country(country)
    place = _region(code, region)
    windows: tuple[Window, ...] = WHOLE_DAY
    for rule in RULES:
        if rule.applies(channel, code, place, on):
            windows = meet(windows, rule.windows(on))
    return windows


def meet(some: Sequence[Window], others: Sequence[Window]) -> tuple[Window, ...]:
    """The hours that are in both."""
    found = []
    for one in some:
        for other in others:
            start = max(one.start, other.start)
            ends = [window.end for window in (one, other) if window.end != _MIDNIGHT]
            end = min(ends, default=_MIDNIGHT)
            if end == _MIDNIGHT or start < end:
                found.append(Window(start, end))
    return tuple(sorted(found))


def _country(country: str | None) -> str | None:
    code = (country or "").strip().upper()
    return code if len(code) == 2 and code.isalpha() else None  # noqa: PLR2004  alpha-2


def _region(country: str | None, region: str | None) -> str | None:
    code = (region or "").strip().upper()
    if country is not None:
        code = code.removeprefix(f"{country}-")
    # "Florida" spelt out is no code: taken for a state without hours of its own it would be let off too easily.
    return code if code in _REGIONS.get(country or "", ()) else None
