"""What carriers publish about how long their parcels take: dated data, for lanes on which a shop has no history."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Reach(StrEnum):
    """How far a destination is from where the shop sends from."""

    HOME = "home"
    UNION = "union"
    ABROAD = "abroad"


EU: Final = frozenset(
    {"AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV"}
    | {"MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"}
)
"""Where a parcel from the one to the other meets no customs: the member states in 2026."""

HOME_OF: Final = {"usps": "US"}
"""Carriers that collect in one country only."""

STANDARDS: Final[Mapping[tuple[str | None, Reach], tuple[float, float]]] = {
    ("dhl", Reach.HOME): (1, 2),  # DHL Paket within Germany
    ("dhl", Reach.UNION): (5, 8),
    ("dhl", Reach.ABROAD): (8, 17),
    ("dpd", Reach.HOME): (1, 3),
    ("dpd", Reach.UNION): (2, 5),  # DPD Classic Europe
    ("fedex", Reach.HOME): (1, 5),  # FedEx Ground
    ("gls", Reach.UNION): (2, 3),
    ("ups", Reach.HOME): (1, 5),  # UPS Ground
    ("ups", Reach.UNION): (1, 5),  # UPS Standard
    ("ups", Reach.ABROAD): (2, 5),  # UPS Worldwide Expedited, without the customs' time
    ("usps", Reach.HOME): (2, 5),  # USPS Ground Advantage
    ("usps", Reach.ABROAD): (6, 10),  # Priority Mail International
    (None, Reach.HOME): (1, 5),
    (None, Reach.UNION): (2, 7),
    (None, Reach.ABROAD): (6, 15),
}
"""Working days from collection to delivery, from and to, of the ordinary parcel service. By carrier in the normal form.

Gathered in November 2026 from pages that quote the carriers, none of them read at the carrier's own: DPD, GLS and UPS
in Europe from apaczka.pl/pomoc/terminy-doreczen-przesylek-dla-poszczegolnych-przewoznikow and sendit.pl/artykul/
terminy-doreczen-przesylek, DHL from finanzen.net/nachricht 9281583 and wolfmarkt.de/Lieferzeit, UPS, FedEx and USPS in
the United States widely stated. Rows of None stand for any other carrier and are our own reading.
"""
