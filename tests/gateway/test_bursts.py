"""Many orders at once: what is written together, and what one order's trouble means for the others."""


async def test_an_order_that_is_told_again_in_other_words_starts_with_what_was_written_first(gate):
    """A second creation of an order answers the lines, the total and the buyer of the first one, and adds none."""
    await gate.send.order(order_id="1", total="79.00")
    await gate.relay.drain()
    first = gate.journeys.started.pop("order:acme:1")
    other = {"sku": "OTHER", "title": "Other", "quantity": 3, "unit_price": "4.00"}
    await gate.send.order(order_id="1", total="12.00", lines=[other])
    await gate.relay.drain()
    assert gate.journeys.started["order:acme:1"] == first
    assert await gate.pool.fetchval("SELECT count(*) FROM lines") == len(first.lines)
