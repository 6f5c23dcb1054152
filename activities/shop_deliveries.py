"""The activities that write to people, each shop with its own templates, providers and people."""

from temporalio import activity

from activities.by_shop import ByShop
from activities.deliver import Deliveries
from journey.outcomes import CloseRequest, DeliverAnswer, DeliverRequest, FindOutRequest, WaitRequest


class ShopDeliveries:
    """Hands each request to its shop's `Deliveries`; they share nothing but the database."""

    def __init__(self, deliveries: ByShop[Deliveries]) -> None:
        self._of = deliveries.of

    @activity.defn(name="deliver")
    async def deliver(self, request: DeliverRequest) -> DeliverAnswer:
        """See `Deliveries.deliver`."""
        return await self._of(request.shop).deliver(request)

    @activity.defn(name="find_out")
    async def find_out(self, request: FindOutRequest) -> DeliverAnswer:
        """See `Deliveries.find_out`."""
        return await self._of(request.shop).find_out(request)

    @activity.defn(name="wait_for")
    async def wait_for(self, request: WaitRequest) -> None:
        """See `Deliveries.wait_for`."""
        await self._of(request.shop).wait_for(request)

    @activity.defn(name="close")
    async def close(self, request: CloseRequest) -> None:
        """See `Deliveries.close`."""
        await self._of(request.shop).close(request)
