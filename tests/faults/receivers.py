"""The receiving side: what really arrived, whatever the ledger believes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from workers.mail_catcher import AnswerLate, Behaviour, CaughtMail, MailCatcher

Pause = Callable[[], float]
"""How many seconds the answer to one message takes, the message being taken already."""


@dataclass(frozen=True)
class Arrival:
    """One message in a customer's inbox; `order` is `shop/order_id`."""

    order: str
    touch: str
    message_id: str


def caught(catcher: MailCatcher, shop: str) -> list[Arrival]:
    """What came to a shop's customers by SMTP."""
    prefix = f"{shop}/"
    return [
        Arrival(mail.order, mail.touch or "", mail.message_id)
        for mail in catcher.messages()
        if mail.order and mail.order.startswith(prefix)
    ]


def slow_to_answer(pause: Pause) -> Behaviour:
    """An SMTP server that keeps every message at once and says so a little later, as real relays do."""

    def behave(_mail: CaughtMail) -> str | Awaitable[str | None] | None:
        raise AnswerLate(pause())

    return behave


class IdempotentProvider:
    """Resend's `POST /emails`: a repeated `Idempotency-Key` is answered with the first send and delivers nothing.

    The same key with another body is answered with 409, as Resend does. `repeats` counts both.
    """

    def __init__(self, pause: Pause) -> None:
        self.arrivals: list[Arrival] = []
        self.repeats = 0
        self._taken: dict[str, tuple[bytes, str]] = {}
        self._pause = pause
        self.app = FastAPI()
        self.app.post("/emails")(self._send)

    async def _send(self, request: Request) -> Response:
        key, body = request.headers["idempotency-key"], await request.body()
        if known := self._taken.get(key):
            self.repeats += 1
            if known[0] != body:
                return JSONResponse({"name": "invalid_idempotent_request"}, status_code=409)
            return JSONResponse({"id": known[1]})
        message = await request.json()
        provider_id = f"re-{len(self._taken)}"
        self._taken[key] = (body, provider_id)
        headers = message["headers"]
        self.arrivals.append(Arrival(headers["X-Postlude-Order"], headers["X-Postlude-Touch"], headers["Message-ID"]))
        await asyncio.sleep(self._pause())
        return JSONResponse({"id": provider_id})
