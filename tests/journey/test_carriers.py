"""Carriers' names."""

import pytest

from journey.carriers import normal, shown


@pytest.mark.parametrize(
    ("code", "name", "written"),
    [
        ("ups", "UPS", "ups"),
        ("ups", "UPS", "UPS®"),
        ("fedex", "FedEx", "FEDEX"),
        ("usps", "USPS", "United States Postal Service"),
        ("dhl", "DHL", "dhl-germany"),
        ("dhl", "DHL Express", "DHLExpress"),
        ("dhl", "DHL eCommerce", "DhlEcs"),
        ("royalmail", "royal-mail", "royal-mail"),
        (None, "顺丰", "顺丰"),
        (None, None, None),
    ],
)
def test_a_carrier_has_one_form_to_be_matched_by_and_one_to_be_read(code, name, written):
    """A known carrier is read as people write it, another as it was written; both forms stay when taken again."""
    assert (code, name) == (normal(written), shown(written))
    assert (code, name) == (normal(name), shown(name))
