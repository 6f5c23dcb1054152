"""`postlude customer show`, run as support would."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from journey.consent import Answer, How, Preferences
from journey.playbook import Channel, Purpose, Topic
from starters.account import account
from starters.cli import run
from starters.commands.customers import chosen
from starters.commands.support import CommandError
from starters.customer_account import customer_account
from store import consents, devices, feedback, preferences
from store.consents import Evidence
from store.history import Place
from store.message_feedback import MessageFeedback
from store.preferences import Choices
from tests.cli.commands import postlude, servers
from tests.support.entries import entry
from tests.support.orders import Order, Person, put

EMAIL, PHONE = "ada.lovelace@example.com", "+4915112345678"
PERSONAL = ("lovelace", "example.com", "15112345678", "Ada")


@pytest.fixture
def environment(stack, database_url, tmp_path):
    return servers(stack, database_url, tmp_path)


@pytest.fixture
async def now():
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
async def ada(pool, now):
    """Somebody who ticked a box, said no by link, has a phone with the app, and two orders with messages."""
    person = Person(customer_id="c-17", email=EMAIL)
    for order_id in ("1001", "1002"):
        await put(pool, Order(order_id, person=person, placed_at=now - timedelta(days=30)), "p")
    await pool.execute("DELETE FROM consents")
    await pool.execute("UPDATE customers SET phone = $1", PHONE)
    async with pool.acquire() as connection:
        box = Answer(
            Channel.EMAIL, Purpose.MARKETING, True, now - timedelta(days=30), How.ORDER_CHECKBOX, jurisdiction="DE"
        )
        await consents.write(connection, "acme", "c-17", box, Evidence("order.created", "order 1001", "News, please"))
    await devices.register(pool, shop="acme", order_id="1001", channel="push", address="token-1", at=now)
    choices = Choices(
        Preferences(channel=Channel.PUSH, paused_until=now + timedelta(days=9)),
        channels={Channel.EMAIL: False},
        topics={Topic.OFFERS: False},
    )
    await preferences.choose(
        pool,
        shop="acme",
        order_id="1001",
        via=Channel.EMAIL,
        choices=choices,
        at=now - timedelta(days=2),
        source_hash="0123456789abcdef",
    )
    await entry(
        pool,
        "acme/1001",
        "order_confirmation",
        now - timedelta(days=20),
        purpose="transactional",
        provider="postmark",
        name="pm-1",
        why={"sms": "no_provider"},
    )
    why = {"sms": "no_consent", "email": "suppressed_opted_out"}
    await entry(pool, "acme/1001", "tip", now - timedelta(days=1), status="refused", rule="no_consent", why=why)
    until = now + timedelta(hours=9)
    await entry(pool, "acme/1002", "offer", now, status="held", rule="quiet_hours", until=until)
    delivered = {"kind": "delivered", "at": now - timedelta(days=20)}
    opened = {"kind": "opened", "at": now - timedelta(days=20, seconds=-1)}
    for event in (delivered, opened):
        async with pool.acquire() as connection, connection.transaction():
            said = MessageFeedback(provider="postmark", channel=Channel.EMAIL, provider_id="pm-1", **event)
            assert await feedback.record(connection, said)
    return pool


async def show(*arguments, environment):
    """The command in a process of its own, while this one's servers go on working."""
    return await asyncio.to_thread(postlude, "customer", "show", *arguments, environment=environment)


@pytest.mark.usefixtures("ada")
async def test_the_json_has_everything_and_no_personal_data(environment):
    """Consent by channel with its rule, the evidence, the list, wishes, devices, and every message with its why."""
    ran = await show("acme/c-17", "--json", environment=environment)
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert [word for word in PERSONAL if word in ran.out] == []

    channels = {one["channel"]: one for one in found["channels"]}
    assert list(channels) == ["email", "sms", "whatsapp", "web_push", "push", "inbox"]
    mail = channels["email"]
    assert (mail["allowed"], mail["rule"], mail["suppressed"]) == (False, "opted_out", "opted_out")
    assert (channels["sms"]["rule"], channels["sms"]["addressed"]) == ("no_consent", True)
    assert (channels["push"]["addressed"], channels["web_push"]["addressed"]) == (True, False)
    assert found["devices"] == {"push": {"living": 1, "dead": 0}}
    assert [(one["channel"], one["reason"]) for one in found["suppressions"]] == [("email", "opted_out")]
    assert found["preferences"]["channel"] == "push"
    assert found["preferences"]["topics_refused"] == ["offers"]

    box = found["evidence"][-1]
    assert (box["granted"], box["how"], box["wording"], box["reference"], box["jurisdiction"]) == (
        *(True, "order_checkbox", "News, please", "order 1001", "DE"),
    )
    assert {one["source_hash"] for one in found["evidence"][:-1]} == {"0123456789ab"}

    held, refused, sent = found["messages"]
    assert (held["order"], held["status"], held["rule"]) == ("acme/1002", "held", "quiet_hours")
    assert refused["why"] == {"sms": "no_consent", "email": "suppressed_opted_out"}
    assert (sent["channel"], sent["provider"], sent["why"]) == ("email", "postmark", {"sms": "no_provider"})
    assert [(one["kind"], one["machine"]) for one in sent["events"]] == [("delivered", False), ("opened", True)]
    ruled = {one["rule"] for one in found["channels"]} | {held["rule"], refused["rule"], *refused["why"].values()}
    assert ruled | {"no_provider"} == set(found["words"])


@pytest.mark.usefixtures("ada")
async def test_a_person_reads_sentences_and_a_masked_address(environment):
    """The tables say each rule in words; of the suppressed address only so much as tells it from another."""
    ran = await show("acme/c-17", environment=environment | {"COLUMNS": "200"})
    assert ran.code == 0, ran.err
    for said in (
        "opted_out: the customer said no to marketing on this channel",
        "(a***@e***.com)",
        "not by sms: no_consent: there is no consent to marketing on this channel",
        "not by email: suppressed_opted_out: the address is on the suppression list: its owner opted out",
        "not by sms: no_provider: no provider serves this channel here",
        "Prefers push.",
        "Does not want: offers.",
        "opened by a machine",
        "“News, please”",
    ):
        assert said in ran.out
    assert [word for word in PERSONAL if word in ran.out] == []


async def test_an_address_is_looked_up_and_never_said(environment, ada):
    """By e-mail in any case or by number; of none and of several the refusal repeats nothing that was typed."""
    ran = await show("--email", EMAIL.upper(), "--json", environment=environment)
    assert json.loads(ran.out)["customer"] == "acme/c-17"
    assert await chosen(ada, None, None, "+49 1511 2345678") == ("acme", "c-17")
    await put(ada, Order("9", shop="other", person=Person(customer_id="x", email=EMAIL)), "p")
    refusals = [
        ((None, EMAIL, None), "several customers have this e-mail address, name one: acme/c-17, other/x"),
        ((None, "nobody.lovelace@example.com", None), "no customer has this e-mail address"),
        ((None, "lovelace", None), "that is no usable e-mail address"),
        ((None, None, "015112345678"), "that is no usable number: write it with its country's code"),
        ((EMAIL, None, None), "that is not a customer: write SHOP/CUSTOMER_ID, such as acme/c-17"),
        (("acme/c-17", EMAIL, None), "name one customer: SHOP/CUSTOMER_ID, --email ADDRESS or --phone NUMBER"),
        ((None, None, None), "name one customer: SHOP/CUSTOMER_ID, --email ADDRESS or --phone NUMBER"),
    ]
    for given, words in refusals:
        with pytest.raises(CommandError) as refused:
            await chosen(ada, *given)
        assert str(refused.value) == words


async def test_somebody_who_is_not_there_is_one_line(environment):
    """Nothing is kept of an erased customer: one line, exit code 1."""
    ran = await show("acme/nobody", environment=environment)
    words = "postlude: there is no customer acme/nobody, or nothing is kept of them any more\n"
    assert (ran.code, ran.out, ran.err) == (1, "", words)


async def test_messages_come_in_pages(ada, now):
    """`next` begins the page after; the last page has none, also when it is full."""
    first = await customer_account(ada, "acme", "c-17", now=now, limit=2)
    assert [one.touch for one in first.messages] == ["offer", "tip"]
    rest = await customer_account(ada, "acme", "c-17", now=now, limit=1, after=Place.parse(first.next))
    assert ([one.touch for one in rest.messages], rest.next) == (["order_confirmation"], None)


def test_a_page_that_begins_nowhere_is_a_usage_error(capsys):
    """What no page ever said as its end is refused with the option's name, before any server is asked."""
    assert run(["customer", "show", "acme/c-17", "--after", "yesterday"]) == 2
    assert "--after" in capsys.readouterr().err


async def test_an_orders_account_has_channel_why_and_events(environment, ada):
    """`order show` keeps its keys and adds each channel's rule, the provider, and what was heard of a message."""
    found = json.loads((await account(ada, None, "acme", "1001")).model_dump_json())
    sent, refused = found["messages"]
    assert set(sent) >= {"touch", "channel", "status", "at", "rule", "provider_id"}
    assert (sent["provider"], sent["why"]) == ("postmark", {"sms": "no_provider"})
    assert [(one["kind"], one["machine"]) for one in sent["events"]] == [("delivered", False), ("opened", True)]
    assert (refused["rule"], refused["why"]["email"]) == ("no_consent", "suppressed_opted_out")
    alone = environment | {"TEMPORAL_ADDRESS": "127.0.0.1:1"}
    shown = await asyncio.to_thread(postlude, "order", "show", "acme/1001", environment=alone)
    assert "not by email: suppressed_opted_out" in shown.out
    assert "opened by a machine" in shown.out
