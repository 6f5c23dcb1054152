"""Two shops in files, as an operator writes them: a tea shop that speaks German, and a bicycle shop."""

import base64

TEA_SECRET = "whsec_" + base64.b64encode(b"the secret of the tea shop, 32 b").decode()
TEA_OLD_SECRET = "whsec_" + base64.b64encode(b"the one before it, of 32 bytes..").decode()
BIKE_SECRET = "whsec_" + base64.b64encode(b"the secret of the bike shop, 33b").decode()
TEA_SHOPIFY = "the tea shop's app secret, 32 chars"  # a test secret
BIKE_SHOPIFY = "the bike shop's app secret, 33 chars"  # a test secret
CARRIER = "the tea shop's carrier secret 32 b"

TEA = """
name: Teeladen
also: tea.myshopify.com
secrets:
  events: [env:TEA_EVENTS, env:TEA_EVENTS_OLD]
  shopify: env:TEA_SHOPIFY
  easypost: file:easypost.secret
locale: de-DE
time_zone: Europe/Berlin
country: DE
brand:
  postal_address: Teeladen, Kontorhaus 1, 20095 Hamburg
  sender: {name: Teeladen, address: hallo@teeladen.example}
"""
BIKES = """
id: bikes
name: Two Wheels
also: [bikes.myshopify.com]
secrets:
  events: env:BIKE_EVENTS
  shopify: env:BIKE_SHOPIFY
brand:
  postal_address: Two Wheels, 4 Mill Lane, Leeds LS1 4AB
  sender: {name: Two Wheels, address: hello@twowheels.example}
"""


def write(folder, monkeypatch):
    """The two files with their secrets; the folder is what `POSTLUDE_SHOPS` names."""
    monkeypatch.setenv("TEA_EVENTS", TEA_SECRET)
    monkeypatch.setenv("TEA_EVENTS_OLD", TEA_OLD_SECRET)
    monkeypatch.setenv("TEA_SHOPIFY", TEA_SHOPIFY)
    monkeypatch.setenv("BIKE_EVENTS", BIKE_SECRET)
    monkeypatch.setenv("BIKE_SHOPIFY", BIKE_SHOPIFY)
    (folder / "tea").mkdir()
    (folder / "tea" / "shop.yaml").write_text(TEA, encoding="utf-8")
    (folder / "tea" / "easypost.secret").write_text(CARRIER + "\n", encoding="utf-8")
    (folder / "bikes.yaml").write_text(BIKES, encoding="utf-8")
    return folder
