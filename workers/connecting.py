"""Connections that wait for their server: at boot, and only there, being early is no error."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from temporalio.client import Client
from temporalio.contrib.pydantic import PydanticPayloadConverter, ToJsonOptions
from temporalio.converter import CompositePayloadConverter, DataConverter, PayloadCodec
from temporalio.envconfig import ClientConfig
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.service import RPCError

from store.pool import AWAY, Pool, connect
from workers.codec import encrypting

log = structlog.get_logger()
T = TypeVar("T")
_LONGEST = 10.0


_LEAN = PydanticPayloadConverter(to_json_options=ToJsonOptions(exclude_unset=True))


class LeanPayloadConverter(CompositePayloadConverter):
    """Pydantic's JSON without fields nobody set: an open journey is stored, and billed, by the byte.

    The SDK makes a converter for every open workflow. This one's parts, which keep nothing but a cache of types, are
    the same ones each time: a set for each was 2 to 3 KiB of every open journey, and every type compiled anew.
    """

    def __init__(self) -> None:
        super().__init__(*_LEAN.converters.values())


DATA_CONVERTER = DataConverter(payload_converter_class=LeanPayloadConverter)


async def temporal_client(
    *,
    address: str | None = None,
    metrics: str | None = None,
    codec: PayloadCodec | None = None,
    patience: float = 60.0,
) -> Client:
    """A client by Temporal's own environment and profiles; `address` overrides, `metrics` is HOST:PORT to serve on.

    `codec` is over all that it sends and reads, see `workers.codec`.

    Raises:
        RuntimeError, RPCError: the server was not there for `patience` seconds.
    """
    config = ClientConfig.load_client_connect_config()
    if address is not None:
        config["target_host"] = address
    config.setdefault("target_host", "127.0.0.1:7233")
    runtime = Runtime(telemetry=TelemetryConfig(metrics=PrometheusConfig(bind_address=metrics))) if metrics else None

    async def attempt() -> Client:
        return await Client.connect(**config, data_converter=encrypting(DATA_CONVERTER, codec), runtime=runtime)

    return await _patiently(attempt, "temporal", (RuntimeError, RPCError, OSError, ssl.SSLError), patience)


async def database(dsn: str, *, size: int = 10, patience: float = 60.0) -> Pool:
    """A connection pool, once the database answers.

    Raises:
        OSError, asyncpg.PostgresError: it did not for `patience` seconds.
    """
    return await _patiently(lambda: connect(dsn, size=size), "database", AWAY, patience)


async def _patiently(
    attempt: Callable[[], Awaitable[T]], what: str, passing: tuple[type[Exception], ...], patience: float
) -> T:
    waited, pause = 0.0, 0.2
    while True:
        try:
            return await attempt()
        except passing as error:
            if waited >= patience:
                raise
            log.warning("waiting_for_server", server=what, error=type(error).__name__)
            await asyncio.sleep(pause)
            waited, pause = waited + pause, min(pause * 2, _LONGEST)
