"""A vendor on loopback, byte for byte: for APIs that take forms or ciphertext and answer in text or not at all."""

import asyncio
import json
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Asked:
    """One request as it came; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode(), strict_parsing=True).items()}


@dataclass(frozen=True)
class Said:
    """One answer. `hang` gives none until the client leaves, `cut` breaks it off, `endless` never stops talking."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    manner: str = "plain"


class StandIn:
    """Answers each request with the next of `script`, else by `usual`; keeps every request."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.script: deque[Said] = deque()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def origin(self) -> str:
        return f"http://{HOST}:{self.port}"

    def then(self, *answers: Said) -> None:
        """Answer the next requests like this."""
        self.script.extend(answers)

    def usual(self, request: Asked) -> Said:  # noqa: ARG002  for vendors with a mind of their own
        """What is answered when nothing was scripted."""
        return Said()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
            for writer in tuple(self._open):
                writer.transport.abort()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        request = Asked(method, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))
        self.asked.append(request)
        said = self.script.popleft() if self.script else self.usual(request)
        if said.manner == "hang":
            await reader.read()
            return False
        body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
        length = {} if said.manner == "endless" else {"Content-Length": str(len(body))}
        lines = [f"HTTP/1.1 {said.status} Said", *(f"{n}: {v}" for n, v in {**length, **said.headers}.items()), "", ""]
        whole = "\r\n".join(lines).encode() + body
        if said.manner == "endless":
            writer.write(whole)
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        writer.write(whole[:-1] if said.manner == "cut" else whole)
        await writer.drain()
        return said.manner != "cut"
