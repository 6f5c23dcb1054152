"""What one caller can take: time, connections, memory and posts. Each limit is small here."""

import asyncio
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse

from starters.limits import BoundedBodies, Limits, PostsOfALink
from starters.listening import listen, served
from starters.portal import Pages
from starters.words import words_of
from tests.support.patience import PATIENCE
from tests.support.sockets import HOST

SOON = 3.0  # long enough for an honest request on a machine that is busy
HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


def app():
    """Reads a body to its end and says how long it was; `/early` answers without reading any."""
    made = FastAPI(openapi_url=None)

    async def measure(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

    async def early() -> PlainTextResponse:
        return PlainTextResponse("early")

    made.add_api_route("/", measure, methods=["GET", "POST"])
    made.add_api_route("/early", early, methods=["POST"])
    return made


@asynccontextmanager
async def gateway(**limits):
    listener = listen(HOST, 0)
    async with served(app(), listener, finish=1, limits=Limits(**limits)):
        yield listener.getsockname()[1]


@asynccontextmanager
async def connection(port):
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def closed(reader):
    """What still comes before the connection ends, be it with a reset."""
    said = b""
    async with asyncio.timeout(PATIENCE):
        with suppress(OSError):
            while more := await reader.read(65536):
                said += more
    return said


async def trickle(writer, what):
    """One byte after the other, for as long as somebody listens."""
    with suppress(OSError):
        while True:
            writer.write(what)
            await writer.drain()
            await asyncio.sleep(0.02)


async def asks(port):
    """Whether an honest request is answered."""
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{port}", timeout=PATIENCE) as client:
        return (await client.post("/", content=b"hello")).text == "5"


async def until(client, status):
    """Send 300 bytes until they are answered so: what another connection sent takes its moment to be read."""
    async with asyncio.timeout(PATIENCE):
        answer = await client.post("/", content=b"x" * 300)
        while answer.status_code != status:
            answer = await client.post("/", content=b"x" * 300)
    return answer


@pytest.mark.parametrize("begun", [b"", b"G", HEAD, POST % 5 + b"hello" + HEAD])
async def test_a_head_that_never_ends_ends_the_connection(begun):
    """Whether nothing comes, one byte every moment, or a second request on a kept connection."""
    async with gateway(head_seconds=SOON) as port, connection(port) as (reader, writer):
        writer.write(begun)
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(trickle(writer, b"X") if begun else asyncio.sleep(0))
            said = await closed(reader)
            sending.cancel()
        assert (b"200 OK" in said) == (b"hello" in begun)
        assert await asks(port)


async def test_a_body_that_never_ends_is_answered_with_408():
    """A byte every moment buys no time; the answer comes and the connection ends."""
    async with gateway(body_seconds=SOON) as port, connection(port) as (reader, writer):
        writer.write(POST % 1000)
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(trickle(writer, b"x"))
            said = await closed(reader)
            sending.cancel()
        assert said.startswith(b"HTTP/1.1 408")
        assert await asks(port)


async def test_what_is_sent_on_after_an_answer_does_not_hold_the_connection():
    """An endpoint answered without reading; the body that trickles on meets the same deadline as a head."""
    async with gateway(head_seconds=SOON) as port, connection(port) as (reader, writer):
        writer.write((POST % 1000).replace(b"/ ", b"/early ", 1))
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(trickle(writer, b"x"))
            assert b"early" in await closed(reader)
            sending.cancel()


async def test_silent_connections_give_way_to_who_asks():
    """Far more than there may be are opened and say nothing; a customer is answered all the same."""
    async with gateway(head_seconds=PATIENCE, connections=5) as port:
        silent = [await asyncio.open_connection(HOST, port) for _ in range(25)]
        for _, writer in silent:
            with suppress(OSError):
                writer.write(b"G")
        assert await asks(port)
        for reader, _ in silent[:15]:
            assert await closed(reader) == b""
        for _, writer in silent:
            writer.close()


async def test_bodies_have_room_for_so_many_bytes_together():
    """One that does not fit any more is told to come again; once the others are done there is room."""
    async with gateway(body_bytes=1000, body_kept=800) as port, connection(port) as (first, held):
        held.write(POST % 800 + b"x" * 799)
        await held.drain()
        async with httpx.AsyncClient(base_url=f"http://{HOST}:{port}", timeout=PATIENCE) as client:
            refused = await until(client, 503)
            assert refused.headers["retry-after"] == "5"
            assert (await client.post("/", content=b"x" * 100)).status_code == 200
            held.write(b"x")
            assert b"200 OK" in await asyncio.wait_for(first.readuntil(b"\r\n"), PATIENCE)
            await until(client, 200)


async def test_what_is_held_is_given_back_however_a_request_ends():
    """Answered, broken off, failed: nothing of it stays counted."""
    bodies = BoundedBodies(app(), Limits(body_bytes=100, body_kept=100))

    async def failing(_scope, receive, _send):
        await receive()
        raise RuntimeError("broken")

    async with httpx.AsyncClient(transport=httpx.ASGITransport(bodies), base_url="http://x") as client:
        answers = [(await client.post("/", content=b"x" * 90)).status_code for _ in range(5)]
        assert (answers, bodies.held) == ([200] * 5, 0)
        assert (await client.post("/", content=b"x" * 101)).status_code == 200
        assert bodies.held == 0
    broken = BoundedBodies(failing, Limits())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(broken), base_url="http://x") as client:
        with pytest.raises(RuntimeError, match="broken"):
            await client.post("/", content=b"x")
    assert broken.held == 0


@pytest.mark.parametrize("path", ["o/{}/denied", "p/{}", "r/{}", "notes/{}/read", "devices/{}", "s/acme/p/{}"])
async def test_a_links_posts_are_counted(brand, path):
    """Thirty a minute; other links, looking, and a minute later are free. People get a page in their language."""
    now = [0.0]
    made = FastAPI(openapi_url=None)
    made.add_api_route("/{rest:path}", lambda: PlainTextResponse("taken"), methods=["GET", "POST"])
    within = PostsOfALink(made, Pages(brand), clock=lambda: now[0])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(within), base_url="http://x") as client:
        mine, others = f"/{path.format('mine')}", f"/{path.format('others')}"
        said = [(await client.post(mine)).status_code for _ in range(32)]
        assert said == [200] * 30 + [429] * 2
        page = await client.post(mine, headers={"accept": "text/html", "accept-language": "de"})
        assert (page.status_code, page.headers["retry-after"]) == (429, "60")
        assert words_of("de")["too_fast"]["text"] in page.text
        assert [(await client.get(mine)).status_code, (await client.post(others)).status_code] == [200, 200]
        now[0] = 60.0
        assert (await client.post(mine)).status_code == 200


@pytest.mark.parametrize("path", ["u/mine", "webhooks/events", "healthz"])
async def test_the_way_out_and_webhooks_are_not_counted(brand, path):
    """An opt-out works however often it is pressed, and a shop sends as many as it has."""
    made = FastAPI(openapi_url=None)
    made.add_api_route("/{rest:path}", lambda: PlainTextResponse("taken"), methods=["POST"])
    within = PostsOfALink(made, Pages(brand), clock=lambda: 0.0)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(within), base_url="http://x") as client:
        assert {(await client.post(f"/{path}")).status_code for _ in range(100)} == {200}
