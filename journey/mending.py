"""When a parcel is given up, and what then has to be done to make it good."""

from dataclasses import dataclass, replace
from datetime import datetime

from journey.base import TrackingNumber
from journey.deadlines import promised_until
from journey.parcels import Parcel, ParcelStatus, Reason
from journey.playbook import Playbook
from journey.remedies import Action, RemedyStep, RemedyTerms, Stand
from journey.state import JourneyState, Remedy, paced

SEVERE_DELAY = "severe_delay"
"""The reason of a remedy for a parcel that is only late; the others are a parcel's own `Reason`."""


@dataclass(frozen=True, slots=True)
class Mend:
    """Take this step of a remedy, at `at` (UTC). `averted` when news may still avert it."""

    at: datetime
    action: Action
    part: TrackingNumber
    reason: str
    choose_by: datetime
    skus: tuple[str, ...] | None

    @property
    def averted(self) -> bool:
        """Whether news may come instead: an offer waits for a parcel that may still arrive."""
        return self.action is Action.OFFER

    def step(self, state: JourneyState, now: datetime) -> RemedyStep:
        """What the activity is asked, at `now`."""
        return RemedyStep(
            action=self.action,
            shop=state.order.shop,
            order_id=state.order.order_id,
            part=self.part,
            reason=self.reason,
            playbook=state.playbook,
            at=max(self.at, now),
            choose_by=self.choose_by,
            skus=self.skus,
        )


def mends(state: JourneyState, playbook: Playbook, now: datetime, *, until: datetime | None = None) -> list[Mend]:
    """What is to be done about remedies, the earliest first; nothing where the playbook has no terms.

    What is to be offered after `until` is left out: who has something else to do before that does not ask.
    """
    terms = playbook.remedies
    if terms is None:
        return []
    found: list[Mend] = []
    for parcel in state.parcels:
        remedy = state.remedies.get(parcel.tracking_number) if state.remedies else None
        if remedy is not None and remedy.stand is Stand.OFFERED:
            mend = _offered(state, parcel, remedy, terms, now=now)
        else:
            mend = None if _over(state, parcel) else _to_offer(state, parcel, remedy, terms, now=now)
        if mend is not None and (until is None or not mend.averted or mend.at <= until):
            found.append(mend)
    for parcel in state.left_out:
        remedy = state.remedies.get(parcel.tracking_number)
        if remedy is not None and remedy.stand is Stand.OFFERED:
            about = (parcel.tracking_number, remedy.reason, remedy.choose_by, parcel.skus)
            found.append(Mend(now, Action.WITHDRAW, *about))
    if state.lost:
        found = [replace(mend, at=max(mend.at, paced(state.lost.get(mend.part)))) for mend in found]
    if len(found) > 1:
        found.sort(key=lambda mend: (mend.at, mend.part))
    return found


def _to_offer(
    state: JourneyState, parcel: Parcel, remedy: Remedy | None, terms: RemedyTerms, *, now: datetime
) -> Mend | None:
    """The offer for a parcel that is given up, given up again, or back among the order's and still gone."""
    if remedy is None or (remedy.reopens and remedy.left_out and parcel.delivered_at is None):
        given_up = None if parcel.delivered_at is not None else _given_up(state, parcel, terms)
    else:
        back = came_undone(parcel, remedy) if remedy.reopens else None
        given_up = None if back is None or back == remedy.undone_at else (remedy.reason, back)
    if given_up is None:
        return None
    reason, at = given_up
    # Asked from the day on which it is offered, however long ago the parcel was lost.
    return Mend(at, Action.OFFER, parcel.tracking_number, reason, max(at, now) + terms.choose_within, parcel.skus)


def _offered(state: JourneyState, parcel: Parcel, remedy: Remedy, terms: RemedyTerms, *, now: datetime) -> Mend | None:
    """What becomes of an offer: taken back, or left to the default."""
    about = (parcel.tracking_number, remedy.reason, remedy.choose_by, parcel.skus)
    if _over(state, parcel) or parcel.void or (parcel.arrived_at is not None and _sent_back_at(parcel) is None):
        return Mend(now, Action.WITHDRAW, *about)
    gone = None if remedy.defaulted else still_gone(state, parcel, terms)
    return None if gone is None else Mend(max(remedy.choose_by, gone), Action.DEFAULT, *about)


def _over(state: JourneyState, parcel: Parcel) -> bool:
    """Whether nothing is left to be made good: the order was paid back, or cancelled before the parcel left.

    What was sent before that and is lost, damaged or denied is still owed, or the money for it; how much was paid back
    by then its row knows. That it comes back, or late, is what a cancellation wants.
    """
    if state.fully_refunded_at is not None:
        return True
    if state.cancelled_at is None:
        return False
    sent = parcel.shipped_at is not None and parcel.shipped_at <= state.cancelled_at
    told = _told(parcel) if state.rules > 2 and sent else None  # noqa: PLR2004  the third of the RULES
    return told is None or told[0] == Reason.RETURNING


def came_undone(parcel: Parcel, remedy: Remedy) -> datetime | None:
    """Since when an arrival that withdrew the offer is known to have been none; None where it still counts.

    The customer denies it, or the carrier scans the parcel on its way back to the shop.
    """
    if parcel.void or remedy.settled_at is None or parcel.delivered_at is None:
        return None
    if parcel.denied:
        return parcel.denied_at
    return _sent_back_at(parcel)


def _sent_back_at(parcel: Parcel) -> datetime | None:
    """When a parcel that counts as delivered was first scanned on its way back after that, if it was."""
    if parcel.delivered_at is None or not parcel.problems:
        return None
    problems = dict(parcel.problems)
    since = problems.get(Reason.RETURNING)
    return since if since is not None and since > parcel.delivered_at and Reason.REFUSED not in problems else None


def still_gone(state: JourneyState, parcel: Parcel, terms: RemedyTerms) -> datetime | None:
    """Since when nobody waits for the parcel, as things stand, be it in the future.

    Money is not sent after a parcel that moves again, or is on the van. Where the shop says that it was delivered, and
    the carrier that it went back, a person says whether.
    """
    if state.rules > 4 and parcel.disputed:  # noqa: PLR2004  the fifth of the RULES
        return None
    given_up = _given_up(state, parcel, terms)
    return None if given_up is None or parcel.status is ParcelStatus.OUT_FOR_DELIVERY else given_up[1]


def _given_up(state: JourneyState, parcel: Parcel, terms: RemedyTerms) -> tuple[str, datetime] | None:
    """Why nobody waits for the parcel any longer, and since when, be it in the future; None where it may come."""
    if parcel.pickup or parcel.void:
        return None
    told = _told(parcel)
    if told is not None:
        return told
    if parcel.going_back:
        # Whoever sent it back has what there is to say about it from a return.
        refused = any(reason is Reason.REFUSED for reason, _ in parcel.problems)
        since = dict(parcel.problems).get(Reason.RETURNING) or parcel.status_at
        return None if refused or since is None else (Reason.RETURNING.value, since)
    # What nobody ever scanned may be with nobody who tells, and long there: people are asked to look, not to pay.
    if parcel.waiting_at is not None or parcel.last_scan_at is None or parcel.unnumbered:
        return None
    late = promised_until(parcel, parcel.first_estimate, state.order.zones)
    return None if late is None else (SEVERE_DELAY, late + terms.severe_delay)


def _told(parcel: Parcel) -> tuple[str, datetime] | None:
    """That it will not come, where somebody said so: the customer, or a carrier whose last word that is."""
    if parcel.denied and parcel.denied_at is not None:
        return Reason.LOST.value, parcel.denied_at
    back = _sent_back_at(parcel)
    if back is not None:
        return Reason.RETURNING.value, back
    if parcel.lost_at is not None and parcel.troubled:
        return Reason.LOST.value, parcel.lost_at
    if parcel.damaged_at is not None and parcel.troubled:
        return Reason.DAMAGED.value, parcel.damaged_at
    return None
