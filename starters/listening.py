"""HTTP servers on sockets of their own: what listens, for whom, and how it ends."""

import asyncio
import socket
from collections.abc import AsyncIterator, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from starters.limits import USUAL, BoundedBodies, Limits, Patient
from starters.operations import OwnHosts, is_loopback
from workers.settings import Settings

_KEPT_SECONDS = 20


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 means a free one.

    Raises:
        OSError: the address is taken or not this machine's.
    """
    # With the protocol named, asyncio switches Nagle's algorithm off on what is accepted here; without, an answer on
    # a kept connection waits 40 ms for an acknowledgement.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"{host}:{port}: {error.strerror}") from error
    return listener


def listen_as_asked(settings: Settings, name: str) -> socket.socket:
    """A socket on the address of a setting; of its default, the port may be another when it is taken.

    Raises:
        SettingMissingError: it is not HOST:PORT.
        OSError: the address that was asked for is taken.
    """
    host, port = settings.host_and_port(name)
    try:
        return listen(host, port)
    except OSError:
        if name in settings.model_fields_set:
            raise
        return listen(host, 0)


def url_of(listener: socket.socket) -> str:
    """How this machine reaches a socket."""
    host, port = listener.getsockname()[:2]
    local = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104  compared
    return f"http://{local}:{port}"


@asynccontextmanager
async def served(
    app: ASGIApp, listener: socket.socket, *, finish: int | None = None, limits: Limits = USUAL
) -> AsyncIterator[str]:
    """Run an app on a socket, within `limits`; yields its URL. Leaving gives what is under way `finish` seconds."""
    config = uvicorn.Config(
        BoundedBodies(app, limits),
        http=Patient.within(limits),
        ws="none",
        log_config=None,  # ours stands; uvicorn's access log would write signed links down
        access_log=False,
        server_header=False,
        # Longer than the five seconds for which clients keep one: what is asked on a connection that is just being
        # closed is lost. `Limits.head_seconds` ends it before that.
        timeout_keep_alive=_KEPT_SECONDS,
        timeout_graceful_shutdown=finish,
    )
    server = _Server(config)
    url = url_of(listener)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if task.done():
                await task
                raise RuntimeError("the HTTP server ended while it started")
            await asyncio.sleep(0.01)
        yield url
    finally:
        server.should_exit = True
        await task


def for_operators(app: ASGIApp, listener: socket.socket, *, anywhere: bool = False) -> AbstractAsyncContextManager[str]:
    """Run an app that is no customer's: on loopback, or `anywhere`, only for who asks by a name of this machine.

    Elsewhere it is asked by the name that it has there, as a container is.
    """
    host = listener.getsockname()[0]
    return served(OwnHosts(app, host) if anywhere or is_loopback(host) else app, listener, finish=1)


class _Server(uvicorn.Server):
    """A server that leaves signals to the process it runs in."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield
