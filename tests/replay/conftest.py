"""What replaying needs beside the histories."""

import pytest

from journey.playbook import read_published
from tests.support.histories import FOLDER
from workflows.registry import PLAYBOOKS


@pytest.fixture(scope="package", autouse=True)
def recorded_playbooks() -> None:
    """The playbooks that the recorded journeys pinned."""
    for file in FOLDER.glob("playbooks/*.json"):
        PLAYBOOKS.add(file.stem, read_published(file.read_text()))
