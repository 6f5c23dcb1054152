"""Providers that misbehave: a doubt is settled, a certainty retried or refused, and nobody hears twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiosmtpd.smtp import SMTP

from activities.attempt import SOON
from activities.messaging.email.smtp import Smtp
from activities.messaging.protocol import Accepted, Busy, Mail, Receipt, Rejected
from journey.outcomes import DeliverRequest, Failed, Held, InDoubt, Refused, Sent
from tests.activities.desk import MARKETING, PLACED, TRANSACTIONAL, Desk
from tests.support.loopback import (
    CUT,
    ERROR_AFTER_ACCEPTING,
    GARBLED,
    LOGGED_OUT,
    REFUSED,
    SERVER_ERROR,
    SILENT,
    Api,
    too_many,
)
from tests.support.providers import PostmarkApi, ResendApi
from workers.mail_catcher import AnswerLate, MailCatcher

UNCLEAR = {
    "provider_http_500": (SERVER_ERROR, ERROR_AFTER_ACCEPTING),
    "provider_http_garbled_answer": (GARBLED,),
    "provider_http_no_answer": (SILENT, CUT),
}
NO_ADDRESSES = (
    "a@x.com, b@y.com",
    "a@x.com\r\nBcc: b@y.com",
    "a@",
    "@x.com",
    "",
    "a@b@c.com",
    "<a@x.com>",
    "ö,@x.de",
    "a@x.com\x00",
    "a\u2028@x.com",
)


@pytest.fixture(params=["resend", "postmark"])
def http(request: pytest.FixtureRequest) -> tuple[Desk, Api]:
    return request.getfixturevalue(f"{request.param}_desk"), request.getfixturevalue(request.param)


async def held(desk: Desk, request: DeliverRequest) -> Held:
    """One attempt that cannot do it now."""
    outcome = (await desk.deliveries().deliver(request)).outcome(now=request.now)
    assert isinstance(outcome, Held)
    return outcome


@pytest.mark.parametrize("touch", [TRANSACTIONAL, MARKETING])
async def test_whatever_a_provider_answers_one_message_arrives(http: tuple[Desk, Api], touch: str) -> None:
    """500, garbled, silent after accepting, cut mid-body: the doubt is settled, once and with two in a row."""
    desk, api = http
    for rule, misdeeds in UNCLEAR.items():
        for script in [(one,) for one in misdeeds] + [(one, one) for one in misdeeds]:
            order = await desk.order()
            request = desk.request(order, touch)
            api.then(*script)
            answer = await held(desk, request)
            assert (answer.rule, answer.doubtful) == (rule, True)
            assert isinstance(await desk.settle(request), Sent)
            assert len(desk.arrived(order)) == 1, script
            assert await desk.row(order) == ("sent", None)


async def test_too_many_requests_are_spaced_as_the_provider_wishes(http: tuple[Desk, Api]) -> None:
    """The message waits for the way, which stays closed for as long as Retry-After says; nothing is asked meanwhile."""
    desk, api = http
    order, other = await desk.order(), await desk.order()
    request, worker = desk.request(order, TRANSACTIONAL), desk.deliveries()
    waits = Held(until=desk.patience(request), rule="provider_http_429", waits_for="email")
    api.then(too_many(7200))
    assert (await worker.deliver(request)).outcome(now=PLACED) == waits
    assert await desk.row(order) == ("held", "provider_http_429")
    asked = len(api.requests)
    almost = desk.request(other, TRANSACTIONAL).but(now=PLACED + timedelta(hours=2) - timedelta(seconds=1))
    refused = (await worker.deliver(almost)).outcome(now=PLACED)
    assert refused == waits.but(until=desk.patience(almost.but(due=almost.now)))
    assert len(api.requests) == asked
    for one in (request, almost):
        answer = await worker.deliver(one.but(now=PLACED + timedelta(hours=2)))
        assert isinstance(answer.outcome(now=PLACED), Sent)


async def test_what_will_never_pass_is_refused_with_its_code(http: tuple[Desk, Api]) -> None:
    """A 422 is final and a row; the address is not blamed for it."""
    desk, api = http
    order = await desk.order()
    api.then(REFUSED)
    assert await desk.settle(desk.request(order, TRANSACTIONAL)) == Refused(rule="provider_http_422")
    assert await desk.row(order) == ("refused", "provider_http_422")
    assert await desk.pool.fetchval("SELECT count(*) FROM suppressions") == 0


async def test_our_own_misconfiguration_loses_no_message(http: tuple[Desk, Api]) -> None:
    """A wrong API key is waited out, and given up only when the touch's patience ends."""
    desk, api = http
    order = await desk.order()
    request = desk.request(order, TRANSACTIONAL)
    api.then(LOGGED_OUT, LOGGED_OUT)
    assert (await held(desk, request)).rule == "provider_http_401"
    last = request.but(now=request.due + desk.playbook.by_id[TRANSACTIONAL].patience)
    assert (await desk.deliveries().deliver(last)).outcome(now=request.now) == Failed(rule="provider_http_401")
    assert await desk.row(order) == ("failed", "provider_http_401")


async def test_a_provider_that_is_down_certainly_took_nothing(http: tuple[Desk, Api]) -> None:
    """A refused connection leaves no doubt: the row is held and free to be claimed again."""
    desk, api = http
    order = await desk.order()
    request = desk.request(order, MARKETING)
    await api.stop()
    assert (await held(desk, request)).rule == "provider_http_unreachable"
    (row,) = await desk.rows(order)
    assert (row["status"], row["claim"]) == ("held", None)
    await api.start()
    assert isinstance(await desk.settle(request), Sent)


async def test_an_address_that_bounced_before_is_not_written_to_again(
    postmark_desk: Desk, postmark: PostmarkApi
) -> None:
    """Postmark's 406 suppresses the address, for transactional mail too."""
    order = await postmark_desk.order()
    postmark.inactive.add(order.person.email or "")
    assert await postmark_desk.settle(postmark_desk.request(order, TRANSACTIONAL)) == Refused(
        rule="provider_postmark_406"
    )
    outcome = await postmark_desk.settle(postmark_desk.request(order, "care"))
    assert outcome == Refused(rule="suppressed_bounced")
    assert len(postmark.requests) == 1


async def test_a_key_too_long_for_postmarks_metadata_is_still_found(postmark_desk: Desk) -> None:
    """Metadata holds 80 characters; a longer name is folded, the same way when it is searched for."""
    order = await postmark_desk.order(shop="s" * 90)
    request = postmark_desk.request(order, TRANSACTIONAL)
    assert isinstance(await postmark_desk.settle(request), Sent)
    (arrival,) = postmark_desk.arrived(order)
    long_key = f"{order.shop}/{order.order_id}/{TRANSACTIONAL}/0"
    assert len(arrival.key) <= 80
    assert await postmark_desk.provider.find(long_key, "") is not None


# ---- plain SMTP ---------------------------------------------------------------------------------------------


async def test_a_line_that_goes_dead_after_data_leaves_marketing_in_doubt(
    smtp_desk: Desk, catcher: MailCatcher
) -> None:
    """Accepted or not, nobody can ask: no second mail, and the row says why."""
    for behaviour in (ConnectionResetError(), AnswerLate(5)):
        order = await smtp_desk.order()
        catcher.behaviour = raising(behaviour)
        assert await smtp_desk.settle(smtp_desk.request(order, MARKETING)) == InDoubt(
            rule="provider_smtp_dropped_in_data"
        )
        assert await smtp_desk.row(order) == ("in_doubt", "provider_smtp_dropped_in_data")
        assert len(smtp_desk.arrived(order)) == 1


async def test_a_line_that_goes_dead_after_data_repeats_what_is_transactional(
    smtp_desk: Desk, catcher: MailCatcher
) -> None:
    """It goes once more, as a row of its own."""
    order = await smtp_desk.order()
    request = smtp_desk.request(order, TRANSACTIONAL)
    catcher.behaviour = raising(ConnectionResetError())
    waits = Held(until=PLACED + SOON, rule="provider_smtp_dropped_in_data", doubtful=True)
    assert await held(smtp_desk, request) == waits
    catcher.behaviour = None
    assert isinstance(await smtp_desk.settle(request), Sent)
    assert len(smtp_desk.arrived(order)) == 2
    rows = await smtp_desk.rows(order)
    assert [(row["status"], row["rule"]) for row in rows] == [("in_doubt", "sent_again"), ("sent", None)]


async def test_a_relay_that_is_busy_is_tried_again(smtp_desk: Desk, catcher: MailCatcher) -> None:
    """451 was not accepted: the same message goes later, once."""
    order = await smtp_desk.order()
    request = smtp_desk.request(order, MARKETING)
    catcher.behaviour = lambda _mail: "451 4.7.1 greylisted"
    assert await held(smtp_desk, request) == Held(until=PLACED + SOON, rule="provider_smtp_451")
    catcher.behaviour = None
    assert isinstance(await smtp_desk.settle(request), Sent)
    assert len(smtp_desk.arrived(order)) == 1


@pytest.mark.parametrize(("reply", "dead"), [("550 5.1.1 no such user", True), ("554 5.7.1 spam", False)])
async def test_only_a_mailbox_that_is_not_there_is_suppressed(
    smtp_desk: Desk, catcher: MailCatcher, reply: str, dead: bool
) -> None:
    """A bounce stops everything to that address; another refusal stops that message."""
    order = await smtp_desk.order()
    catcher.behaviour = lambda _mail: reply
    refused = await smtp_desk.settle(smtp_desk.request(order, TRANSACTIONAL))
    assert refused == Refused(rule=f"provider_smtp_{reply[:3]}")
    catcher.behaviour = None
    later = await smtp_desk.settle(smtp_desk.request(order, "care"))
    assert later == Refused(rule="suppressed_bounced") if dead else isinstance(later, Sent)


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ({"RCPT": "550 5.1.1 unknown"}, Rejected("smtp_550", address_dead=True)),
        ({"RCPT": "550 5.7.1 we do not relay"}, Busy("smtp_550", everyone=False)),
        ({"RCPT": "554 5.7.1 relay access denied"}, Busy("smtp_554", everyone=False)),
        ({"RCPT": "550 no such user"}, Rejected("smtp_550")),
        ({"RCPT": "452 4.2.2 full"}, Busy("smtp_452", everyone=False)),
        ({"RCPT": "530 5.7.0 log in first"}, Busy("smtp_530")),
        ({"MAIL": "553 5.1.8 whose domain is that"}, Busy("smtp_sender_553")),
        ({}, Accepted(None)),
    ],
)
async def test_each_step_of_smtp_blames_whom_it_is_about(replies: dict[str, str], expected: Receipt) -> None:
    """A refused recipient is the customer's address; a refused sender or log-in is ours to mend."""
    async with relay(replies) as port:
        assert await Smtp(urlsplit(f"smtp://127.0.0.1:{port}")).send(message()) == expected


async def test_an_address_beyond_ascii_needs_a_server_that_takes_it(catcher: MailCatcher) -> None:
    """With SMTPUTF8 it arrives as it is; without, it is a refusal with its reason."""
    assert isinstance(await Smtp(urlsplit(catcher.url)).send(message("jörg@exämple.de")), Accepted)
    (mail,) = catcher.messages()
    assert mail.recipients == ("jörg@xn--exmple-cua.de",)
    async with relay({}) as port:
        plain = Smtp(urlsplit(f"smtp://127.0.0.1:{port}"))
        assert await plain.send(message("jörg@example.com")) == Rejected("address_needs_smtputf8")
        assert await plain.send(message("ada@exämple.de")) == Accepted(None)


async def test_what_is_no_address_reaches_no_provider(
    smtp_desk: Desk, resend_desk: Desk, postmark_desk: Desk, resend: ResendApi, postmark: PostmarkApi
) -> None:
    """Lists, line ends and halves of addresses are refused before anything is on the wire."""
    for desk in (smtp_desk, resend_desk, postmark_desk):
        for bad in NO_ADDRESSES:
            assert await desk.provider.send(message(bad)) == Rejected("address_invalid"), bad
    assert resend.requests == postmark.requests == []


def raising(error: Exception) -> Any:
    """A behaviour that accepts and then does something else than answer in time."""

    def behave(_mail: object) -> None:
        raise error

    return behave


def message(to: str = "ada@example.com") -> Mail:
    """A small one."""
    return Mail("k/1", "<1@shop.test>", "shop@shop.test", "Shop", to, "shop@shop.test", "Hi", "<p>Hi</p>", "Hi")


@asynccontextmanager
async def relay(replies: dict[str, str]) -> AsyncIterator[int]:
    """A relay without SMTPUTF8 that answers some commands in its own way; yields its port."""

    class Handler:
        async def handle_MAIL(self, _server: SMTP, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802  aiosmtpd's hook
            envelope.mail_from = address
            return replies.get("MAIL", "250 OK")

        async def handle_RCPT(self, _server: SMTP, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802  aiosmtpd's hook
            envelope.rcpt_tos.append(address)
            return replies.get("RCPT", "250 OK")

        async def handle_DATA(self, _server: SMTP, _session: Any, _envelope: Any) -> str:  # noqa: N802  aiosmtpd's hook
            return "250 OK"

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Handler(), hostname="localhost", loop=loop), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
