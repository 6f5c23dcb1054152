"""What a journey's runs begin with: its input, what operators can find it by, and how long its activities may take."""

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

with workflow.unsafe.imports_passed_through():
    from journey.base import Frozen
    from journey.state import JourneyState

ORDER_ID = SearchAttributeKey.for_keyword("OrderId")
SHOP = SearchAttributeKey.for_keyword("Shop")
COUNTRY = SearchAttributeKey.for_keyword("Country")
PHASE = SearchAttributeKey.for_keyword("Phase")
ATTENTION = SearchAttributeKey.for_keyword_list("Attention")
SEARCH_ATTRIBUTES = {key.name: "Keyword" for key in (ORDER_ID, SHOP, COUNTRY, PHASE)} | {ATTENTION.name: "KeywordList"}

# A worker that dies mid-send is noticed by its silence; `deliver` beats while it waits for a provider. Long enough
# that a busy machine is not taken for a dead one: that would put a message in doubt that is on its way.
HEARTBEAT = timedelta(seconds=15)
# A mail relay may take minutes over its last word (RFC 5321 4.5.3.2.6); the heartbeat finds the dead much sooner.
ATTEMPT = timedelta(minutes=10)
CLOSING = timedelta(seconds=15)
MENDING = timedelta(minutes=1)
# Only what Postlude itself lacks for a moment (its database) is retried here, for ever: giving up would lose a
# message. Providers' troubles have their own, patient schedule inside `deliver`.
RETRIES = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1))


class JourneyInput(Frozen):
    """What a run begins with: a fresh state from the order, or the whole state of the run before."""

    state: JourneyState


def search_attributes(state: JourneyState, current_phase: str, wants: tuple[str, ...] = ()) -> TypedSearchAttributes:
    """What operators can filter by; set at the start of each run, where it costs nothing.

    `wants` is what a person may want to look at; it changes on the way.
    """
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(ORDER_ID, state.order.order_id),
        SearchAttributePair(SHOP, state.order.shop),
        SearchAttributePair(PHASE, current_phase),
    ]
    if state.order.country:
        pairs.append(SearchAttributePair(COUNTRY, state.order.country))
    if wants:
        pairs.append(SearchAttributePair(ATTENTION, list(wants)))
    return TypedSearchAttributes(pairs)
