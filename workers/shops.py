"""The shops of a deployment, each in a file of its own: `POSTLUDE_SHOPS` names the file, or a folder of them.

What a shop's file does not say the environment says for it, so that one shop by environment alone needs no file. A
secret never stands in a file: `env:NAME` names a variable that holds it, `file:PATH` a file that does.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Final, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from journey.documents import DocumentError, read_yaml
from journey.zones import is_zone
from store import cleaning
from workers.settings import SettingMissingError, Settings

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
ENDPOINTS: Final = {
    "events": "webhook_secret",
    "shopify": "shopify_secret",
    "woocommerce": "woocommerce_secret",
    "bigcommerce": "bigcommerce_secret",
    "easypost": "easypost_secret",
    "aftership": "aftership_secret",
    "shippo": "shippo_secret",
    "seventeentrack": "seventeentrack_secret",
    "resend": "resend_secret",
    "sendgrid": "sendgrid_key",
    "postmark": "postmark_login",
    "mailgun": "mailgun_secret",
    "ses": "ses_topics",
    "twilio": "twilio_secret",
    "whatsapp": "whatsapp_secret",
}
"""The setting of each endpoint's secret, by the last part of the endpoint."""


def _id(value: str) -> str:
    if not _ID.fullmatch(value):
        raise ValueError("an id has letters, digits, dots, hyphens and underscores, at most 60, and no blank")
    return value


def _reference(value: str) -> str:
    if not value.startswith(("env:", "file:")):
        # Never the value: it may be the secret itself.
        raise ValueError("a secret is named, not written down: env:NAME or file:PATH")
    return value


def _staff(value: str) -> str:
    return value if value.startswith("mailto:") else _reference(value)


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _zone(value: str) -> str:
    if not is_zone(value):
        raise ValueError("no time zone of the tz database, such as Europe/Berlin")
    return value


def _locale(value: str) -> str:
    if cleaning.locale(value) is None:
        raise ValueError("no locale, such as de-DE")
    return value


def _country(value: str) -> str:
    found = cleaning.country(value)
    if found is None:
        raise ValueError("no country: two letters of ISO 3166, such as DE")
    return found


Id = Annotated[str, AfterValidator(_id)]
Reference = Annotated[str, AfterValidator(_reference)]
References = Annotated[tuple[Reference, ...], BeforeValidator(_listed), Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True)


class Providers(_Part):
    """Who carries the shop's messages; what is not named is the deployment's."""

    email: Reference | None = None
    sms: Reference | None = None
    whatsapp: Reference | None = None
    push: Reference | None = None
    web_push: Reference | None = None


class ShopFile(_Part):
    """What a shop's file may say.

    Attributes:
        id: the shop's name in every id, link and command.
        also: what its platforms call it in their webhooks, where that is not the id: `acme.myshopify.com`.
        name: what customers read; over the brand's own.
        secrets: of each endpoint, by its last part (`events`, `shopify`, …); several at a time while they rotate.
        whatsapp_verify_token: of the question that WhatsApp asks first.
        api: the shop's own API, a URL as in `POSTLUDE_SHOP_URLS`.
        providers: who carries its messages.
        staff: who is told of what people have to mend, a URL as in `POSTLUDE_ALERT_URL`; `mailto:` is no secret.
        playbook: a file, read when none is published for the shop.
        templates: a folder laid over the shipped templates, copy and brand.
        brand: fields of `brand.yaml` laid over those of the folder, such as `postal_address` and `sender`.
        public_url: where its customers' pages are reached, where that is an address of its own.
        locale, time_zone, country: of a customer about whom the shop says nothing.
        soft_opt_in, confirm_boxes: countries, as the settings of these names.
    """

    id: Id
    also: Annotated[tuple[Id, ...], BeforeValidator(_listed)] = ()
    name: str | None = None
    secrets: Mapping[str, References] = {}
    whatsapp_verify_token: Reference | None = None
    api: Reference | None = None
    providers: Providers = Providers()
    staff: Annotated[str, AfterValidator(_staff)] | None = None
    playbook: Path | None = None
    templates: Path | None = None
    brand: Mapping[str, Any] = {}
    public_url: str | None = None
    locale: Annotated[str, AfterValidator(_locale)] | None = None
    time_zone: Annotated[str, AfterValidator(_zone)] | None = None
    country: Annotated[str, AfterValidator(_country)] | None = None
    soft_opt_in: tuple[str, ...] | None = None
    confirm_boxes: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _zone_of_a_country(self) -> Self:
        if self.time_zone is not None and self.country is None:
            # Whoever turns out to live elsewhere has another zone, which only the change of country tells.
            raise ValueError("time_zone: say the country it is in, too")
        return self


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop as it is configured.

    Attributes:
        id: its name in every id, link and command.
        names: the id, and what its platforms call it.
        secrets: of each endpoint, by its last part.
        settings: the deployment's, with the shop's own laid over them.
        brand: fields laid over those of `brand.yaml`.
        own_address: its pages are reached at an address of its own.
        playbook: what is published for it where none is; None where its journeys follow the deployment's.
        locale, time_zone, country: of a customer about whom the shop says nothing; None where it has no answer.
    """

    id: str
    names: frozenset[str]
    secrets: Mapping[str, Sequence[str]]
    settings: Settings
    brand: Mapping[str, Any]
    own_address: bool = False
    playbook: Path | None = None
    locale: str | None = None
    time_zone: str | None = None
    country: str | None = None


def load_shops(settings: Settings) -> dict[str, Shop]:
    """The shops that `POSTLUDE_SHOPS` names, by id; none where it is unset.

    Raises:
        SettingMissingError: a file cannot be read or says what no shop has, a secret is not where it is said to be,
            or two shops share an id, a name or a secret. Names the file and the field, never a secret.
    """
    if settings.shops is None:
        return {}
    shops: dict[str, Shop] = {}
    for path in _files(settings.shops):
        shop = _shop(path, settings)
        for other in shops.values():
            _check_apart(path, shop, other)
        shops[shop.id] = shop
    return shops


def _files(where: Path) -> list[Path]:
    if where.is_file():
        return [where]
    found = sorted(chain(where.glob("*.yaml"), where.glob("*/shop.yaml")))
    if not found:
        raise SettingMissingError(f"POSTLUDE_SHOPS: {where} has no shop: NAME.yaml or NAME/shop.yaml")
    return found


def _shop(path: Path, settings: Settings) -> Shop:
    said = _read(path)
    own: dict[str, object] = {}
    for channel, reference in said.providers.model_dump().items():
        if reference is not None:
            own[f"{channel}_url"] = SecretStr(_secret(path, f"providers.{channel}", reference))
    if said.staff is not None:
        staff = said.staff if said.staff.startswith("mailto:") else _secret(path, "staff", said.staff)
        own["alert_url"] = SecretStr(staff)
    # Its own API or none: the deployment's are of other shops.
    own["shop_urls"] = None if said.api is None else SecretStr(_secret(path, "api", said.api))
    if said.templates is not None:
        own["templates"] = _beside(path, "templates", said.templates)
    if said.public_url is not None:
        own["public_url"] = said.public_url
    own |= {
        name: _countries(path, name, given)
        for name in ("soft_opt_in", "confirm_boxes")
        if (given := getattr(said, name)) is not None
    }
    secrets = {
        endpoint: tuple(_secret(path, f"secrets.{endpoint}", one) for one in references)
        for endpoint, references in said.secrets.items()
    }
    if said.whatsapp_verify_token is not None:
        token = _secret(path, "whatsapp_verify_token", said.whatsapp_verify_token)
        own["whatsapp_verify_token"] = SecretStr(token)
    # The endpoints of other shops are not this one's.
    own |= dict.fromkeys(ENDPOINTS.values())
    if "twilio" in secrets:
        own["twilio_secret"] = SecretStr(secrets["twilio"][0])
    brand = dict(said.brand) | ({"name": said.name} if said.name is not None else {})
    return Shop(
        id=said.id,
        names=frozenset({said.id, *said.also}),
        secrets=secrets,
        settings=settings.model_copy(update=own),
        brand=brand,
        own_address=said.public_url is not None,
        playbook=None if said.playbook is None else _beside(path, "playbook", said.playbook),
        locale=said.locale,
        time_zone=said.time_zone,
        country=said.country,
    )


def _read(path: Path) -> ShopFile:
    try:
        found = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingMissingError(f"{path}: cannot be read: {type(error).__name__}") from error
    except DocumentError as error:
        # The library's own words quote the file, which may have a secret in it after all.
        why = f"no YAML: {_where(error.__cause__)}" if isinstance(error.__cause__, yaml.YAMLError) else str(error)
        raise SettingMissingError(f"{path}: {why}") from None
    if not isinstance(found, dict):
        raise SettingMissingError(f"{path}: a shop's file is a mapping, such as `id: acme`")
    default = path.parent.name if path.name == "shop.yaml" else path.stem
    try:
        said = ShopFile.model_validate({"id": default, **found})
    except ValidationError as error:
        raise SettingMissingError(f"{path}: {_said(error)}") from None
    unknown = sorted(set(said.secrets) - set(ENDPOINTS))
    if unknown:
        raise SettingMissingError(f"{path}: secrets.{unknown[0]}: no endpoint; known are {', '.join(ENDPOINTS)}")
    return said


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}" if mark is not None else "unreadable"


def _said(error: ValidationError) -> str:
    """Every field that is wrong, without what stands in it."""
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg'].removeprefix('Value error, ')}"
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    )


def _secret(path: Path, field: str, reference: str) -> str:
    kind, _, where = reference.partition(":")
    value = os.environ.get(where, "") if kind == "env" else _content(path, field, Path(where))
    if not value.strip():
        raise SettingMissingError(f"{path}: {field}: {reference} is {'not set' if kind == 'env' else 'empty'}")
    return value.strip()


def _content(path: Path, field: str, given: Path) -> str:
    file = given if given.is_absolute() else path.parent / given
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingMissingError(f"{path}: {field}: {file} cannot be read: {type(error).__name__}") from error


def _beside(path: Path, field: str, given: Path) -> Path:
    """A path as the shop's file means it: from where the file stands."""
    found = given if given.is_absolute() else path.parent / given
    if not found.exists():
        raise SettingMissingError(f"{path}: {field}: there is no {found}")
    return found


def _countries(path: Path, field: str, given: Sequence[str]) -> frozenset[str]:
    codes = {code: cleaning.country(code) for code in given}
    odd = sorted(code for code, country in codes.items() if country is None)
    if odd:
        raise SettingMissingError(f"{path}: {field}: {', '.join(odd)}: give two letters for each country (ISO 3166)")
    return frozenset(country for country in codes.values() if country is not None)


def _secrets_of(shop: Shop) -> Iterator[tuple[str, str]]:
    return ((endpoint, secret) for endpoint, secrets in shop.secrets.items() for secret in secrets)


def _check_apart(path: Path, shop: Shop, other: Shop) -> None:
    """Refuse two shops that could be taken for one another: a secret names the shop."""
    same = sorted(shop.names & other.names)
    if same:
        raise SettingMissingError(f"{path}: {same[0]} is {other.id}'s name already")
    for endpoint, _ in sorted(set(_secrets_of(shop)) & set(_secrets_of(other))):
        raise SettingMissingError(
            f"{path}: secrets.{endpoint}: {other.id} has the same one, and a secret says which shop speaks: "
            "give each its own"
        )
