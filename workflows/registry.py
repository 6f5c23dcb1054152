"""The playbooks this process knows, by digest.

A digest names the same rules for ever, so looking one up inside a workflow is deterministic. A workflow that
needs one this process has not loaded yet fails its task; Temporal hands it out again and the loader, which was
woken by the miss, has it by then.
"""

from collections.abc import Callable

from journey.playbook import Playbook


class UnknownPlaybookError(LookupError):
    """No playbook of that digest is loaded in this process (yet)."""


def _nothing() -> None:
    """Nobody loads playbooks here."""


class PlaybookRegistry:
    """Playbooks by digest. `on_miss` is called, from the workflow's thread, when one is missing."""

    def __init__(self) -> None:
        self._known: dict[str, Playbook] = {}
        self.on_miss: Callable[[], object] = _nothing

    def add(self, digest: str, playbook: Playbook) -> None:
        """Make a playbook known under the digest it was published with."""
        self._known[digest] = playbook

    def __contains__(self, digest: str) -> bool:
        return digest in self._known

    def digests(self) -> list[str]:
        """Every digest known."""
        return list(self._known)

    def get(self, digest: str) -> Playbook:
        """The playbook of that digest.

        Raises:
            UnknownPlaybookError: it is not loaded; the loader has been woken.
        """
        playbook = self._known.get(digest)
        if playbook is None:
            self.on_miss()
            raise UnknownPlaybookError(f"playbook {digest} is not loaded: publish it, or wait for the next refresh")
        return playbook


PLAYBOOKS = PlaybookRegistry()
"""This process's playbooks: the worker fills it, workflows and activities read it."""
