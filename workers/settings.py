"""Configuration: environment only. Temporal's own variables are read by `temporalio.envconfig`."""

import ipaddress
import re
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from journey.consent import Policy

_COUNTRY = re.compile(r"[A-Z]{2}")


def _countries(value: object) -> object:
    """`gb, IE` as a shop writes it."""
    return frozenset(value.upper().replace(",", " ").split()) if isinstance(value, str) else value


def _all_countries(codes: frozenset[str]) -> frozenset[str]:
    odd = sorted(code for code in codes if not _COUNTRY.fullmatch(code))
    if odd:
        raise ValueError(f"{', '.join(odd)}: give two letters for each country (ISO 3166), such as GB IE")
    return codes


# Not decoded: pydantic-settings would want JSON.
_Countries = Annotated[frozenset[str], NoDecode, BeforeValidator(_countries), AfterValidator(_all_countries)]


class Settings(BaseSettings):
    """`POSTLUDE_*`. What is unset is closed, or, for servers, embedded."""

    model_config = SettingsConfigDict(env_prefix="POSTLUDE_", env_file=".env", env_ignore_empty=True, extra="ignore")

    home: Path = Path(".postlude")
    shops: Path | None = None
    database_url: str | None = None
    public_url: str = "http://127.0.0.1:8000"
    listen: str = "127.0.0.1:8000"
    operations_listen: str = "127.0.0.1:8001"
    dev_listen: str = "127.0.0.1:8002"
    playbook: Path | None = None
    templates: Path | None = None
    email_url: SecretStr | None = None
    sms_url: SecretStr | None = None
    whatsapp_url: SecretStr | None = None
    push_url: SecretStr | None = None
    web_push_url: SecretStr | None = None
    alert_url: SecretStr | None = None
    shop_urls: SecretStr | None = None
    carrier_urls: SecretStr | None = None
    soft_opt_in: _Countries = frozenset()
    confirm_boxes: _Countries = frozenset()
    secret_key: SecretStr | None = None
    link_keys: SecretStr | None = None
    payload_keys: SecretStr | None = None
    codec_origin: str | None = None
    test_orders: bool = False
    webhook_secret: SecretStr | None = None
    shopify_secret: SecretStr | None = None
    woocommerce_secret: SecretStr | None = None
    bigcommerce_secret: SecretStr | None = None
    easypost_secret: SecretStr | None = None
    aftership_secret: SecretStr | None = None
    shippo_secret: SecretStr | None = None
    seventeentrack_secret: SecretStr | None = None
    resend_secret: SecretStr | None = None
    sendgrid_key: SecretStr | None = None
    postmark_login: SecretStr | None = None
    mailgun_secret: SecretStr | None = None
    ses_topics: SecretStr | None = None
    twilio_secret: SecretStr | None = None
    whatsapp_secret: SecretStr | None = None
    whatsapp_verify_token: SecretStr | None = None
    task_queue: str = "postlude"
    deployment_name: str | None = None
    build_id: str | None = None
    versioning: Literal["pinned", "auto_upgrade"] = "auto_upgrade"
    graceful_shutdown_seconds: int = Field(default=30, ge=0)
    max_cached_workflows: int = Field(default=5_000, ge=0)
    concurrent_activities: int = Field(default=50, ge=1)
    worker_metrics: str | None = None
    workflow_sandbox: bool = False
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @cached_property
    def playbook_path(self) -> Path:
        """The playbook that is published when none is: `POSTLUDE_PLAYBOOK`, else the one that ships."""
        return self.playbook or shipped_playbooks() / "default.yaml"

    @cached_property
    def policy(self) -> Policy:
        """What this shop does about consent beyond the law's least: `soft_opt_in` and `confirm_boxes`."""
        return Policy(soft_opt_in=self.soft_opt_in, confirm_boxes=self.confirm_boxes)

    @property
    def keys_of_links(self) -> list[str]:
        """What customers' links are signed with, the newest first: `POSTLUDE_LINK_KEYS`, else the secret key.

        Raises:
            SettingMissingError: neither is set.
        """
        return (self.given("link_keys") or "").split() or [self.needed("secret_key")]

    @property
    def twilio_callback(self) -> str | None:
        """Where Twilio is to tell what became of a message: `callback` of `Text` and `WhatsApp`.

        None while that endpoint is closed, and where nobody outside can reach it: Twilio refuses a message whose
        callback it cannot use (https://www.twilio.com/docs/api/errors/21609).
        """
        if self.twilio_secret is None or not _is_outside(self.public_url):
            return None
        return f"{self.public_url.rstrip('/')}/webhooks/twilio"

    def given(self, name: str) -> str | None:
        """A setting that this process can do without; None when it is unset."""
        return None if getattr(self, name) is None else self.needed(name)

    def needed(self, name: str) -> str:
        """A setting that this process cannot do without.

        Raises:
            SettingMissingError: it is unset.
        """
        value = getattr(self, name)
        if value is None:
            raise SettingMissingError(
                f"POSTLUDE_{name.upper()} is not set, and this process needs it (`postlude up` brings its own)"
            )
        return value.get_secret_value() if isinstance(value, SecretStr) else str(value)

    def host_and_port(self, name: str) -> tuple[str, int]:
        """`listen`, `operations_listen`, `dev_listen` or `worker_metrics` split at the last colon.

        Raises:
            SettingMissingError: it is unset, or not HOST:PORT.
        """
        host, colon, port = self.needed(name).rpartition(":")
        if not colon or not port.isdecimal():
            raise SettingMissingError(f"POSTLUDE_{name.upper()} must be HOST:PORT, such as 127.0.0.1:8000")
        return host, int(port)


class SettingMissingError(Exception):
    """A setting is missing or malformed; the message names it."""


def _is_outside(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return "." in host.strip(".") and not host.endswith(".localhost")


def shipped_playbooks() -> Path:
    """The folder of the playbook, templates, copy and brand that ship with Postlude."""
    return Path(str(resources.files("playbooks")))
