"""What the mail APIs that sign their bodies, speak forms or answer in headers have in common."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from activities.messaging.exchange import Answer, exchange, failure
from activities.messaging.protocol import Receipt


async def post(
    http: Any, path: str, content: bytes, headers: Mapping[str, str], explain: Callable[[Answer], Receipt | None]
) -> Answer | Receipt:
    """POST bytes: the answer of a 2xx, else what its failure means for the message. Nothing is raised.

    `explain` reads a failure first, where a vendor says more than HTTP does.
    """
    # What comes back is read as it is on the wire.
    answer = await exchange(http, path, content, {**headers, "accept-encoding": "identity"})
    if not isinstance(answer, Answer) or answer.success:
        return answer
    return explain(answer) or failure(answer)


def body_of(answer: Answer) -> dict[str, Any]:
    """The JSON object in an answer, empty where there is none."""
    try:
        parsed = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}
