"""The demo's second shop: in a file of its own, with its own secret, brand and language."""

import base64
import secrets
from pathlib import Path
from typing import Final

import yaml

SHOP: Final = "teeladen"
NAME: Final = "Teeladen am Hafen"
_SECRET: Final = "events.secret"  # noqa: S105  a file's name
_FILE: Final = {
    "id": SHOP,
    "name": NAME,
    "secrets": {"events": f"file:{_SECRET}"},
    # Nobody says it of its customers: it is what the shop's file assumes.
    "locale": "de-DE",
    "time_zone": "Europe/Berlin",
    "country": "DE",
    "brand": {
        "tagline": "Tee aus Gärten, die wir kennen",
        "about": "Wir sind zu dritt, fahren einmal im Jahr zu den Gärten und verkaufen, was wir selbst trinken.",
        "signature": "Malte und der Teeladen",
        "shop_url": "https://teeladen.example/",
        "support_email": "moin@teeladen.example",
        "support_hours": "Dienstag bis Samstag, 10 bis 18 Uhr",
        "sender": {"name": NAME, "address": "moin@post.teeladen.example"},
        "postal_address": "Teeladen am Hafen, Kontorhaus 1, 20095 Hamburg",
        "colours": {"brand": "#5b2333", "accent": "#8a4b08", "page": "#f6efe9"},
        "links": {
            "help": "https://teeladen.example/hilfe",
            "returns": "https://teeladen.example/rueckgabe",
            "social": [],
        },
        "news": [],
        "event": None,
    },
}


def write(home: Path) -> Path:
    """Write the shop's file and its secret, once; the folder is what `POSTLUDE_SHOPS` names."""
    folder = home / "shops"
    own = folder / SHOP
    own.mkdir(parents=True, exist_ok=True)
    secret = own / _SECRET
    if not secret.exists():
        secret.touch(mode=0o600)
        secret.write_text(f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}\n", encoding="utf-8")
    (own / "shop.yaml").write_text(yaml.safe_dump(_FILE, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return folder
