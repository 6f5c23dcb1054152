"""Where a command finds its servers and secrets: the environment first, then the stack that is up on POSTLUDE_HOME.

The embedded stack makes its own secrets once and keeps them in `secrets.env` in the home, readable by its owner alone,
in a form that a shell can source.
"""

import base64
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from temporalio.envconfig import ClientConfig

from workers.embedded import StackAddresses, read_stack
from workers.settings import SettingMissingError, Settings

SECRETS_FILE: Final = "secrets.env"
_SECRETS: Final = ("secret_key", "webhook_secret", "shopify_secret", "easypost_secret")
_SECRET_BYTES: Final = 32


def secrets_of(home: Path, *, create: bool = False) -> dict[str, str]:
    """The secrets kept in a home, by setting name; with `create` those missing are made and kept (mode 0600).

    Raises:
        OSError: the home cannot be written.
    """
    path = home / SECRETS_FILE
    known: dict[str, str] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition("=")
            known[name.removeprefix("POSTLUDE_").lower()] = value
    missing = [name for name in _SECRETS if not known.get(name)]
    if create and missing:
        for name in missing:
            made = secrets.token_bytes(_SECRET_BYTES)
            # Standard Webhooks wants its secrets as whsec_ and base64; the others take any text.
            known[name] = f"whsec_{base64.b64encode(made).decode()}" if name == "webhook_secret" else made.hex()
        home.mkdir(parents=True, exist_ok=True)
        text = "".join(f"POSTLUDE_{name.upper()}={known[name]}\n" for name in _SECRETS)
        _write_closed(path, text)
    return {name: known[name] for name in _SECRETS if known.get(name)}


def with_secrets(settings: Settings, kept: Mapping[str, str]) -> Settings:
    """The settings with these secrets where the environment gave none."""
    found = {name: SecretStr(value) for name, value in kept.items() if getattr(settings, name) is None}
    return settings.model_copy(update=found)


def configured_temporal() -> str | None:
    """Temporal's address by its own environment and profiles; None when neither names one."""
    found = ClientConfig.load_client_connect_config().get("target_host")
    return str(found) if found else None


def temporal_address(settings: Settings) -> str | None:
    """The address to hand to `temporal_client`: None where the environment says it, else the running stack's.

    Raises:
        SettingMissingError: neither is there.
    """
    if configured_temporal() is not None:
        return None
    stack = read_stack(settings.home)
    if stack is None or stack.temporal_address is None:
        raise SettingMissingError(
            f"no Temporal server is known: set TEMPORAL_ADDRESS, or start `postlude up` on {settings.home}"
        )
    return stack.temporal_address


def resolved(settings: Settings) -> Settings:
    """The settings with addresses and secrets of the stack on POSTLUDE_HOME where the environment gave none."""
    stack = read_stack(settings.home)
    if stack is None:
        return settings
    return with_secrets(with_addresses(settings, stack), secrets_of(settings.home))


def with_addresses(settings: Settings, stack: StackAddresses) -> Settings:
    """The settings with a stack's database and mail catcher where the environment gave none."""
    changes: dict[str, object] = {}
    if settings.database_url is None and stack.database_url is not None:
        changes["database_url"] = stack.database_url
    if settings.email_url is None and stack.smtp_url is not None:
        changes["email_url"] = SecretStr(stack.smtp_url)
    return settings.model_copy(update=changes)


def _write_closed(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
