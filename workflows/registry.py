"""The playbooks this process knows, by digest.

A digest names the same rules for ever, so looking one up inside a workflow is deterministic. A workflow that
needs one this process has not loaded yet fails its task; Temporal hands it out again and the loader, which was
woken by the miss, has it by then. One that this process cannot read, because a newer version published it, fails the
task for as long as only such processes take it: the task's failure says so in the Temporal UI.
"""

from collections.abc import Callable

from journey.playbook import Playbook


class UnknownPlaybookError(LookupError):
    """No playbook of that digest is loaded in this process (yet)."""


def _nothing() -> None:
    """Nobody loads playbooks here."""


class UnreadablePlaybookError(UnknownPlaybookError):
    """It is published, in words that this version of the code does not know."""


class PlaybookRegistry:
    """Playbooks by digest. `on_miss` is called, from the workflow's thread, when one is missing."""

    def __init__(self) -> None:
        self._known: dict[str, Playbook] = {}
        self._unreadable: dict[str, str] = {}
        self.on_miss: Callable[[], object] = _nothing

    def add(self, digest: str, playbook: Playbook) -> None:
        """Make a playbook known under the digest it was published with."""
        self._known[digest] = playbook

    def refuse(self, digest: str, why: str) -> None:
        """Remember that this process cannot read that playbook, and why."""
        self._unreadable[digest] = why

    def __contains__(self, digest: str) -> bool:
        return digest in self._known

    def digests(self) -> list[str]:
        """Every digest that was looked at: known, or not to be read."""
        return [*self._known, *self._unreadable]

    @property
    def unreadable(self) -> int:
        """How many playbooks are published that this process cannot read."""
        return len(self._unreadable)

    def get(self, digest: str) -> Playbook:
        """The playbook of that digest.

        Raises:
            UnreadablePlaybookError: this process cannot read it.
            UnknownPlaybookError: it is not loaded; the loader has been woken.
        """
        playbook = self._known.get(digest)
        if playbook is None:
            why = self._unreadable.get(digest)
            if why is not None:
                raise UnreadablePlaybookError(
                    f"playbook {digest} cannot be read by this worker, deploy the version that published it: {why}"
                )
            self.on_miss()
            raise UnknownPlaybookError(f"playbook {digest} is not loaded: publish it, or wait for the next refresh")
        return playbook


PLAYBOOKS = PlaybookRegistry()
"""This process's playbooks: the worker fills it, workflows and activities read it."""
