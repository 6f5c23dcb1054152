"""What a process works with, from its settings: providers, templates, people to tell, APIs of shops and carriers."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from activities.alerts import Alerting, Alerts, AlertsByShop
from activities.by_shop import ByShop
from activities.carriers.pollers import Pollers
from activities.links import Links
from activities.messaging.senders import Senders
from activities.messaging.templates import Templates
from activities.shops.apis import ShopApis
from journey.playbook import Channel
from workers.settings import SettingMissingError, Settings, shipped_playbooks
from workers.shops import Shop

_NO_BRAND: Final[Mapping[str, Any]] = {}
SETTING_OF: Final = {
    Channel.EMAIL: "email_url",
    Channel.SMS: "sms_url",
    Channel.WHATSAPP: "whatsapp_url",
    Channel.PUSH: "push_url",
    Channel.WEB_PUSH: "web_push_url",
}
"""The setting that names each channel's providers."""


def load_templates(settings: Settings, brand: Mapping[str, Any] = _NO_BRAND) -> Templates:
    """The templates that ship, with the shop's own files (`POSTLUDE_TEMPLATES`) and `brand` laid over them.

    Raises:
        TemplateError: one does not compile; named with file and reason.
    """
    return Templates.load(shipped_playbooks(), overlay=settings.templates, brand=brand)


def senders_of(settings: Settings, channels: Iterable[Channel] = SETTING_OF) -> Senders:
    """The providers that the settings name for these channels; one that is unset has none.

    Raises:
        SettingMissingError: a URL is not usable; names the setting.
    """
    try:
        return Senders.named_by({channel: settings.given(SETTING_OF[channel]) for channel in channels})
    except ValueError as error:
        raise SettingMissingError(str(error)) from error


def alerts_of(settings: Settings, senders: Senders, templates: Templates) -> Alerts:
    """Who is told of what the shop's people have to mend; nobody where `POSTLUDE_ALERT_URL` is unset.

    Raises:
        SettingMissingError: the URL is not usable.
    """
    name = senders.name_for(Channel.EMAIL, "alert")
    email = senders.named(Channel.EMAIL, name) if name is not None else None
    try:
        return Alerts(settings.given("alert_url"), sender=templates.brand.sender.address, email=email)
    except ValueError as error:
        raise SettingMissingError(str(error)) from error


def apis_of(settings: Settings, shops: Iterable[Shop] = ()) -> ShopApis:
    """The shops' own APIs that the settings and the shops' files name.

    Raises:
        SettingMissingError: a URL is not usable or of another shop, or the secret key is unset where one is named;
            names the setting.
    """
    urls = settings.given("shop_urls")
    named = [shop for shop in shops if shop.settings.shop_urls is not None]
    key = settings.needed("secret_key") if urls or named else ""
    try:
        known = ShopApis.named_by(urls, secret_key=key)
        for shop in named:
            known.add(shop.settings.needed("shop_urls"), shop=shop.id, names=shop.names, secret_key=key)
    except ValueError as error:
        raise SettingMissingError(str(error)) from error
    return known


def pollers_of(settings: Settings) -> Pollers:
    """The carriers and services that the settings name to be polled.

    Raises:
        SettingMissingError: a URL is not usable; names the setting.
    """
    try:
        return Pollers.named_by(settings.given("carrier_urls"))
    except ValueError as error:
        raise SettingMissingError(str(error)) from error


@dataclass(frozen=True, slots=True)
class ShopParts:
    """What a shop writes with, or all shops that have no file.

    Attributes:
        settings: the deployment's, with the shop's own laid over them.
        templates, links, senders, alerts: what its messages are made of and go by, and who hears of its troubles.
        shop: its file; None for all that have none.
    """

    settings: Settings
    templates: Templates
    links: Links
    senders: Senders
    alerts: Alerting | None = None
    shop: Shop | None = None


@asynccontextmanager
async def shop_parts(
    settings: Settings, templates: Templates, shops: Sequence[Shop], *, channels: Iterable[Channel] = SETTING_OF
) -> AsyncIterator[ByShop[ShopParts]]:
    """What each shop writes with, closed on leaving.

    Args:
        settings: the deployment's.
        templates: those of all shops without a file.
        shops: those with one.
        channels: which this process writes by.

    Raises:
        SettingMissingError, TemplateError: a shop's part is not usable; names the shop.
    """
    channels = tuple(channels)
    keys = settings.keys_of_links
    async with AsyncExitStack() as open_parts:

        def made(own: Settings, its: Templates, links: Links) -> ShopParts:
            senders = senders_of(own, channels)
            open_parts.push_async_callback(senders.aclose)
            alerts = alerts_of(own, senders, its)
            open_parts.push_async_callback(alerts.aclose)
            return ShopParts(own, its, links, senders, alerts)

        rest = made(settings, templates, Links(keys, settings.public_url))
        parts: dict[str, ShopParts] = {}
        for shop in shops:
            path = "" if shop.own_address else f"/s/{shop.id}"
            links = Links(keys, shop.settings.public_url, shop=shop.id, path=path)
            try:
                its = load_templates(shop.settings, shop.brand)
                parts[shop.id] = replace(made(shop.settings, its, links), shop=shop)
            except SettingMissingError as error:
                raise SettingMissingError(f"shop {shop.id}: {error}") from error
        yield ByShop(rest, parts)


def alerts_by_shop(parts: ByShop[ShopParts]) -> Alerting:
    """Who is told of what people have to mend, each shop's own."""
    return AlertsByShop(ByShop(parts.rest.alerts, {shop: own.alerts for shop, own in parts.own.items()}))
