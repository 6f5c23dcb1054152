"""The books of one empty database."""

import pytest

from journey.playbook import Playbook
from store.pool import Pool
from tests.store.books import Books
from tests.store.first_night import known

__all__ = ["books", "known"]


@pytest.fixture
def books(pool: Pool, playbook: Playbook) -> Books:
    return Books(pool, playbook)
