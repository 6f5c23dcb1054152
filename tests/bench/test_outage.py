"""The outage's provider counts what a customer would get."""

import asyncio

import httpx

from bench.outage import Outage, Plan, Unsteady, rows

PLAN = Plan(journeys=3, away=60, flaps=2, flap=5, patience=60)


async def posted(http: httpx.AsyncClient, key: str) -> int:
    return (await http.post("/emails", json={}, headers={"idempotency-key": key})).status_code


async def test_a_provider_that_is_away_takes_nothing_and_one_that_is_back_takes_each_key_once() -> None:
    """503 to all while it is away; afterwards a key is taken once, and another of the same order too."""
    async with Unsteady() as provider:
        url = provider.url.replace("resend://key@", "http://").partition("?")[0]
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            provider.up = False
            assert await posted(http, "acme/o-1/order_confirmation/0") == 503
            assert (await http.get("/")).status_code == 503
            provider.up = True
            assert (await http.get("/")).status_code == 404
            for key in ("acme/o-1/order_confirmation/0", "acme/o-1/order_confirmation/0", "acme/o-1/shipped/0"):
                assert await posted(http, key) == 200
            await asyncio.gather(posted(http, "acme/o-2/order_confirmation/0"), posted(http, "acme/o-2/shipped/0"))
            assert await posted(http, "acme/o-2/order_confirmation/1") == 200
    assert (provider.refused, provider.repeats) == (2, 1)
    assert {order: len(moments) for order, moments in provider.orders().items()} == {"o-1": 1, "o-2": 2}


def test_a_mail_that_is_lost_or_doubled_misses_the_target() -> None:
    """Nothing lost and nothing doubled is asked; what the ledger holds is not lost, and the other rows only tell."""
    good = Outage(PLAN, added=[2, 4], attempts=[1, 3], recovered=[1.0, 2.0])
    assert [row.met for row in rows(good)] == [True, None, None, None, None]
    assert rows(Outage(PLAN, missing=1))[0].met is False
    assert rows(Outage(PLAN, held=1))[0].met is True
    assert rows(Outage(PLAN, duplicates=1))[0].met is False
