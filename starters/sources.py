"""Who may send webhooks here, and how each wants to be greeted and answered."""

from collections.abc import Callable, Iterable, Sequence

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from activities.carriers.aftership import AfterShip
from activities.carriers.easypost import EasyPost
from activities.carriers.seventeentrack import SeventeenTrack
from activities.carriers.shippo import Shippo
from activities.messaging.feedback.mailgun import MailgunEvents
from activities.messaging.feedback.postmark import PostmarkEvents
from activities.messaging.feedback.resend import ResendEvents
from activities.messaging.feedback.sendgrid import SendGridEvents
from activities.messaging.feedback.ses import SesEvents
from activities.messaging.feedback.twilio import TwilioEvents
from activities.messaging.feedback.whatsapp import WhatsAppEvents
from activities.shops.bigcommerce import BigCommerce
from activities.shops.protocol import Greeting, Source
from activities.shops.shopify import Shopify
from activities.shops.standard import StandardWebhooks
from activities.shops.woocommerce import WooCommerce
from starters.doors import Door, Doors
from workers.settings import SettingMissingError, Settings
from workers.shops import ENDPOINTS, Shop

# They send again what is answered with anything but 200:
# https://documentation.mailgun.com/docs/mailgun/user-manual/events/webhooks,
# https://postmarkapp.com/developer/webhooks/webhooks-overview,
# https://developers.facebook.com/docs/graph-api/webhooks/getting-started
_ONLY_200 = frozenset({"mailgun", "postmark", "whatsapp", "woocommerce"})
# Twilio reads the answer to a message as instructions and logs an error for any other kind; these are none
# (https://www.twilio.com/docs/messaging/twiml).
_NO_INSTRUCTIONS = "<Response/>"


def sources(
    *,
    secret_key: str,
    webhook_secret: str | None = None,
    shopify_secret: str | None = None,
    woocommerce_secret: str | None = None,
    bigcommerce_secret: str | None = None,
    easypost_secret: str | None = None,
    aftership_secret: str | None = None,
    shippo_secret: str | None = None,
    seventeentrack_secret: str | None = None,
    resend_secret: str | None = None,
    sendgrid_key: str | None = None,
    postmark_login: str | None = None,
    mailgun_secret: str | None = None,
    ses_topics: str | None = None,
    twilio_secret: str | None = None,
    whatsapp_secret: str | None = None,
    whatsapp_verify_token: str | None = None,
    public_url: str = "",
) -> dict[str, Source]:
    """The adapters whose secret is set, by the last part of their endpoint; the others stay closed.

    `public_url` is where the gateway is reached from outside, which Twilio signs.

    Raises:
        ValueError: a secret is not what it should be.
    """
    opened: list[Source] = []
    if webhook_secret:
        opened.append(StandardWebhooks(webhook_secret, secret_key=secret_key))
    senders: list[tuple[str | None, Callable[[str], Source]]] = [
        (shopify_secret, lambda secret: Shopify(secret, secret_key=secret_key)),
        (woocommerce_secret, lambda secret: WooCommerce(secret, secret_key=secret_key)),
        (bigcommerce_secret, BigCommerce),
        (easypost_secret, EasyPost),
        (aftership_secret, AfterShip),
        (shippo_secret, Shippo),
        (seventeentrack_secret, SeventeenTrack),
        (resend_secret, ResendEvents),
        (sendgrid_key, SendGridEvents),
        (postmark_login, PostmarkEvents),
        (mailgun_secret, MailgunEvents),
        (ses_topics, SesEvents),
        (twilio_secret, lambda secret: TwilioEvents(secret, public_url=public_url)),
        (whatsapp_secret, lambda secret: WhatsAppEvents(secret, verify_token=whatsapp_verify_token)),
    ]
    opened += [make(secret) for secret, make in senders if secret]
    return {source.name: source for source in opened}


_SECRETS = (
    "webhook_secret",
    "shopify_secret",
    "woocommerce_secret",
    "bigcommerce_secret",
    "easypost_secret",
    "aftership_secret",
    "shippo_secret",
    "seventeentrack_secret",
    "resend_secret",
    "sendgrid_key",
    "postmark_login",
    "mailgun_secret",
    "ses_topics",
    "twilio_secret",
    "whatsapp_secret",
    "whatsapp_verify_token",
)


def sources_of(settings: Settings) -> dict[str, Source]:
    """The adapters whose secrets the environment has, by endpoint.

    Raises:
        SettingMissingError: the secret key is unset, or a secret is not usable.
    """
    secrets = {name: settings.given(name) for name in _SECRETS}
    try:
        return sources(secret_key=settings.needed("secret_key"), public_url=settings.public_url, **secrets)
    except ValueError as error:
        raise SettingMissingError(f"a webhook secret is not usable: {error}") from error


def doors_of(settings: Settings, shops: Iterable[Shop]) -> list[Door]:
    """A door for every secret of every endpoint of the shops with a file.

    Raises:
        SettingMissingError: the secret key is unset, or a secret is not usable; names the shop and the endpoint.
    """
    key = settings.needed("secret_key")
    doors: list[Door] = []
    for shop in shops:
        more = {"whatsapp_verify_token": shop.settings.given("whatsapp_verify_token")}
        for endpoint, secret in ((name, one) for name, all_of_it in shop.secrets.items() for one in all_of_it):
            named: dict[str, str | None] = {ENDPOINTS[endpoint]: secret, **more}
            try:
                made = sources(secret_key=key, public_url=shop.settings.public_url, **named)
            except ValueError as error:
                raise SettingMissingError(f"shop {shop.id}: secrets.{endpoint} is not usable: {error}") from error
            doors.append(Door(made[endpoint], shop.id, shop.names))
    return doors


def answer(source: str, outcome: str, **more: Sequence[str]) -> Response:
    """What a sender is told of a webhook that was taken, in the form it takes for a yes.

    `more` are lists of fields that the sender is to hear of; empty ones are left out.
    """
    if source == "twilio":
        return Response(_NO_INSTRUCTIONS, media_type="text/xml")
    return JSONResponse(
        {"status": outcome, **{name: list(fields) for name, fields in more.items() if fields}},
        status_code=200 if source in _ONLY_200 else 202,
    )


def greetings(doors: Doors) -> APIRouter:
    """The route for a sender's question, before its first webhook, whether the endpoint is ours."""
    routes = APIRouter()

    @routes.get("/webhooks/{source}")
    @routes.get("/s/{shop}/webhooks/{source}")
    async def greeting(source: str, request: Request, shop: str | None = None) -> Response:
        """Answer a sender's question: 200, 403 where it does not know our token, 404 closed, 405 nobody asks."""
        shown = doors.at(source, shop)
        if not shown:
            return JSONResponse({"error": "this endpoint is closed"}, status_code=404)
        if not any(isinstance(door.source, Greeting) for door in shown):
            return JSONResponse({"error": "webhooks come by POST"}, status_code=405, headers={"Allow": "POST"})
        said = doors.greeted(shown, request.query_params)
        return JSONResponse({"error": "not our token"}, status_code=403) if said is None else PlainTextResponse(said)

    return routes
