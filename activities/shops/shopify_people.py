"""What Shopify's webhooks say of people: accounts, consents, and the three mandatory privacy topics.

https://shopify.dev/docs/api/webhooks and https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance

- Since API version 2025-01 an account's webhook has no consents: they have topics of their own,
  `customers_email_marketing_consent/update` and `customers_marketing_consent/update`
  (https://shopify.dev/changelog/new-customer-s-webhook-and-changes-to-existing-customer-s-webhooks-payload).
- A consent holds since its own `consent_updated_at`, not since the account was touched last: else any change of an
  account would undo an opt-out that was given to us. One without that date says nothing, unless it is a no.
- `not_subscribed` was never asked and `pending` has not answered; neither is a no.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from activities.shops import shopify_payloads as payloads
from activities.shops.payloads import read
from activities.shops.protocol import Ignored, Malformed
from store.intake import (
    Customer,
    CustomerDataRequested,
    CustomerRedacted,
    CustomerUpdated,
    Event,
    ShopRedacted,
    build,
)

_SAID: Final = {"subscribed": True, "unsubscribed": False}
_NAMES: Final = {"shop": "X-Shopify-Shop-Domain", "at": "updated_at", "customer_id": "id", "customer": "body"}


def account(shop: str, payload: Mapping[str, Any]) -> Sequence[Event]:
    """`customers/create` and `customers/update`: who they are, and each consent since it was given."""
    known = read(payloads.Customer, payload)
    address = known.default_address or payloads.Address()
    person = {
        "customer_id": known.id,
        "email": known.email,
        "phone": known.phone or address.phone,
        "first_name": known.first_name or address.first_name or "",
        "country": address.country_code,
        "region": address.province_code,
        "orders_count": known.orders_count,
    }
    events = [_updated(shop, known.updated_at, person)]
    consents = {"email_marketing": known.email_marketing_consent, "sms_marketing": known.sms_marketing_consent}
    for channel, consent in consents.items():
        events += _consent(shop, known.id, channel, consent, or_since=known.updated_at)
    return events


def email_consent(shop: str, payload: Mapping[str, Any]) -> Sequence[Event] | Ignored:
    """`customers_email_marketing_consent/update`."""
    said = read(payloads.EmailConsent, payload)
    return _consent(shop, said.customer_id, "email_marketing", said.email_marketing_consent) or _NOTHING_SAID


def sms_consent(shop: str, payload: Mapping[str, Any]) -> Sequence[Event] | Ignored:
    """`customers_marketing_consent/update`, which is about texts."""
    said = read(payloads.SmsConsent, payload)
    return _consent(shop, said.id, "sms_marketing", said.sms_marketing_consent) or _NOTHING_SAID


def privacy(topic: str, payload: Mapping[str, Any], *, at: str, secret_key: str) -> Sequence[Event]:
    """`customers/data_request`, `customers/redact` or `shop/redact`; they carry no moment, `at` is when they came."""
    asked = read(payloads.Privacy, payload)
    # The body is signed, the header is not.
    values: dict[str, Any] = {"shop": asked.shop_domain, "at": at}
    names = {"shop": "shop_domain", "at": "X-Shopify-Triggered-At", "customer_id": "customer.id"}
    if topic == "shop/redact":
        return [build(ShopRedacted, values, names=names)]
    values["customer_id"] = asked.customer.id
    if asked.customer.id is None and asked.customer.email is not None:
        # A guest has the id that their orders were given.
        guest = Customer(email=asked.customer.email)
        values["customer_id"] = guest.identified("", secret_key).customer_id if guest.email else None
    if topic == "customers/redact":
        return [build(CustomerRedacted, values, names=names)]
    values["request_id"] = asked.data_request.id
    return [build(CustomerDataRequested, values, names=names | {"request_id": "data_request.id"})]


_NOTHING_SAID: Final = Ignored("nothing was said about marketing, or not since when")


def _consent(
    shop: str, customer_id: str | None, channel: str, consent: payloads.Consent | None, *, or_since: str | None = None
) -> list[Event]:
    granted = _SAID.get(consent.state or "") if consent else None
    if consent is None or granted is None:
        return []
    since = consent.consent_updated_at or (None if granted else or_since)
    if since is None:
        return []
    return [_updated(shop, since, {"customer_id": customer_id, "consent": {channel: granted}}, at="consent_updated_at")]


def _updated(shop: str, since: str | None, person: Mapping[str, Any], *, at: str = "updated_at") -> Event:
    values = {"shop": shop, "at": since, "customer": person}
    updated = build(CustomerUpdated, values, names=_NAMES | {"at": at})
    if updated.customer.customer_id is None:
        raise Malformed("id", "must be an account's")
    return updated
