"""The sample shop's own backend, as docs/shops.md asks of one: it does what remedies want, and keeps a book of it."""

import base64
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from standardwebhooks import Webhook, WebhookVerificationError

_PATH: Final = "/api/postlude"
_GIVEN: Final = re.compile(rf"{_PATH}/orders/([^/]+)/given")
# What its references begin with, by what was asked for.
_REFERENCES: Final = {"reserve": "V", "replacement": "R", "refund": "P", "coupon": "MADEGOOD"}
_UNDOES: Final = {"release": "reserve", "cancel_replacement": "replacement", "withdraw_coupon": "coupon"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was asked for and done. `amount` is a decimal number in `currency`, as it came."""

    kind: str
    order_id: str
    reference: str
    amount: str
    currency: str
    lines: list[dict[str, Any]]


@dataclass
class Backend:
    """The book of the shop named `shop`; served in threads of its own, so every touch of it is under one lock."""

    shop: str
    secret: str = field(default_factory=lambda: f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}")
    _done: dict[str, Entry] = field(default_factory=dict, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def book(self, order_id: str) -> list[Entry]:
        """What was done for an order, in the order in which it was."""
        with self._lock:
            return [entry for entry in self._done.values() if entry.order_id == order_id]

    def do(self, key: str, asked: Mapping[str, Any]) -> str:
        """Do what is asked, or nothing when that key was seen; the reference either way."""
        with self._lock:
            if key not in self._done:
                kind = asked["kind"]
                made = self._reference(kind, asked["order_id"])
                self._done[key] = Entry(
                    kind, asked["order_id"], made, asked["amount"], asked["currency"], asked["skus"]
                )
            return self._done[key].reference

    def given(self, order_id: str) -> list[dict[str, Any]]:
        """What stands of the refunds and replacements of an order, as docs/shops.md has it."""
        with self._lock:
            undone = {
                key.removesuffix(":cancel_replacement") for key in self._done if key.endswith("cancel_replacement")
            }
            return [
                {
                    "kind": entry.kind,
                    "reference": entry.reference,
                    "amount": entry.amount if entry.kind == "refund" else "0",
                    "lines": entry.lines,
                    "key": key.removesuffix(f":{entry.kind}"),
                }
                for key, entry in self._done.items()
                if entry.order_id == order_id
                and entry.kind in {"refund", "replacement"}
                and key.removesuffix(f":{entry.kind}") not in undone
            ]

    def _reference(self, kind: str, order_id: str) -> str:
        """Such as `R-1006`; what undoes is called what it undoes."""
        of = _UNDOES.get(kind, kind)
        again = sum(entry.kind == of and entry.order_id == order_id for entry in self._done.values())
        number = f"{order_id}-{again + 1}" if again and of == kind else order_id
        return f"{_REFERENCES[of]}-{number}"

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve it on loopback; yields its URL for POSTLUDE_SHOP_URLS."""
        book = self

        class Handler(_Handler):
            backend = book

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
            thread.start()
            try:
                host, port = server.server_address[:2]
                user = quote(self.secret, safe="")
                yield f"backend://{user}@{host!s}:{port}{_PATH}?shop={self.shop}&insecure=1"
            finally:
                server.shutdown()
                thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Its three addresses."""

    protocol_version = "HTTP/1.1"
    # One packet an answer: written piece by piece, each would wait for the one before it to be acknowledged.
    wbufsize = -1
    backend: Backend

    def do_GET(self) -> None:
        """No orders: everything here is told by webhook at once, and none was ever lost."""
        if not self._signed(f"GET {self.path}"):
            return
        asked = urlsplit(self.path).path
        given = _GIVEN.fullmatch(asked)
        if asked == f"{_PATH}/orders":
            self._answer(HTTPStatus.OK, {"events": [], "orders": 0})
        elif given is not None:
            self._answer(HTTPStatus.OK, {"given": self.backend.given(unquote(given[1]))})
        else:
            self._answer(HTTPStatus.NOT_FOUND, {})

    def do_POST(self) -> None:
        """A remedy, or what undoes one."""
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        if not self._signed(body):
            return
        asked = json.loads(body)
        if self.path != f"{_PATH}/remedies" or asked["kind"] not in _REFERENCES | _UNDOES:
            self._answer(HTTPStatus.NOT_FOUND, {})
            return
        self._answer(HTTPStatus.OK, {"reference": self.backend.do(self.headers["idempotency-key"], asked)})

    def _signed(self, content: str) -> bool:
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            Webhook(self.backend.secret).verify(content, headers, json_parse=False)
        except WebhookVerificationError:
            self._answer(HTTPStatus.UNAUTHORIZED, {})
            return False
        return True

    def _answer(self, status: HTTPStatus, document: Mapping[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
        """Say nothing: the book says what was done."""
