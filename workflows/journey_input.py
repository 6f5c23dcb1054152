"""What a journey's runs begin with: its input, what operators can find it by, and how its activities are retried."""

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

with workflow.unsafe.imports_passed_through():
    from journey.base import Frozen
    from journey.state import JourneyState

ORDER_ID = SearchAttributeKey.for_keyword("OrderId")
SHOP = SearchAttributeKey.for_keyword("Shop")
NUMBER = SearchAttributeKey.for_keyword("OrderNumber")
COUNTRY = SearchAttributeKey.for_keyword("Country")
ATTENTION = SearchAttributeKey.for_keyword_list("Attention")
SEARCH_ATTRIBUTES = {key.name: "Keyword" for key in (ORDER_ID, NUMBER, SHOP, COUNTRY)} | {ATTENTION.name: "KeywordList"}

ONCE = RetryPolicy(maximum_attempts=1)
"""What decides is not retried with the decision it was made with: the journey decides again."""
RETRIES = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1))
"""What only asks, waits or closes the books is retried for ever."""


class JourneyInput(Frozen):
    """What a run begins with: a fresh state from the order, or the whole state of the run before."""

    state: JourneyState


def search_attributes(state: JourneyState, wants: tuple[str, ...] = ()) -> TypedSearchAttributes:
    """What operators can filter by; set at the start of each run, where it costs nothing.

    `wants` is what a person may want to look at; it changes on the way.
    """
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(ORDER_ID, state.order.order_id),
        SearchAttributePair(SHOP, state.order.shop),
    ]
    if state.order.number:
        pairs.append(SearchAttributePair(NUMBER, state.order.number))
    if state.order.country:
        pairs.append(SearchAttributePair(COUNTRY, state.order.country))
    if wants:
        pairs.append(SearchAttributePair(ATTENTION, list(wants)))
    return TypedSearchAttributes(pairs)
