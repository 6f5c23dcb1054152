"""Published playbooks in a worker: read once, and what cannot be read is seen."""

import json

import pytest
from structlog.testing import capture_logs

from journey.playbook import Playbook
from store import playbooks
from store.pool import Pool
from workers.worker import load_playbooks
from workflows.registry import PlaybookRegistry, UnknownPlaybookError, UnreadablePlaybookError


async def stored(pool: Pool, digest: str, content: str) -> None:
    await pool.execute("INSERT INTO playbooks (digest, name, content) VALUES ($1, 'stored', $2)", digest, content)


async def test_a_playbook_beyond_todays_limits_is_loaded(pool: Pool, playbook: Playbook) -> None:
    """A journey that pinned a playbook goes on, whatever authors are refused by now."""
    content = json.loads(playbook.compact)
    content["touches"][0]["priority"] = 1000
    await stored(pool, "beyond", json.dumps(content))
    known = PlaybookRegistry()
    await load_playbooks(pool, known)
    assert known.get("beyond").touches[0].priority == 1000


async def test_a_playbook_of_a_newer_version_is_named_once_in_the_log_and_in_each_failed_task(
    pool: Pool, playbook: Playbook
) -> None:
    """Operators read the digest and the word that is not known; journeys of other playbooks go on."""
    await playbooks.publish(pool, playbook)
    await stored(pool, "newer", json.dumps(json.loads(playbook.compact) | {"sings": True}))
    known = PlaybookRegistry()
    with capture_logs() as said:
        await load_playbooks(pool, known)
        await load_playbooks(pool, known)
    assert [(line["event"], line["playbook"]) for line in said] == [("playbook_unreadable", "newer")]
    assert "sings" in said[0]["why"]
    assert known.unreadable == 1
    with pytest.raises(UnreadablePlaybookError, match=r"newer.*sings"):
        known.get("newer")
    assert known.get(playbook.digest) == playbook
    with pytest.raises(UnknownPlaybookError):
        known.get("never published")
