"""`postlude playbook list`: what is published, and who follows it."""

import asyncio
import json
from functools import partial
from pathlib import Path

from journey.playbook import Playbook
from store import playbooks
from store.pool import Pool
from tests.cli.commands import postlude, servers
from tests.support.orders import Order, put
from workers.embedded import EmbeddedStack


async def test_published_playbooks_are_listed_with_their_open_journeys(
    stack: EmbeddedStack, database_url: str, pool: Pool, playbook: Playbook, tmp_path: Path
) -> None:
    """Also one that a newer version wrote: its digest, the word that is not known, and how many journeys wait."""
    await playbooks.publish(pool, playbook)
    newer = json.dumps(json.loads(playbook.compact) | {"sings": True})
    await pool.execute("INSERT INTO playbooks (digest, name, content) VALUES ('newer', 'newer', $1)", newer)
    for number, digest in enumerate((playbook.digest, "newer", "newer")):
        await put(pool, Order(f"o-{number}"), digest)
    listing = partial(postlude, "playbook", "list", environment=servers(stack, database_url, tmp_path), timeout=300)
    ran = await asyncio.to_thread(listing)
    assert ran.code == 0, ran.err
    lines = dict(line.split(" ", 1) for line in ran.out.splitlines())
    assert lines[playbook.digest] == "default: 1 open journey, new journeys follow it"
    assert lines["newer"].startswith("cannot be read by this version: sings")
    assert lines["newer"].endswith(": 2 open journeys")
