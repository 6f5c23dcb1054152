"""A tracking API on loopback in the shape of 17TRACK's, which counts what it is asked.

`POST /track/v2.2/gettrackinfo` for up to 40 numbers (https://asset.17track.net/api/document/v2.2_en/index.html).
"""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Self

_OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"


class Tracking:
    """Knows every parcel: picked up at `since`, on its way an hour later, and at yet another hub where it has news."""

    def __init__(self, since: datetime) -> None:
        self.since = since
        self.moved: set[str] = set()
        self.requests = 0
        self.parcels = 0
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """What `POSTLUDE_CARRIER_URLS` would say."""
        if self._server is None:
            raise RuntimeError("the carrier is not started")
        return f"17track://key@127.0.0.1:{self._server.sockets[0].getsockname()[1]}?insecure=1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
                numbers = [one["number"] for one in json.loads(await reader.readexactly(length))]
                self.requests += 1
                self.parcels += len(numbers)
                data = {"accepted": [self._parcel(number) for number in numbers], "rejected": []}
                body = json.dumps({"code": 0, "data": data}).encode()
                writer.write(_OK % (len(body), body))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _parcel(self, number: str) -> dict[str, Any]:
        events = [_event(self.since, "InTransit_PickedUp"), _event(self.since + timedelta(hours=1), "InTransit_Other")]
        if number in self.moved:
            events.append(_event(self.since + timedelta(hours=2), "InTransit_Arrival"))
        latest = {"status": "InTransit", "sub_status": events[-1]["sub_status"]}
        provider = {"provider": {"key": 100001, "name": "DHL"}, "events": events[::-1]}
        info = {"latest_status": latest, "latest_event": events[-1], "tracking": {"providers": [provider]}}
        return {"number": number, "carrier": 100001, "track_info": info}


def _event(at: datetime, sub_status: str) -> dict[str, Any]:
    return {
        "time_utc": at.astimezone(UTC).isoformat(),
        "description": "Processed",
        "location": "Leipzig, DE",
        "sub_status": sub_status,
    }
