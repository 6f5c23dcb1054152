"""The shop of the tests."""

from activities.messaging.brand import Brand


def fernhill() -> Brand:
    """Its look."""
    return Brand.model_validate(
        {
            "name": "Fernhill Supply",
            "tagline": "Good things",
            "about": "Six people.",
            "signature": "June",
            "shop_url": "https://fernhill.example/",
            "support_email": "hello@fernhill.example",
            "support_hours": "Monday to Friday, 9 to 17",
            "sender": {"name": "Fernhill", "address": "hello@fernhill.example"},
            "postal_address": "Lindenweg 12, 10437 Berlin",
            "links": {"help": "https://fernhill.example/help", "returns": "https://fernhill.example/returns"},
        }
    )
