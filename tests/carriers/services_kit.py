"""What the tests of services share: a server that is stopped again, and what every poller has to bear."""

from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from activities.carriers.protocol import Asked
from activities.vendors.http import VendorBusyError, VendorGarbledError
from tests.carriers.services_server import AWAY, CUT, GARBLED, SLOW, TOO_MANY


@asynccontextmanager
async def serving(api):
    """The server, and a poller that is pointed at it."""
    await api.start()
    poller = api.poller()
    try:
        yield api, poller
    finally:
        await poller.aclose()
        await api.stop()


async def bear(api, parcel):
    """Put a poller through every way in which an API fails; it says each time what happened, and asks on."""
    async with serving(api) as (_, poller):
        for misdeed, rule, retry_after in [
            (TOO_MANY, "http_429", timedelta(seconds=7)),
            (AWAY, "http_503", None),
            (CUT, "no_answer", None),
            (SLOW, "no_answer", None),
        ]:
            api.then(misdeed)
            with pytest.raises(VendorBusyError) as caught:
                await poller.ask([parcel])
            assert (rule, retry_after) == (caught.value.rule, caught.value.retry_after)
        assert (await poller.ask([parcel]))[parcel.tracking_number].scans
        api.then(GARBLED)
        with pytest.raises(VendorGarbledError):
            await poller.ask([parcel])


async def break_circuit(api, parcel):
    """Fail five times in a row, then ask again: how many requests the sixth made, and what it raised."""
    async with serving(api) as (_, poller):
        api.then(*[AWAY] * 5)
        for _ in range(5):
            with pytest.raises(VendorBusyError):
                await poller.ask([parcel])
        before = len(api.asked)
        with pytest.raises(VendorBusyError) as caught:
            await poller.ask([parcel])
        return len(api.asked) - before, caught.value.rule


async def with_wrong_key(api, parcel):
    """What a poller says whose key the API does not take."""
    await api.start()
    poller = api.poller("no")
    try:
        with pytest.raises(VendorBusyError) as caught:
            await poller.ask([parcel])
        return caught.value.rule
    finally:
        await poller.aclose()
        await api.stop()


def asked(number, carrier=None, **more):
    return Asked(number, carrier, **more)


def summary(scans):
    """The scans in brief: moment, status and reason, by moment."""
    return sorted(
        (scan.at.isoformat(), scan.status.value, scan.reason.value if scan.reason else None) for scan in scans
    )
