"""What a customer's history has to show, and what it must not."""

from datetime import UTC, datetime, timedelta

import pytest

from journey.consent import Answer, How
from journey.playbook import Channel, Purpose, Topic
from store import consents, devices, feedback, history
from store.consents import Evidence
from store.history import Devices, Place
from store.message_feedback import MessageFeedback
from store.pool import Pool
from tests.support.entries import entry
from tests.support.orders import Order, Person, put

NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
ADA = Person(customer_id="c-1", email="Ada@Example.com")


@pytest.fixture
async def ada(pool: Pool) -> Pool:
    """A customer with a number and two orders, and another customer of the same shop with one."""
    for order_id, person in (("1", ADA), ("2", ADA), ("3", Person(customer_id="c-2", email="bob@example.com"))):
        await put(pool, Order(order_id, person=person, placed_at=NOON), "p")
    await pool.execute("DELETE FROM consents")
    await pool.execute("UPDATE customers SET phone = '+4915112345678' WHERE customer_id = 'c-1'")
    return pool


async def test_evidence_comes_newest_first_and_with_all_that_was_kept(ada: Pool) -> None:
    """Yes, no and a topic's no, each with how, wording, place and where from; of the hash only a beginning."""
    box = Answer(Channel.EMAIL, Purpose.MARKETING, True, NOON, How.ORDER_CHECKBOX, jurisdiction="DE")
    topic = Answer(None, Purpose.MARKETING, False, NOON + timedelta(days=1), How.PREFERENCE_CENTRE, Topic.OFFERS)
    async with ada.acquire() as connection:
        await consents.write(
            connection, "acme", "c-1", box, Evidence("order.created", "order 1", "Yes, write", "ab" * 20)
        )
        await consents.write(connection, "acme", "c-1", topic, Evidence("preference_centre"))
    newer, older = await history.answers(ada, "acme", "c-1")
    assert (newer.channel, newer.topic, newer.granted, newer.how) == (None, "offers", False, "preference_centre")
    assert (older.channel, older.granted, older.at, older.how) == ("email", True, NOON, "order_checkbox")
    assert (older.reference, older.wording, older.jurisdiction) == ("order 1", "Yes, write", "DE")
    assert older.source_hash == "ab" * 6
    assert await history.answers(ada, "acme", "c-2") == []


async def test_an_answer_from_before_its_way_was_kept_says_its_source(ada: Pool) -> None:
    """Rows of the first version have no `how`; what brought them says it."""
    await ada.execute(
        "INSERT INTO consents (shop, customer_id, channel, purpose, granted, source, at)"
        " VALUES ('acme', 'c-1', 'email', 'marketing', false, 'unsubscribe_link', $1)",
        NOON,
    )
    (only,) = await history.answers(ada, "acme", "c-1")
    assert (only.how, only.source) == ("unsubscribe_link", "unsubscribe_link")


async def test_suppressions_are_those_of_the_present_addresses_and_masked(ada: Pool) -> None:
    """Address and number, of this shop and of all; a former address and another shop's list do not count."""
    async with ada.acquire() as connection:
        for shop, channel, address in (
            ("acme", Channel.EMAIL, "ada@example.com"),
            ("", Channel.SMS, "+4915112345678"),
            ("acme", Channel.EMAIL, "former@example.com"),
            ("other", Channel.EMAIL, "ada@example.com"),
        ):
            await consents.suppress(connection, shop, channel, address, at=NOON)
    mail, text = await history.suppressions(ada, "acme", "c-1")
    assert (mail.channel, mail.reason, mail.since, mail.everywhere) == ("email", "opted_out", NOON, False)
    assert (text.channel, text.everywhere) == ("sms", True)
    assert (mail.masked, text.masked) == ("a***@e***.com", "***78")


async def test_devices_are_counted_by_channel_and_life(ada: Pool) -> None:
    """What a push service said is gone is counted apart."""
    for address in ("one", "two"):
        await devices.register(ada, shop="acme", order_id="1", channel="push", address=address, at=NOON)
    await devices.drop(ada, shop="acme", channel="push", address="two", at=NOON)
    assert await history.devices(ada, "acme", "c-1") == {"push": Devices(living=1, dead=1)}


async def test_messages_of_all_orders_page_by_page(ada: Pool) -> None:
    """Newest first over both orders, each row once, also where many were settled at the same moment."""
    for number in range(5):
        await entry(ada, f"acme/{number % 2 + 1}", f"touch_{number}", NOON, status="refused", rule="condition")
    await entry(ada, "acme/1", "latest", NOON + timedelta(hours=1), provider="smtp")
    await entry(ada, "acme/3", "somebody_elses", NOON)
    seen: list[str] = []
    after: Place | None = None
    while page := await history.messages(ada, "acme", "c-1", limit=2, after=after):
        seen += [row.touch for row in page]
        after = Place.parse(str(page[-1].place))
    assert seen == ["latest", "touch_4", "touch_3", "touch_2", "touch_1", "touch_0"]


async def test_a_message_has_its_rule_and_each_channels(ada: Pool) -> None:
    """What is refused by several channels says each one's rule, what is held until when, what was merged into what."""
    why = {"sms": "no_address", "email": "no_consent"}
    await entry(ada, "acme/1", "refused", NOON, status="refused", channel="sms", rule="no_address", why=why)
    morning = NOON + timedelta(hours=20)
    await entry(ada, "acme/1", "held", NOON, status="held", rule="quiet_hours", until=morning)
    await entry(ada, "acme/2", "merged", NOON, status="refused", rule="merged", why={"merged_into": "1 tips"})
    merged, held, refused = await history.messages(ada, "acme", "c-1", limit=9)
    assert (refused.channel, refused.rule, refused.why) == ("sms", "no_address", why)
    assert (held.until, held.why) == (morning, {})
    assert (merged.order_id, merged.rule, merged.why, merged.merged_into) == ("2", "merged", {}, "1 tips")


async def test_what_was_heard_of_a_message_stands_beside_it(ada: Pool) -> None:
    """Delivery, a scanner's click in the same second, and a person's open an hour later; in the order they happened."""
    row = await entry(ada, "acme/1", "tip", NOON, provider="postmark", name="pm-1")
    await entry(ada, "acme/2", "tip", NOON, provider="postmark", name="pm-2")
    for kind, seconds in (("opened", 3600), ("clicked", 1), ("delivered", 0)):
        event = MessageFeedback(
            provider="postmark",
            kind=kind,
            at=NOON + timedelta(seconds=seconds),
            channel=Channel.EMAIL,
            provider_id="pm-1",
            link="https://shop.test/mat" if kind == "clicked" else None,
            reason=None,
        )
        async with ada.acquire() as connection, connection.transaction():
            assert await feedback.record(connection, event) is not None
    silent, heard = await history.messages(ada, "acme", "c-1", limit=9)
    assert silent.echoes == ()
    assert [(one.kind, one.machine, one.provider) for one in heard.echoes] == [
        ("delivered", False, "postmark"),
        ("clicked", True, "postmark"),
        ("opened", False, "postmark"),
    ]
    assert heard.place.row == row


async def test_customers_are_found_by_address_in_any_case_and_in_every_shop(ada: Pool) -> None:
    """An address may be several customers'; a number is one in E.164."""
    await put(ada, Order("9", shop="other", person=Person(customer_id="x", email="ADA@example.com")), "p")
    assert await history.find(ada, email="ada@EXAMPLE.com") == [("acme", "c-1"), ("other", "x")]
    assert await history.find(ada, phone="+4915112345678") == [("acme", "c-1")]
    assert await history.find(ada, phone="+491511234567") == []


@pytest.mark.parametrize("text", ["", "17", "2026-11-22T10:00:00_17", "2026-11-22T10:00:00+00:00_x", "yesterday_1"])
def test_a_place_that_is_none_is_refused(text: str) -> None:
    """A moment without its zone, no number, or neither begins no page."""
    with pytest.raises(ValueError, match=r".+"):
        Place.parse(text)
