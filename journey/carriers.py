"""Carriers' names: the one form in which they are matched, and the one in which people know them.

Shops and services write `DHLExpress`, `dhl_express` or `DHL Express`: one carrier, one lane, one poller.
"""

import re
from typing import Final

# By name without case, blanks and signs: the form in which it is matched, and how people write it. Rows that are
# written keep the first (`shipments.carrier_code`): whoever changes one of those brings the rows along.
_KNOWN: Final = {
    "ups": ("ups", "UPS"),
    "unitedparcelservice": ("ups", "UPS"),
    "upsdap": ("ups", "UPS"),
    "fedex": ("fedex", "FedEx"),
    "federalexpress": ("fedex", "FedEx"),
    "fedexdefault": ("fedex", "FedEx"),
    "usps": ("usps", "USPS"),
    "unitedstatespostalservice": ("usps", "USPS"),
    "dhl": ("dhl", "DHL"),
    "dhlexpress": ("dhl", "DHL Express"),
    "dhlde": ("dhl", "DHL"),
    "dhlgermany": ("dhl", "DHL"),
    "dhlparcel": ("dhl", "DHL Parcel"),
    "dhlpaket": ("dhl", "DHL Paket"),
    "dhlecommerce": ("dhl", "DHL eCommerce"),
    "dhlecs": ("dhl", "DHL eCommerce"),
    "dpd": ("dpd", "DPD"),
    "gls": ("gls", "GLS"),
}


def normal(carrier: str | None) -> str | None:
    """A carrier's name in lower case without blanks and signs, its other spellings brought to one; None stays None."""
    if carrier is None:
        return None
    plain = _plain(carrier)
    return _KNOWN[plain][0] if plain in _KNOWN else plain or None


def shown(carrier: str | None) -> str | None:
    """A carrier's name as people write it, where it is a known one's, else as it was written; None stays None."""
    if carrier is None:
        return None
    plain = _plain(carrier)
    return _KNOWN[plain][1] if plain in _KNOWN else carrier


def _plain(carrier: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", carrier.casefold())
