"""Mails for the contract tests, and a wire that only notes what is asked."""

import json
from dataclasses import replace

import httpx

from activities.messaging.protocol import Mail

LINK = "https://shop.test/u/" + "eyJrIjoxfQ." * 60 + "sig"
LIST_UNSUBSCRIBE = (("List-Unsubscribe", f"<{LINK}>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
PLAIN = Mail(
    key="acme/1001/care/0",
    message_id="<acme.1001.care.0@shop.test>",
    sender="shop@shop.test",
    sender_name="Shop",
    to="ada@example.com",
    reply_to="help@shop.test",
    subject="Hello",
    html="<p>Hello Ada</p>",
    text="Hello Ada",
    headers=(("X-Postlude-Order", "acme/1001"), *LIST_UNSUBSCRIBE),
)


def mail(**changes: object) -> Mail:
    """A harmless marketing mail, unless changed."""
    return replace(PLAIN, **changes)  # type: ignore[arg-type]  # each test changes texts for texts


class Noted(httpx.AsyncBaseTransport):
    """A transport that keeps every request and answers each with the same JSON and headers."""

    def __init__(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        self.asked: list[httpx.Request] = []
        self._answer = status, json.dumps(body).encode(), headers or {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        status, body, headers = self._answer
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))
