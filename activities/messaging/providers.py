"""Which providers a setting means: URLs, in each `?rate=14` (messages a second) and `?weight=3` as wanted."""

from collections.abc import Callable, Mapping
from pkgutil import resolve_name
from typing import Any, TypeVar
from urllib.parse import SplitResult, parse_qs, urlsplit

from activities.messaging.email.mailgun import Mailgun
from activities.messaging.email.postmark import Postmark
from activities.messaging.email.resend import Resend
from activities.messaging.email.sendgrid import SendGrid
from activities.messaging.email.ses import Ses
from activities.messaging.email.smtp import Smtp
from activities.messaging.pace import Paced
from activities.messaging.protocol import (
    EmailProvider,
    Message,
    Provider,
    PushProvider,
    TextProvider,
    WhatsAppProvider,
)
from activities.messaging.routes import Route
from journey.playbook import Channel

M = TypeVar("M", bound=Message)
Make = Callable[[SplitResult], Provider[M]]


def _later(where: str) -> Callable[[SplitResult], Provider[M]]:
    """The class at `module:Class`, loaded when it is first wanted: most shops use one or two of these channels."""

    def make(url: SplitResult) -> Provider[M]:
        made: Provider[M] = resolve_name(where)(url)
        return made

    return make


_EMAIL: Mapping[str, Callable[[SplitResult], EmailProvider]] = {
    "smtp": Smtp,
    "smtps": Smtp,
    "ses": Ses,
    "sendgrid": SendGrid,
    "postmark": Postmark,
    "mailgun": Mailgun,
    "resend": Resend,
}
_TEXT: Mapping[str, Callable[[SplitResult], TextProvider]] = {
    "twilio": _later("activities.messaging.text.twilio:TwilioSms"),
}
_WHATSAPP: Mapping[str, Callable[[SplitResult], WhatsAppProvider]] = {
    "twilio": _later("activities.messaging.text.twilio:TwilioWhatsApp"),
    "whatsapp": _later("activities.messaging.text.whatsapp_cloud:WhatsAppCloud"),
}
_PUSH: Mapping[str, Callable[[SplitResult], PushProvider]] = {
    "fcm": _later("activities.messaging.push.fcm:Fcm"),
}
_WEB_PUSH: Mapping[str, Callable[[SplitResult], PushProvider]] = {
    "vapid": _later("activities.messaging.push.web_push:WebPush"),
}


_SETTINGS: Mapping[Channel, tuple[str, Mapping[str, Make[Any]]]] = {
    Channel.EMAIL: ("POSTLUDE_EMAIL_URL", _EMAIL),
    Channel.SMS: ("POSTLUDE_SMS_URL", _TEXT),
    Channel.WHATSAPP: ("POSTLUDE_WHATSAPP_URL", _WHATSAPP),
    Channel.PUSH: ("POSTLUDE_PUSH_URL", _PUSH),
    Channel.WEB_PUSH: ("POSTLUDE_WEB_PUSH_URL", _WEB_PUSH),
}


def route(channel: Channel, urls: str) -> Route[Any]:
    """The providers that a channel's setting names, its URLs divided by blanks or line ends.

    Raises:
        ValueError: none is named, a scheme is unknown or something is missing; the message names the setting and never
            repeats a URL, which carries a secret.
    """
    setting, known = _SETTINGS[channel]
    made = [_made(setting, known, url) for url in urls.split()]
    if not made:
        raise ValueError(f"{setting}: no provider is named")
    return Route([provider for provider, _ in made], [weight for _, weight in made])


def _made(setting: str, known: Mapping[str, Make[M]], url: str) -> tuple[Provider[M], float]:
    """The provider of one URL, and its weight."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        # What the library says repeats parts of the URL, and so of the secret in it.
        raise ValueError(f"{setting}: not a URL; in a user name or password write / as %2F, @ as %40") from None
    if parts.scheme not in known:
        raise ValueError(f"{setting}: no provider for {parts.scheme}://; known are {', '.join(known)}")
    query = parse_qs(parts.query)
    weight = _number(setting, "weight", query.get("weight", ["1"])[0])
    provider = known[parts.scheme](parts)
    if "rate" in query:
        rate = _number(setting, "rate", query["rate"][0])
        if not rate:
            raise ValueError(f"{setting}: ?rate= is above 0")
        provider = Paced(provider, rate)
    return provider, weight


def _number(setting: str, name: str, text: str) -> float:
    """A decimal number without sign or exponent."""
    if not text.replace(".", "", 1).isdecimal() or not text.isascii():
        raise ValueError(f"{setting}: ?{name}= is a number, like 14 or 0.5")
    return float(text)
