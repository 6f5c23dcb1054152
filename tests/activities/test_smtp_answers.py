"""Every answer of an SMTP server, before the message and after it, on a server that says what it is told to."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP
from urllib.parse import urlsplit

import pytest

from activities.messaging.email.smtp import Smtp
from activities.messaging.protocol import Accepted, Busy, Mail, Receipt, Rejected, Unclear

MESSAGE = Mail(
    "k/1", "<1@shop.test>", "shop@shop.test", "Shop", "ada@example.com", "shop@shop.test", "Hi", "<p>Hi</p>", ".Hi\n."
)
SILENCE = b""
HANG_UP = b"hang up"


@asynccontextmanager
async def server(replies: Mapping[str, bytes], bodies: list[bytes], *, pause: float = 0) -> AsyncIterator[int]:
    """Answers a verb as `replies` say, the body as its `.`, and the greeting as its `220`; yields the port.

    `pause` is how many seconds it takes for the answer to each verb.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        verb, reply = "220", b"220 hello\r\n"
        while True:
            reply = replies.get(verb, reply)
            if reply == HANG_UP:
                break
            writer.write(reply)
            if verb == "DATA" and reply.startswith(b"354"):
                bodies.append(await reader.readuntil(b"\r\n.\r\n"))
                verb, reply = ".", b"250 ok\r\n"
                continue
            line = await reader.readline()
            if not line:
                break
            await asyncio.sleep(pause)
            verb = line[:4].decode().upper()
            reply = b"354 go\r\n" if verb == "DATA" else b"250 ok\r\n"
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


async def answer(replies: Mapping[str, bytes], bodies: list[bytes]) -> Receipt:
    """What comes of one message to a server that answers so; nobody waits long where it is silent, and only there."""
    patience = {"timeout": 10.0, "answer_timeout": 10.0}
    for verb, reply in replies.items():
        if reply == SILENCE:
            patience["answer_timeout" if verb == "." else "timeout"] = 0.4
    async with server(replies, bodies) as port:
        return await Smtp(urlsplit(f"smtp://127.0.0.1:{port}"), **patience).send(MESSAGE)


@pytest.mark.parametrize(
    ("final", "expected"),
    [
        (b"250 2.0.0 Ok: queued as 4F2A1\r\n", Accepted("4F2A1")),
        (b"200 OK\r\n", Accepted(None)),
        (b"252 ok\r\n", Accepted(None)),
        (b"421 4.3.2 closing\r\n", Busy("smtp_421")),
        (b"451 later\r\n", Busy("smtp_451", everyone=False)),
        (b"550 5.1.1 no such user\r\n", Rejected("smtp_550", address_dead=True)),
        (b"550 5.7.26 your domain is not yours\r\n", Busy("smtp_550", everyone=False)),
        (b"554 5.7.1 spam\r\n", Rejected("smtp_554")),
        (b"354 more\r\n", Unclear("smtp_garbled_answer")),
        (b"900 what\r\n", Unclear("smtp_garbled_answer")),
        (b"garbage\r\n", Unclear("smtp_garbled_answer")),
        (b"25O Ok queued\r\n", Unclear("smtp_garbled_answer")),
        (b"250 " + b"x" * 70000 + b"\r\n", Unclear("smtp_garbled_answer")),
        (SILENCE, Unclear("smtp_dropped_in_data")),
        (HANG_UP, Unclear("smtp_dropped_in_data")),
    ],
)
async def test_after_the_message_the_first_digit_decides(final: bytes, expected: Receipt) -> None:
    """2 took it, 4 and 5 did not; whatever is no such answer leaves a doubt."""
    bodies: list[bytes] = []
    assert await answer({".": final}, bodies) == expected
    assert len(bodies) == 1


@pytest.mark.parametrize("verb", ["220", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("reply", [b"garbage\r\n", b"421 4.3.2 closing\r\n", SILENCE, HANG_UP])
async def test_before_the_message_nothing_is_a_doubt(verb: str, reply: bytes) -> None:
    """No message was on the wire, so a server that breaks off or mumbles there is asked again."""
    bodies: list[bytes] = []
    assert isinstance(await answer({verb: reply}, bodies), Busy)
    assert bodies == []


async def test_a_server_that_does_not_want_the_message_is_not_given_it() -> None:
    """DATA answered with 250 or refused: no body is written."""
    bodies: list[bytes] = []
    assert await answer({"DATA": b"250 ok\r\n"}, bodies) == Busy("smtp_250", everyone=False)
    assert await answer({"DATA": b"554 no valid recipients\r\n"}, bodies) == Rejected("smtp_554")
    assert bodies == []


async def test_lines_that_begin_with_a_dot_arrive_as_they_were() -> None:
    """A dot on the wire is doubled, so that the message does not end at one (RFC 5321 4.5.2)."""
    bodies: list[bytes] = []
    assert isinstance(await answer({}, bodies), Accepted)
    assert b"\r\n..Hi\r\n" in bodies[0]
    arrived = bodies[0].removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")
    plain = BytesParser(_class=EmailMessage, policy=SMTP).parsebytes(arrived).get_body(("plain",))
    assert plain is not None
    assert plain.get_content().splitlines() == MESSAGE.text.splitlines()


async def test_one_deadline_stands_over_all_steps_before_the_message() -> None:
    """A server that takes its time for each answer does not get that time for each of them."""
    bodies: list[bytes] = []
    async with server({}, bodies, pause=0.2) as port:
        slow = Smtp(urlsplit(f"smtp://127.0.0.1:{port}"), timeout=0.5, answer_timeout=5)
        assert isinstance(await slow.send(MESSAGE), Busy)
    assert bodies == []


async def test_the_answer_to_the_message_may_take_longer_than_all_before() -> None:
    """A relay that scans before it answers is waited for, or the message would go twice."""
    bodies: list[bytes] = []
    async with server({".": SILENCE}, bodies) as port:
        patient = Smtp(urlsplit(f"smtp://127.0.0.1:{port}"), timeout=0.8, answer_timeout=1)
        started = asyncio.get_running_loop().time()
        assert await patient.send(MESSAGE) == Unclear("smtp_dropped_in_data")
        assert asyncio.get_running_loop().time() - started >= 1
