"""A vendor on loopback, byte for byte: for APIs that take forms or ciphertext and answer in text or not at all."""

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from tests.support.sockets import HOST, Request, SocketServer


class Asked(Request):
    """One request as it came."""

    @property
    def path(self) -> str:
        return self.target

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


class StandIn(SocketServer):
    """Answers each request with the next of `script`, else by `usual`; keeps every request."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Asked] = []
        self.script: deque[Said] = deque()

    @property
    def origin(self) -> str:
        return f"http://{HOST}:{self.port}"

    def then(self, *answers: Said) -> None:
        """Answer the next requests like this."""
        self.script.extend(answers)

    def usual(self, request: Asked) -> Said:  # noqa: ARG002  for vendors with a mind of their own
        """What is answered when nothing was scripted."""
        return Said()

    async def answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer as scripted."""
        asked = Asked(request.method, request.target, request.headers, request.body)
        self.asked.append(asked)
        said = self.script.popleft() if self.script else self.usual(asked)
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
