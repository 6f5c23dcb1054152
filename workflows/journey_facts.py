"""What a journey is told from outside: a signal for each fact."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from journey.events import (
        CustomerReordered,
        DeliveryDenied,
        Event,
        OrderCancelled,
        OrderEdited,
        OrderRefunded,
        RemedyChosen,
        RemedySettled,
        ReviewPosted,
        ShipmentCreated,
        ShipmentUpdated,
    )


class Told:
    """The signals of a journey. Each is one fact, and all are taken in alike."""

    def _hear(self, event: Event) -> None:
        raise NotImplementedError

    @workflow.signal
    def order_cancelled(self, event: OrderCancelled) -> None:
        """The order was called off."""
        self._hear(event)

    @workflow.signal
    def order_edited(self, event: OrderEdited) -> None:
        """The order is another now."""
        self._hear(event)

    @workflow.signal
    def order_refunded(self, event: OrderRefunded) -> None:
        """Money went back."""
        self._hear(event)

    @workflow.signal
    def shipment_created(self, event: ShipmentCreated) -> None:
        """A parcel left."""
        self._hear(event)

    @workflow.signal
    def shipment_updated(self, event: ShipmentUpdated) -> None:
        """A parcel was scanned."""
        self._hear(event)

    @workflow.signal
    def delivery_denied(self, event: DeliveryDenied) -> None:
        """The customer says that it never came, or that it was found."""
        self._hear(event)

    @workflow.signal
    def remedy_chosen(self, event: RemedyChosen) -> None:
        """How a lost parcel is made good was chosen."""
        self._hear(event)

    @workflow.signal
    def remedy_settled(self, event: RemedySettled) -> None:
        """It was made good, or will not be."""
        self._hear(event)

    @workflow.signal
    def review_posted(self, event: ReviewPosted) -> None:
        """The customer spoke."""
        self._hear(event)

    @workflow.signal
    def customer_reordered(self, event: CustomerReordered) -> None:
        """The customer came back by themselves."""
        self._hear(event)
