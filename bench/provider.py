"""A mail provider on loopback in the shape of Resend's API, which notes when each request reached it."""

import asyncio
import json
import time
from typing import Self

_OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"


class Provider:
    """Accepts every mail at once over kept connections. `arrived` is by order id and touch, monotonic seconds."""

    def __init__(self) -> None:
        self.arrived: dict[tuple[str, str], float] = {}
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """What `POSTLUDE_EMAIL_URL` would say."""
        if self._server is None:
            raise RuntimeError("the provider is not started")
        return f"resend://key@127.0.0.1:{self._server.sockets[0].getsockname()[1]}?insecure=1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                at = time.monotonic()
                headers = dict(
                    line.lower().split(": ", 1) for line in head.decode("latin-1").split("\r\n") if ": " in line
                )
                key = headers["idempotency-key"]
                _, order_id, touch, _ = key.split("/")
                self.arrived.setdefault((order_id, touch.partition(":")[0]), at)
                await reader.readexactly(int(headers["content-length"]))
                body = json.dumps({"id": key}).encode()
                writer.write(_OK % (len(body), body))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
