"""Files that commands read: playbooks, and orders.

An order is the canonical `order.created` event, or its bare data, as JSON. Its file may leave out when it was placed:
then that is the moment at which the file is read. So an example stays an order of today.
"""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from activities.shops.protocol import Delivery
from activities.shops.standard import StandardWebhooks
from journey.playbook import Playbook, PlaybookError, load_playbook
from starters.commands.support import CommandError
from store.intake import OrderCreated

# Translating needs no signature; the adapter wants a secret of the right form all the same.
_UNUSED_SECRET: Final = "whsec_" + base64.b64encode(bytes(24)).decode()


def read_order(file: Path, *, secret_key: str) -> tuple[OrderCreated, bytes]:
    """The order in a file, and the event as JSON bytes; `secret_key` keys the ids of guests.

    The bytes are those of the file, also where it names no moment: the same file is the same order another day.

    Raises:
        CommandError: the file cannot be read, is not JSON, or holds another event.
        Malformed: a field is wrong; named.
    """
    body = json.dumps(_envelope(file)).encode()
    adapter = StandardWebhooks(_UNUSED_SECRET, secret_key=secret_key)
    # As a webhook that is sent now: its own header says when, where the body does not.
    headers = {"webhook-timestamp": str(datetime.now(UTC).timestamp())}
    match adapter.translate(Delivery(headers, body)):
        case [OrderCreated() as event]:
            return event, body
    raise CommandError(f"{file} is no order: its type must be order.created")


def read_playbook(file: Path) -> Playbook:
    """The playbook in a file.

    Raises:
        CommandError: it cannot be read, or is none; says where and why.
    """
    try:
        return load_playbook(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} is not UTF-8 text") from error
    except PlaybookError as error:
        raise CommandError(f"{file.name}: {error}") from error


def _envelope(file: Path) -> dict[str, Any]:
    try:
        given = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CommandError(f"{file} is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise CommandError(f"{file} is no order: it must be a JSON object")
    if "type" in given:
        return given
    return {"type": "order.created", "data": given}
