"""What jurisdictions want of a consent, as dated data. Not legal advice: shops check their own rows.

A row holds from `since` on and until the day before `until`. Where nothing is said the strictest reading holds: an
express yes, given by the person.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Law:
    """One row: what goes in one jurisdiction for a time.

    Attributes:
        jurisdiction: ISO 3166 alpha-2 (`DE`), or a part of a country as ISO 3166-2 has it (`US-CA`).
        since: the first day it holds.
        source: where it can be read.
        until: the first day it no longer holds; None when it still does.
        confirm: an electronic sign-up counts only once it was confirmed from the address itself (double opt-in).
        purchase_months: for how many calendar months a purchase implies consent to e-mail; None when it does not.
        inquiry_months: the same after an inquiry.
        soft_opt_in: a buyer may be mailed about the shop's own similar products until they object, if the shop told
            them so when it took the address: therefore only where the shop says that it does.
        soft_months: for how long after the last purchase that lasts; None when no length is given.
    """

    jurisdiction: str
    since: date
    source: str
    until: date | None = None
    confirm: bool = False
    purchase_months: int | None = None
    inquiry_months: int | None = None
    soft_opt_in: bool = False
    soft_months: int | None = None


_EPRIVACY = "Directive 2002/58/EC Art. 13(2)"
_EPRIVACY_SINCE = date(2003, 10, 31)
# The other members of the EU, and of the EEA; those with something of their own to say have their rows below.
_MEMBERS = "BE BG CY CZ DK EE ES FI HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK"

LAWS: tuple[Law, ...] = (
    Law(
        "CA",
        date(2014, 7, 1),
        "CASL, S.C. 2010, c. 23, s. 10(9)(a), 10(10)(a) and (e); crtc.gc.ca/eng/com500/guide.htm",
        purchase_months=24,
        inquiry_months=6,
    ),
    Law(
        "DE",
        date(2011, 2, 10),
        "BGH I ZR 164/09; DSK, Orientierungshilfe Direktwerbung (February 2022); UWG § 7(3)",
        confirm=True,
        soft_opt_in=True,
    ),
    Law("AT", _EPRIVACY_SINCE, _EPRIVACY, until=date(2019, 10, 9), soft_opt_in=True),
    Law("AT", date(2019, 10, 9), "DSB-D130.073/0008-DSB/2019; TKG 2021 § 174(4)", confirm=True, soft_opt_in=True),
    Law("GR", date(2011, 1, 1), "HDPA Directive 2/2011; Law 3471/2006 Art. 11(3)", confirm=True, soft_opt_in=True),
    Law(
        "FR",
        date(2004, 6, 22),
        "CPCE Art. L34-5; CNIL, référentiel gestion des activités commerciales (three years after the last order)",
        soft_opt_in=True,
        soft_months=36,
    ),
    Law("GB", date(2003, 12, 11), "PECR 2003, reg. 22(3)", soft_opt_in=True),
    *(Law(member, _EPRIVACY_SINCE, _EPRIVACY, soft_opt_in=True) for member in _MEMBERS.split()),
)
"""The rows that ship."""

_UNKNOWN = Law("", date.min, "nobody knows where the person is, so every caution is taken", confirm=True)
_SILENT = Law("", date.min, "no row: an express yes and nothing less")


@lru_cache(maxsize=4096)
def law_of(country: str | None, region: str | None, on: date) -> Law:
    """The row that holds on a day for somebody in `country` (and `region`, the part after the hyphen of ISO 3166-2).

    The region's own row comes before its country's.
    """
    if not country:
        return _UNKNOWN
    names = [f"{country}-{region}".upper(), country.upper()] if region else [country.upper()]
    return next((law for name in names for law in _holding(LAWS, name, on)), _SILENT)


def _holding(laws: Iterable[Law], name: str, on: date) -> Iterable[Law]:
    return (law for law in laws if law.jurisdiction == name and law.since <= on and (not law.until or on < law.until))
