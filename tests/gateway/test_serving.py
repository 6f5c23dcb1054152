"""The gateway as a process has it: its settings, and what they wire up."""

import asyncio

import httpx
import pytest
from pydantic import ValidationError

from journey.consent import Policy
from starters.listening import listen
from starters.serving import serving
from tests.feedback import payloads, signers
from tests.gateway.kit import SECRET_KEY
from tests.messaging.text.standins import ACCOUNT, TwilioApi
from tests.support.patience import PATIENCE
from tests.support.sockets import HOST
from workers.services import shop_parts
from workers.settings import SettingMissingError, Settings


def settings(**values):
    return Settings(_env_file=None, secret_key=SECRET_KEY, **values)


async def test_a_text_is_answered_by_the_served_gateway(pool, client, templates):
    """From the settings alone: Twilio's signed webhook comes in over HTTP and the answer goes out by its API."""
    twilio = TwilioApi()
    await twilio.start()
    given = settings(
        sms_url=f"twilio://{ACCOUNT}:to%2Fken@{HOST}:{twilio.port}?from=%2B4915112345678&insecure=1",
        twilio_secret=signers.TWILIO_SECRET,
        public_url=signers.PUBLIC_URL,
    )
    sent = signers.twilio(payloads.twilio_incoming("HELP"))
    try:
        async with (
            shop_parts(given, templates, ()) as parts,
            serving(given, pool, client, parts, listener=listen(HOST, 0)) as url,
            httpx.AsyncClient(base_url=url) as http,
        ):
            answer = await http.post(sent.target, content=sent.body, headers=sent.headers)
            assert answer.status_code == 200
            await asyncio.wait_for(twilio.asked.wait(), PATIENCE)
            nowhere = [(await http.get(f"/{path}/x")).status_code for path in ("notes", "p", "confirm", "c", "o", "u")]
    finally:
        await twilio.stop()
    assert (twilio.requests[0]["To"], templates.brand.name in twilio.requests[0]["Body"]) == (payloads.PHONE, True)
    assert nowhere == [404] * 6


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sms_url", "twilio://AC1:s3cret@api.twilio.com"),
        ("sms_url", "carrier-pigeon://s3cret"),
        ("whatsapp_url", "whatsapp://s3cret@graph.facebook.com/me"),
        ("email_url", "resend://:s3cret@api.resend.com"),
        ("alert_url", "s3cret://hooks.slack.com"),
        ("alert_url", "mailto:s3cret@shop.example"),
    ],
)
async def test_a_provider_that_is_none_is_told_at_the_start(name, value, templates):
    """By the setting's name; what may hold a secret is not repeated."""
    with pytest.raises(SettingMissingError, match=f"POSTLUDE_{name.upper()}") as refused:
        async with shop_parts(settings(**{name: value}), templates, ()):
            pass
    assert "s3cret@" not in str(refused.value)


async def test_webhooks_that_nobody_could_read_are_refused_at_the_start(templates):
    """BigCommerce's only name an order: without its API each would be taken and lost."""
    given = settings(bigcommerce_secret="s3cret", shop_urls="woocommerce://k:s3cret@shop.example")
    with pytest.raises(SettingMissingError, match="POSTLUDE_SHOP_URLS: BigCommerce") as refused:
        async with shop_parts(given, templates, ()) as parts, serving(given, None, None, parts, listener=None):
            pass
    assert "s3cret" not in str(refused.value)


def test_countries_are_written_as_people_write_them():
    """With commas or blanks, in any case; what is no country is refused."""
    given = settings(soft_opt_in="gb, IE", confirm_boxes="de")
    assert given.policy == Policy(soft_opt_in=frozenset({"GB", "IE"}), confirm_boxes=frozenset({"DE"}))
    assert settings().policy == Policy()
    with pytest.raises(ValidationError, match="two letters"):
        settings(soft_opt_in="UK1")


@pytest.mark.parametrize(
    ("public", "callback"),
    [
        ("https://mail.shop.example/", "https://mail.shop.example/webhooks/twilio"),
        ("http://203.0.113.7:8000", "http://203.0.113.7:8000/webhooks/twilio"),
        ("http://127.0.0.1:8000", None),
        ("http://[::1]:8000", None),
        ("http://localhost:8000", None),
        ("http://gateway.localhost", None),
    ],
)
def test_twilio_is_told_of_a_callback_that_it_can_reach(public, callback):
    """One that nobody outside reaches would have every message refused; so would a closed endpoint be for nothing."""
    assert settings(public_url=public, twilio_secret="t").twilio_callback == callback
    assert settings(public_url=public).twilio_callback is None
