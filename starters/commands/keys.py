"""`postlude keys`: keys that are nobody's to hand out but the shop's own."""

from typing import Annotated, Final
from urllib.parse import quote, urlsplit

import typer
from cryptography.hazmat.primitives.asymmetric import ec

from activities.messaging.push.subscription import base64url
from activities.messaging.push.web_push import WebPush
from starters.commands.support import CommandError, settings_from_environment
from starters.terminal import echo

app = typer.Typer(help="Keys.", no_args_is_help=True)
_KEY_BYTES: Final = 32


@app.callback()
def keys() -> None:
    """Keys."""


@app.command("vapid")
def vapid(
    subject: Annotated[
        str, typer.Option(help="Where a push service finds a person: mailto: or https://.")
    ] = "mailto:ops@example.com",
) -> None:
    """The public key that browsers subscribe with (RFC 8292): of POSTLUDE_WEB_PUSH_URL, or of a new pair.

    A new pair ends every subscription that was made with the old one, so keep it.
    """
    given = settings_from_environment().given("web_push_url")
    url = given.split()[0] if given and given.strip() else _new(subject)
    try:
        public = WebPush(urlsplit(url)).public_key
    except ValueError as error:
        raise CommandError(
            str(error).replace("POSTLUDE_WEB_PUSH_URL: needs ?subject=", "the subject must be ")
        ) from None
    if given is None:
        echo(f"POSTLUDE_WEB_PUSH_URL={url}")
    echo(f"applicationServerKey: {public}")


def _new(subject: str) -> str:
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    private = base64url(number.to_bytes(_KEY_BYTES, "big"))
    return f"vapid://{private}@?subject={quote(subject, safe=':/')}"
