"""Consent as it is kept: evidence, what addresses say, wishes and double opt-ins, on a real PostgreSQL."""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from journey.consent import Answer, Frequency, How, Preferences
from journey.keywords import Word
from journey.playbook import Channel, Purpose, Topic
from store import consents, double_opt_in, people, preferences
from store.consents import Evidence, Heard
from store.intake import Customer
from store.message_feedback import MessageFeedback
from store.pool import Pool
from store.preferences import Choices
from store.standing import Standing, standing
from tests.store.books import NOON, Books

PHONE = "+4915112345678"
EMAIL = "ada@example.com"


class Desk:
    """A shop's people, and the words they say."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def person(
        self, customer_id: str = "c-1", *, shop: str = "acme", country: str = "DE", phone: str | None = PHONE
    ) -> None:
        await self.pool.execute(
            "INSERT INTO customers (shop, customer_id, email, phone, locale, country, updated_at)"
            " VALUES ($1, $2, 'Ada@Example.com', $3, 'de-DE', $4, $5)",
            *(shop, customer_id, phone, country, NOON - timedelta(days=9)),
        )
        await self.pool.execute(
            "INSERT INTO orders (shop, order_id, customer_id, placed_at, currency, total, buyer, playbook)"
            " VALUES ($1, $2, $3, $4, 'EUR', 9, 'first', 'p')",
            *(shop, f"of-{customer_id}", customer_id, NOON - timedelta(days=9)),
        )

    async def update(self, at: datetime, *, source: str = "customer.updated", **consent: bool) -> None:
        customer = Customer.model_validate({"customer_id": "c-1", "email": EMAIL, "phone": PHONE, "consent": consent})
        async with self.pool.acquire() as connection, connection.transaction():
            await people.remember(connection, "acme", customer, at=at, source=source, evidence=f"{source} {at}")

    async def text(
        self, words: str, at: datetime = NOON, *, shop: str | None = "acme", address: str = PHONE, **more: Any
    ) -> Heard:
        async with self.pool.acquire() as connection, connection.transaction():
            return await consents.hear(
                connection,
                shop=shop,
                channel=more.get("channel", Channel.SMS),
                address=address,
                text=words,
                at=at,
                provider="twilio",
            )

    async def choose(
        self, at: datetime = NOON, *, via: Channel = Channel.EMAIL, **changes: Any
    ) -> Sequence[Any] | None:
        choices = Choices(**{"preferences": Preferences(), **changes})
        chosen = await preferences.choose(
            self.pool, shop="acme", order_id="of-c-1", via=via, choices=choices, at=at, source_hash="h" * 32
        )
        self.too_many = chosen is not None and chosen.too_many
        return None if chosen is None else chosen.asked

    async def leave(self, at: datetime = NOON, how: How = How.UNSUBSCRIBE_LINK) -> None:
        assert await people.opt_out(self.pool, shop="acme", order_id="of-c-1", at=at, how=how)

    async def standing(self, customer_id: str = "c-1", shop: str = "acme") -> Standing:
        found = await standing(self.pool, shop, customer_id)
        assert found is not None
        return found

    async def may(self, channel: Channel, customer_id: str = "c-1", shop: str = "acme") -> str:
        return (await self.standing(customer_id, shop)).permission(channel, Purpose.MARKETING, now=NOON).rule

    async def listed(self) -> list[tuple[str, str, str, str]]:
        rows = await self.pool.fetch("SELECT shop, channel, address, reason FROM suppressions ORDER BY 1, 2, 3")
        return [tuple(row) for row in rows]

    async def rows(self, channel: str = "sms") -> list[tuple[bool, str]]:
        rows = await self.pool.fetch("SELECT granted, how FROM consents WHERE channel = $1 ORDER BY at, id", channel)
        return [tuple(row) for row in rows]


@pytest.fixture
def desk(pool: Pool) -> Desk:
    return Desk(pool)


# ---- evidence ------------------------------------------------------------------------------------------------


async def test_an_answer_is_kept_once_with_all_its_evidence(desk: Desk) -> None:
    """The same answer brought twice is one row; who, when, how, wording, where from and where are in it."""
    await desk.person()
    answer = Answer(Channel.SMS, Purpose.MARKETING, True, NOON, How.IMPORT, jurisdiction="DE", confirmed=True)
    evidence = Evidence("import", "list 7", "Yes, text me", "ab12")
    async with desk.pool.acquire() as connection:
        kept = [await consents.write(connection, "acme", "c-1", answer, evidence) for _ in range(2)]
    assert kept == [True, False]
    row = await desk.pool.fetchrow("SELECT * FROM consents")
    assert [row[name] for name in ("source", "evidence", "wording", "source_hash", "how", "jurisdiction")] == [
        *("import", "list 7", "Yes, text me", "ab12", "import", "DE")
    ]
    assert (await desk.standing()).answers == (answer,)


async def test_rows_from_before_how_was_kept_go_on_counting(desk: Desk) -> None:
    """Their source says how they came; the opt-out by link is an own word still."""
    await desk.person()
    for days, source, granted in (
        (9, "order.created", True),
        (5, "unsubscribe_link", False),
        (1, "order.created", True),
    ):
        await desk.pool.execute(
            "INSERT INTO consents (shop, customer_id, channel, purpose, granted, source, at)"
            " VALUES ('acme', 'c-1', 'email', 'marketing', $1, $2, $3)",
            *(granted, source, NOON - timedelta(days=days)),
        )
    assert await desk.may(Channel.EMAIL) == "opted_out"


async def test_everything_a_decision_needs_comes_in_one_query(desk: Desk, books: Books) -> None:
    """Answers, wishes, the last order that was not called off, and suppressions by channel."""
    await desk.person()
    await desk.pool.execute(
        "INSERT INTO orders (shop, order_id, customer_id, placed_at, currency, total, buyer, playbook, status)"
        " VALUES ('acme', 'x', 'c-1', $1, 'EUR', 9, 'first', 'p', 'cancelled')",
        NOON,
    )
    await books.suppress(EMAIL, "bounced")
    await desk.text("STOP")
    wishes = Preferences(Channel.SMS, Frequency.FEWER, NOON + timedelta(days=30), "fr")
    await desk.choose(preferences=wishes, topics={Topic.NEWS: False})
    found = await desk.standing()
    assert (found.preferences, found.locale, found.country) == (wishes, "fr", "DE")
    assert found.last_purchase_at == NOON - timedelta(days=9)
    assert found.suppressed == {Channel.EMAIL: "bounced", Channel.SMS: "opted_out"}
    assert found.addressed == {Channel.EMAIL, Channel.SMS, Channel.WHATSAPP}
    assert found.topics_refused == {Topic.NEWS}
    assert await standing(desk.pool, "acme", "nobody") is None


# ---- links and accounts --------------------------------------------------------------------------------------


async def test_a_yes_in_the_account_takes_the_address_off_the_list(desk: Desk) -> None:
    """Whoever turns marketing on again is written to again; a box at a checkout does not do that."""
    await desk.person()
    await desk.leave(NOON)
    assert await desk.listed() == [("acme", "email", EMAIL, "opted_out")]
    await desk.update(NOON + timedelta(days=1), source="order.created", email_marketing=True)
    assert (await desk.may(Channel.EMAIL), len(await desk.listed())) == ("opted_out", 1)
    await desk.update(NOON + timedelta(days=2), email_marketing=True)
    assert (await desk.may(Channel.EMAIL), await desk.listed()) == ("express", [])


@pytest.mark.parametrize("reason", ["bounced", "complained"])
async def test_nothing_a_customer_says_takes_a_bounce_or_a_complaint_off_the_list(
    desk: Desk, books: Books, reason: str
) -> None:
    """The address is as dead as it was; neither the account nor the preference centre nor an opt-out changes it."""
    await desk.person()
    await books.suppress(EMAIL, reason)
    await desk.leave(NOON)
    await desk.update(NOON + timedelta(days=1), email_marketing=True)
    await desk.choose(NOON + timedelta(days=2), channels={Channel.EMAIL: True})
    assert await desk.listed() == [("acme", "email", EMAIL, reason)]


async def test_a_late_yes_does_not_undo_a_newer_opt_out(desk: Desk) -> None:
    """An update from before the opt-out that arrives after it changes neither the answer nor the list."""
    await desk.person()
    await desk.leave(NOON)
    await desk.update(NOON - timedelta(hours=1), email_marketing=True)
    assert (await desk.may(Channel.EMAIL), len(await desk.listed())) == ("opted_out", 1)


async def test_one_click_is_kept_as_what_it_was(desk: Desk) -> None:
    """The mail program's button is told from the page's, once however often it is pressed."""
    await desk.person()
    for _ in range(2):
        await desk.leave(how=How.ONE_CLICK)
    assert await desk.rows("email") == [(False, "one_click")]


# ---- keywords ------------------------------------------------------------------------------------------------


async def test_stop_goes_for_everybody_with_that_number(desk: Desk) -> None:
    """Every record of the number in the shop is opted out and the number is on the list; other people are not."""
    await desk.person("c-1")
    await desk.person("c-2")
    await desk.person("c-3", phone="+4915199999999")
    await desk.person("c-1", shop="other")
    said = await desk.text("Stop!")
    assert said == Heard(Word.STOP, (("acme", "c-1"), ("acme", "c-2")))
    assert [await desk.may(Channel.SMS, who) for who in ("c-1", "c-2", "c-3")] == ["opted_out"] * 2 + ["no_consent"]
    assert await desk.may(Channel.SMS, shop="other") == "no_consent"
    assert await desk.listed() == [("acme", "sms", PHONE, "opted_out")]
    assert await desk.may(Channel.WHATSAPP) == "no_consent"


async def test_stop_without_a_shop_goes_for_every_shop_that_knows_the_number(desk: Desk) -> None:
    """Whoever's sender it was, nobody texts that number again."""
    await desk.person("c-1")
    await desk.person("c-1", shop="other")
    await desk.text("STOP", shop=None)
    assert [shop for shop, *_ in await desk.listed()] == ["acme", "other"]


@pytest.mark.parametrize("shop", ["acme", None])
async def test_stop_from_a_number_nobody_has_is_remembered(desk: Desk, shop: str | None) -> None:
    """Who turns up with that number later is not texted, in that shop or, where it is not known, in any."""
    assert await desk.text("STOP", shop=shop) == Heard(Word.STOP)
    assert await desk.listed() == [(shop or "", "sms", PHONE, "opted_out")]
    await desk.person()
    assert (await desk.standing()).suppressed == {Channel.SMS: "opted_out"}
    await desk.text("START", NOON + timedelta(minutes=1))
    assert ((await desk.standing()).suppressed, await desk.may(Channel.SMS)) == ({}, "express")


async def test_start_lifts_an_opt_out_and_nothing_else(desk: Desk) -> None:
    """A number that does not exist any more stays on the list, whatever is texted from it."""
    await desk.person()
    await desk.text("STOP")
    await desk.text("START", NOON + timedelta(minutes=1))
    assert (await desk.may(Channel.SMS), await desk.listed()) == ("express", [])
    await desk.pool.execute("INSERT INTO suppressions VALUES ('acme', 'sms', $1, 'bounced', $2)", PHONE, NOON)
    await desk.text("START", NOON + timedelta(minutes=2))
    assert await desk.listed() == [("acme", "sms", PHONE, "bounced")]


async def test_keywords_end_the_same_in_any_order_of_arrival(desk: Desk) -> None:
    """Three words, six ways to arrive: the newest holds, for the answer and for the list."""
    texts = [("STOP", NOON), ("START", NOON + timedelta(minutes=1)), ("STOP", NOON + timedelta(minutes=2))]
    for last in (2, 3):
        for arrival in itertools.permutations(texts[:last]):
            await desk.pool.execute("TRUNCATE customers CASCADE")
            await desk.pool.execute("TRUNCATE suppressions")
            await desk.person()
            for words, at in arrival:
                await desk.text(words, at)
            expected = ("opted_out", 1) if last == 3 else ("express", 0)
            assert (await desk.may(Channel.SMS), len(await desk.listed())) == expected, arrival


async def test_the_same_text_delivered_twice_is_one_answer(desk: Desk) -> None:
    """Also when both deliveries are worked on at once."""
    await desk.person()
    await asyncio.gather(*(desk.text("STOP") for _ in range(4)))
    assert await desk.rows() == [(False, "sms_keyword")]


async def test_help_is_due_and_ordinary_words_are_nothing(desk: Desk) -> None:
    """Neither writes a row."""
    await desk.person()
    said = await desk.text("help")
    assert (said.help_due, said.people) == (True, (("acme", "c-1"),))
    assert not (await desk.text("Where is my parcel?")).help_due
    assert (await desk.rows(), await desk.listed()) == ([], [])


@pytest.mark.parametrize(
    ("channel", "address"),
    [(Channel.WHATSAPP, f"whatsapp:{PHONE}"), (Channel.WHATSAPP, PHONE[1:]), (Channel.SMS, PHONE)],
)
async def test_numbers_are_known_however_a_provider_writes_them(desk: Desk, channel: Channel, address: str) -> None:
    """With its scheme or without its plus sign, it is the same person."""
    await desk.person()
    await desk.text("STOP", address=address, channel=channel)
    assert await desk.listed() == [("acme", channel.value, PHONE, "opted_out")]
    assert await desk.may(channel) == "opted_out"


@pytest.mark.parametrize("address", ["", "\x00", "not a number", "whatsapp:", "\u202e", "+"])
async def test_a_sender_that_is_no_address_crashes_nothing(desk: Desk, address: str) -> None:
    """There is nobody to remember, and nothing is written that could match somebody."""
    await desk.person()
    assert (await desk.text("STOP", address=address)).people == ()
    assert await desk.listed() == []


async def test_a_short_code_can_be_stopped(desk: Desk) -> None:
    """It is no number of any country, and is kept as it is."""
    await desk.text("STOP", address="72345")
    assert await desk.listed() == [("acme", "sms", "72345", "opted_out")]


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ({"kind": "replied", "text": "STOP please"}, ("opted_out", 1)),
        ({"kind": "replied", "text": "Basta ya", "reason": "STOP"}, ("opted_out", 1)),
        ({"kind": "opted_out", "reason": "21610"}, ("opted_out", 1)),
        ({"kind": "replied", "text": "Is it blue?"}, ("no_consent", 0)),
        ({"kind": "replied", "text": "STOP", "address": None}, ("no_consent", 0)),
    ],
)
async def test_what_providers_bring_is_heard(desk: Desk, said: dict[str, Any], outcome: tuple[str, int]) -> None:
    """A reply's words, a provider's reading of them, and an opt-out it kept for us; in the shop the message was of."""
    await desk.person()
    await desk.person("c-1", shop="other")
    event = MessageFeedback(
        **{"provider": "twilio", "at": NOON, "channel": "sms", "address": PHONE, "key": "acme/of-c-1/care/0", **said}
    )
    async with desk.pool.acquire() as connection, connection.transaction():
        await consents.replied(connection, event)
    assert (await desk.may(Channel.SMS), len(await desk.listed())) == outcome
    assert await desk.may(Channel.SMS, shop="other") == "no_consent"


async def test_a_mail_that_says_start_grants_nothing(desk: Desk) -> None:
    """Anybody can write a mail in another's name."""
    await desk.person()
    event = MessageFeedback(provider="ses", kind="replied", at=NOON, channel="email", address=EMAIL, text="START")
    async with desk.pool.acquire() as connection, connection.transaction():
        assert await consents.replied(connection, event) == Heard(Word.NONE)
    assert await desk.rows("email") == []


# ---- the preference centre -----------------------------------------------------------------------------------


async def test_choices_are_evidence_and_saying_them_again_is_none(desk: Desk) -> None:
    """A yes by a link that came by mail counts at once in Germany, with its wording; the list follows both ways."""
    await desk.person()
    wordings = {Channel.EMAIL: "E-mail: offers from Fernhill"}
    for minute in (0, 1):
        at = NOON + timedelta(minutes=minute)
        assert await desk.choose(at, channels={Channel.EMAIL: True}, wordings=wordings) == ()
    assert (await desk.rows("email"), await desk.may(Channel.EMAIL)) == ([(True, "preference_centre")], "express")
    row = await desk.pool.fetchrow("SELECT * FROM consents")
    assert (row["wording"], row["evidence"], row["source_hash"]) == (wordings[Channel.EMAIL], "order of-c-1", "h" * 32)
    for minute in (2, 3):
        await desk.choose(NOON + timedelta(minutes=minute), channels={Channel.EMAIL: False})
    assert await desk.listed() == [("acme", "email", EMAIL, "opted_out")]
    assert await desk.rows("email") == [(True, "preference_centre"), (False, "preference_centre")]


NOES = ["link", "one_click", "stop", "provider", "account", "centre"]


async def say_no(desk: Desk, how: str, channel: Channel) -> None:
    """The person's own no to mails, or to texts where it is one that only texts have."""
    match how:
        case "link" | "one_click":
            await desk.leave(NOON, How.ONE_CLICK if how == "one_click" else How.UNSUBSCRIBE_LINK)
        case "stop":
            await desk.text("STOP")
        case "provider":
            event = MessageFeedback(
                provider="ses", kind="opted_out", at=NOON, channel=channel, address=EMAIL, key="acme/1/x"
            )
            async with desk.pool.acquire() as connection, connection.transaction():
                await consents.replied(connection, event)
        case "account":
            await desk.update(NOON, email_marketing=False)
        case _:
            await desk.choose(NOON, channels={channel: False})


@pytest.mark.parametrize("country", ["DE", "US"])
@pytest.mark.parametrize("via", [Channel.INBOX, Channel.EMAIL, Channel.SMS])
@pytest.mark.parametrize("how", NOES)
async def test_no_link_overturns_a_no_of_the_persons_own(desk: Desk, how: str, via: Channel, country: str) -> None:
    """Pages are passed on and mails forwarded: a yes is only asked for, in every country; the address confirms it."""
    channel = Channel.SMS if how == "stop" else Channel.EMAIL
    await desk.person(country=country)
    await say_no(desk, how, channel)
    before = await desk.listed()
    (asked,) = await desk.choose(NOON + timedelta(minutes=1), via=via, channels={channel: True}) or ()
    assert (asked.channel, await desk.may(channel), await desk.listed()) == (channel, "opted_out", before)
    await double_opt_in.confirm(desk.pool, asked.nonce, at=NOON + timedelta(minutes=2))
    assert (await desk.may(channel), await desk.listed()) == ("express", [])


@pytest.mark.parametrize("channel", [Channel.PUSH, Channel.WEB_PUSH])
async def test_a_no_to_notifications_is_overturned_from_the_mailbox(desk: Desk, channel: Channel) -> None:
    """A device may be anybody's who holds an order's link, so the person's mailbox is asked."""
    await desk.person(country="US")
    await desk.choose(NOON, channels={channel: False})
    (asked,) = await desk.choose(NOON + timedelta(minutes=1), via=Channel.INBOX, channels={channel: True}) or ()
    reached = await people.reached_at(desk.pool, "acme", "c-1", channel)
    assert (await desk.may(channel), reached) == ("opted_out", "Ada@Example.com")
    await double_opt_in.confirm(desk.pool, asked.nonce, at=NOON + timedelta(minutes=2))
    assert await desk.may(channel) == "express"


async def test_an_orders_page_asks_for_less_never_for_more(desk: Desk) -> None:
    """Topics, rest and frequency that the person chose stay; a link in a mail of theirs changes them both ways."""
    await desk.person()
    rest = NOON + timedelta(days=30)
    chosen = Preferences(frequency=Frequency.FEWER, paused_until=rest)
    await desk.choose(via=Channel.INBOX, preferences=chosen, topics={Topic.NEWS: False})
    for via, quiet in ((Channel.INBOX, True), (Channel.EMAIL, False)):
        await desk.choose(NOON + timedelta(minutes=1), via=via, topics={Topic.NEWS: True})
        found = await desk.standing()
        assert (found.topics_refused == {Topic.NEWS}, found.preferences == chosen) == (quiet, quiet)


async def test_clicking_to_and_fro_writes_a_bounded_number_of_rows(desk: Desk) -> None:
    """After so many answers in a day a no still counts, a yes has to wait for tomorrow, and nothing grows."""
    await desk.person()
    for minute in range(100):
        granted = bool(minute % 2)
        await desk.choose(
            NOON + timedelta(minutes=minute), topics={Topic.NEWS: granted}, channels={Channel.SMS: granted}
        )
    assert desk.too_many
    assert (await desk.standing()).topics_refused == {Topic.NEWS}
    most = preferences.CHANGES_A_DAY + 2
    assert await desk.pool.fetchval("SELECT count(*) FROM consents") <= most
    await desk.choose(NOON + timedelta(minutes=100), everything_off=True, topics={Topic.TIPS: False})
    assert not desk.too_many
    assert {await desk.may(channel) for channel in preferences.MARKETED} == {"opted_out"}
    await desk.choose(NOON + timedelta(days=2), topics={Topic.NEWS: True})
    assert (await desk.standing()).topics_refused == {Topic.TIPS}


async def test_everything_off_is_a_no_to_every_channel(desk: Desk) -> None:
    """Also to those never asked about, so that no later box turns one on; pressed twice it is the same."""
    await desk.person()
    for minute in (0, 1):
        at = NOON + timedelta(minutes=minute)
        await desk.choose(at, everything_off=True, channels={Channel.EMAIL: True})
    assert {await desk.may(channel) for channel in preferences.MARKETED} == {"opted_out"}
    assert [channel for _, channel, *_ in await desk.listed()] == ["email", "sms", "whatsapp"]
    assert await desk.rows("email") == [(False, "preference_centre")]
    await desk.update(NOON + timedelta(days=1), source="order.created", email_marketing=True, sms_marketing=True)
    assert {await desk.may(channel) for channel in preferences.MARKETED} == {"opted_out"}


async def test_an_order_that_is_unknown_has_no_preferences(pool: Pool) -> None:
    """Nothing is written for it."""
    assert await preferences.load(pool, "acme", "nobody") is None
    assert await Desk(pool).choose(everything_off=True) is None
    assert await pool.fetchval("SELECT count(*) FROM consents") == 0


# ---- double opt-in -------------------------------------------------------------------------------------------


async def test_a_yes_for_another_address_is_only_asked_for_where_the_law_wants_it(desk: Desk) -> None:
    """A link by mail proves no telephone: in Germany a confirmation is due, in the US the yes counts."""
    await desk.person()
    asked = await desk.choose(channels={Channel.SMS: True})
    assert asked is not None
    assert [(one.channel, one.fresh, one.locale) for one in asked] == [(Channel.SMS, True, "de-DE")]
    assert await desk.may(Channel.SMS) == "unconfirmed"
    again = await desk.choose(NOON + timedelta(hours=1), channels={Channel.SMS: True})
    assert again is not None
    assert [(one.nonce, one.fresh) for one in again] == [(asked[0].nonce, False)]
    await desk.pool.execute("UPDATE customers SET country = 'US'")
    await desk.pool.execute("DELETE FROM consents")
    assert await desk.choose(NOON, channels={Channel.SMS: True}) == ()
    assert await desk.may(Channel.SMS) == "express"


async def test_a_confirmation_counts_once(desk: Desk) -> None:
    """It lifts an opt-out from before; followed again after a later one, it does not lift that."""
    await desk.person()
    await desk.text("STOP", NOON - timedelta(days=1))
    (asked,) = await desk.choose(channels={Channel.SMS: True}) or ()
    found = await double_opt_in.find(desk.pool, asked.nonce, now=NOON)
    assert found is not None
    assert not found.confirmed
    assert await desk.may(Channel.SMS) == "opted_out"
    later = NOON + timedelta(minutes=5)
    assert await double_opt_in.confirm(desk.pool, asked.nonce, at=later, source_hash="ab")
    assert (await desk.may(Channel.SMS), await desk.listed()) == ("express", [])
    await desk.text("STOP", NOON + timedelta(hours=1))
    assert await double_opt_in.confirm(desk.pool, asked.nonce, at=NOON + timedelta(hours=2))
    assert (await desk.may(Channel.SMS), len(await desk.listed())) == ("opted_out", 1)


async def test_a_confirmation_is_for_the_address_it_was_sent_to_and_not_for_ever(desk: Desk) -> None:
    """After a month, or once the number is another, its link is nothing."""
    await desk.person()
    (asked,) = await desk.choose(channels={Channel.SMS: True}) or ()
    late = NOON + double_opt_in.LASTS
    assert await double_opt_in.find(desk.pool, asked.nonce, now=late) is None
    assert not await double_opt_in.confirm(desk.pool, asked.nonce, at=late)
    await desk.pool.execute("UPDATE customers SET phone = '+4915100000000'")
    assert not await double_opt_in.confirm(desk.pool, asked.nonce, at=NOON)
    assert not await double_opt_in.confirm(desk.pool, "no such nonce", at=NOON)
    assert await desk.may(Channel.SMS) == "unconfirmed"


async def test_who_is_erased_leaves_nothing_of_this(desk: Desk) -> None:
    """Answers, wishes and pending double opt-ins go with the customer."""
    await desk.person()
    await desk.choose(channels={Channel.SMS: True}, preferences=Preferences(locale="fr"))
    await desk.pool.execute("DELETE FROM customers")
    for table in ("consents", "preferences", "double_opt_ins"):
        assert await desk.pool.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608  # names above
