"""What an operator may say to a journey: updates, each checked first, so that a refusal leaves no trace."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from journey.base import TouchKey
    from journey.events import Event, Paused, Resumed, SendNow, TouchSkipped
    from journey.itinerary import find_stop
    from journey.playbook import Playbook, touch_id
    from journey.state import SKIPPED, JourneyState
    from journey.timeline import Timeline


class Operators:
    """The updates of a journey; each answers with the journey's account."""

    _state: JourneyState
    _playbook: Playbook
    _sending: tuple[TouchKey, ...]

    def _hear(self, event: Event) -> None:
        raise NotImplementedError

    def timeline(self) -> Timeline:
        """The journey's account."""
        raise NotImplementedError

    @workflow.update
    async def pause(self) -> Timeline:
        """Send nothing until resumed; facts are still taken in. What has left already is in the answer."""
        self._hear(Paused(at=workflow.now()))
        await workflow.wait_condition(lambda: not self._sending)
        return self.timeline()

    @pause.validator
    def _may_pause(self) -> None:
        if self._state.paused:
            raise _refusal("the journey is paused already")

    @workflow.update
    def resume(self) -> Timeline:
        """Go on; what is late by now follows its touch's late policy."""
        self._hear(Resumed(at=workflow.now()))
        return self.timeline()

    @resume.validator
    def _may_resume(self) -> None:
        if not self._state.paused:
            raise _refusal("the journey is not paused")

    @workflow.update
    async def skip_touch(self, key: TouchKey) -> Timeline:
        """Never send this touch; refused when it leaves, or may have left, before it can be called back."""
        self._hear(TouchSkipped(at=workflow.now(), key=key))
        await workflow.wait_condition(lambda: key not in self._sending)
        if any(key == lost or key in along for lost, along in self._state.unanswered.items()):
            raise _refusal(f"touch {key!r} will not be sent again, but it may have left: that is being found out")
        became = self._state.settled[key]
        if became.rule != SKIPPED:
            raise _refusal(f"too late: touch {key!r} is {became.status}" + (f" ({became.rule})" if became.rule else ""))
        return self.timeline()

    @skip_touch.validator
    def _may_skip(self, key: TouchKey) -> None:
        self._check_open(key)

    @workflow.update
    def send_now(self, key: TouchKey) -> Timeline:
        """Send this touch at once, whatever the hour and the caps say; consent still decides."""
        self._hear(SendNow(at=workflow.now(), key=key))
        return self.timeline()

    @send_now.validator
    def _may_send_now(self, key: TouchKey) -> None:
        self._check_open(key)
        if key in self._sending:
            raise _refusal(f"touch {key!r} is being sent at this moment")
        if self._state.paused:
            raise _refusal("the journey is paused: resume it first")
        if find_stop(self._state, self._playbook, key, now=workflow.now()) is None:
            raise _refusal(f"touch {key!r} has nothing to speak about yet: its anchor has not happened")

    def _check_open(self, key: str) -> None:
        if touch_id(key) not in self._playbook.by_id:
            known = ", ".join(self._playbook.by_id)
            raise _refusal(f"the playbook has no touch {key!r}; it has {known}")
        if key in self._state.settled:
            raise _refusal(f"touch {key!r} is settled already: {self._state.settled[key].status}")


def _refusal(message: str) -> ApplicationError:
    return ApplicationError(message, type="NotPossible", non_retryable=True)
