"""Which page is served where, and for whom: customers' port, operators' and the embedded stack's own."""

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from starters.listening import for_operators, listen, listen_as_asked, url_of
from starters.operations import OwnHosts
from starters.serving import serving
from tests.gateway.kit import SECRET_KEY
from tests.support.sockets import HOST
from workers.services import shop_parts
from workers.settings import SettingMissingError, Settings

OPERATORS = ("/metrics", "/openapi.json", "/dev/mails", "/dev/gallery", "/docs", "/redoc")


def settings(**values):
    return Settings(_env_file=None, secret_key=SECRET_KEY, **values)


async def test_customers_find_nothing_of_the_operators(pool, client, templates):
    """Neither figures nor description nor reasons are on the customers' port; all are on the operators'."""
    listener, own = listen(HOST, 0), listen(HOST, 0)
    async with (
        shop_parts(settings(), templates, ()) as parts,
        serving(settings(), pool, client, parts, listener=listener, operations=own) as url,
        httpx.AsyncClient(base_url=url) as customers,
        httpx.AsyncClient(base_url=url_of(own)) as operators,
    ):
        assert [(await customers.get(path)).status_code for path in OPERATORS] == [404] * len(OPERATORS)
        assert (await customers.get("/readyz")).json() == {"status": "ready"}
        assert (await operators.get("/readyz")).json() == {"database": "ok", "temporal": "ok"}
        assert "postlude_inbox_pending" in (await operators.get("/metrics")).text
        described = (await operators.get("/openapi.json")).json()
        assert "/healthz" in described["paths"]
        assert [(await operators.get(path)).status_code for path in ("/webhooks/events", "/o/x")] == [404, 404]


def _page():
    app = FastAPI(openapi_url=None)
    app.add_api_route("/", lambda: PlainTextResponse("ours"))
    return app


async def test_a_name_that_was_rebound_to_loopback_opens_nothing():
    """A page of evil.example whose name leads here is refused, whatever port or spelling; own names are answered."""
    own = listen(HOST, 0)
    async with for_operators(_page(), own) as url, httpx.AsyncClient(base_url=url) as browser:
        port = own.getsockname()[1]

        async def asked(host):
            return (await browser.get("/", headers={"host": host})).status_code

        ours = [f"127.0.0.1:{port}", f"localhost:{port}", "LOCALHOST", "localhost.", "[::1]:80", HOST]
        theirs = [
            "evil.example",
            f"evil.example:{port}",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "",
            "[::1",
        ]
        assert [await asked(host) for host in ours] == [200] * len(ours)
        assert [await asked(host) for host in theirs[:-1]] == [421] * (len(theirs) - 1)


@pytest.mark.parametrize("headers", [[], [(b"host", b"localhost"), (b"host", b"evil.example")]])
async def test_a_request_that_names_no_host_or_two_is_refused(headers):
    """What is missing or ambiguous is no name of ours."""
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"", "headers": headers}
    await OwnHosts(_page(), HOST)(scope, receive, send)
    assert sent[0]["status"] == 421


def test_a_default_port_that_is_taken_is_another_one():
    """A second gateway on a machine starts too; an address that was asked for is that one or none."""
    held = listen(HOST, 0)
    taken = f"{HOST}:{held.getsockname()[1]}"
    held.listen()
    default = settings()
    default.operations_listen = taken
    default.model_fields_set.discard("operations_listen")
    other = listen_as_asked(default, "operations_listen")
    assert other.getsockname()[1] != held.getsockname()[1]
    with pytest.raises(OSError, match="in use"):
        listen_as_asked(settings(operations_listen=taken), "operations_listen")
    with pytest.raises(SettingMissingError, match="POSTLUDE_OPERATIONS_LISTEN must be HOST:PORT"):
        listen_as_asked(settings(operations_listen="nowhere"), "operations_listen")
    held.close()
    other.close()
