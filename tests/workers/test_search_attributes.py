"""What a namespace lacks is registered at boot."""

import asyncio
import uuid

from tests.support.patience import PATIENCE
from workers.search_attributes import register
from workflows.journey_input import SEARCH_ATTRIBUTES


async def test_a_process_registers_what_its_namespace_lacks(client):
    """A new version's names are made known; a later look finds nothing missing."""
    wanted = {**SEARCH_ATTRIBUTES, f"Test{uuid.uuid4().hex[:6]}": "Keyword"}
    assert not await register(client, wanted)
    async with asyncio.timeout(PATIENCE):
        while not await register(client, wanted):  # noqa: ASYNC110  a server's cache tells nobody
            await asyncio.sleep(0.1)
