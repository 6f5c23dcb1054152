"""The customers' pages: what they show, to whom, and what they never do."""

import html
import re

import pytest

from activities.links import Links
from journey.playbook import Channel
from starters.words import words_of
from tests.gateway.kit import SECRET_KEY


async def opted_out(gate):
    consent = await gate.pool.fetchval(
        "SELECT granted FROM consents WHERE channel = 'email' ORDER BY at DESC, id DESC LIMIT 1"
    )
    listed = [tuple(row) for row in await gate.pool.fetch("SELECT channel, address, reason FROM suppressions")]
    return consent, listed


@pytest.fixture
async def placed(gate):
    gate.clock.forward(minutes=5)
    await gate.send.order(customer={"email": "Ada@Example.com", "locale": "en-GB"})
    await gate.relay.drain()
    gate.clock.forward(minutes=5)
    return gate


async def test_the_order_page_shows_the_order(placed):
    """Lines, total, parcels with their progress and a way to a person are on one page."""
    await placed.send.event("shipment.created", shop="acme", order_id="1001", tracking_number="P-1", carrier="DHL")
    await placed.send.scan("P-1", "out_for_delivery", "2026-11-26T06:00:00Z", est_delivery_date="2026-11-26")
    await placed.relay.drain()
    page = await placed.client.get(placed.links.order("acme", "1001"))
    assert page.status_code == 200
    for text in ("Yoga mat", "€79.00", "P-1", "DHL", "Expected Thursday 26 November", "hello@fernhill.example"):
        assert text in page.text
    assert page.text.count('aria-current="step">Out for delivery') == 1


async def test_pages_are_closed_to_scripts_frames_and_caches(placed):
    """Every page says that it needs no script, may not be framed and must not be kept."""
    page = await placed.client.get(placed.links.order("acme", "1001"))
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "ada@example.com" not in page.text.lower()


async def test_hostile_words_are_shown_as_words(gate):
    """Markup in a name, a title or an order id is text on the page."""
    evil = "<script>alert(1)</script>"
    order_id = "1\"'><img src=x>"
    await gate.send.order(order_id=order_id, customer={"first_name": evil}, line={"title": evil})
    number = "<i>\"'&"
    await gate.send.event("shipment.created", shop="acme", order_id=order_id, tracking_number=number, carrier=evil)
    await gate.relay.drain()
    page = await gate.client.get(gate.links.order("acme", order_id))
    assert page.status_code == 200
    assert not any(tag in page.text for tag in ("<script", "<img", "<i>"))
    assert page.text.count("&lt;script&gt;") == 3


@pytest.mark.parametrize("path", ["o", "u"])
async def test_altered_links_open_nothing(placed, path):
    """Cut, altered, foreign and swapped tokens are answered 404, whatever is in them."""
    make, other = (
        (placed.links.order, placed.links.unsubscribe)
        if path == "o"
        else (placed.links.unsubscribe, placed.links.order)
    )
    token = make("acme", "1001").rpartition("/")[2]
    foreign = Links("another key", "http://gate")
    foreign_make = foreign.order if path == "o" else foreign.unsubscribe
    tokens = [
        token[:-1],
        token[1:],
        token[:5] + "A" + token[6:],
        "x",
        "..",
        "%00",
        "%ff%fe",
        "é",
        "a" * 5000,
        foreign_make("acme", "1001").rpartition("/")[2],
        other("acme", "1001").rpartition("/")[2],
        make("acme", "no-such-order").rpartition("/")[2] if path == "o" else token + ".",
    ]
    answers = [(await placed.client.get(f"/{path}/{one}")).status_code for one in tokens]
    assert answers == [404] * len(tokens)


async def test_looking_at_the_way_out_changes_nothing(placed):
    """A scanner that follows the link opts nobody out."""
    page = await placed.client.get(placed.links.unsubscribe("acme", "1001"))
    assert (page.status_code, '<form method="post">' in page.text) == (200, True)
    assert await opted_out(placed) == (True, [])


@pytest.mark.parametrize(
    "request_parts",
    [
        {"data": {"List-Unsubscribe": "One-Click"}},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
    ],
)
async def test_one_click_acts_at_once(placed, request_parts):
    """RFC 8058: a POST, form-encoded or multipart, opts out, shows no page and redirects nowhere."""
    answer = await placed.client.post(placed.links.unsubscribe("acme", "1001"), **request_parts)
    assert (answer.status_code, answer.text) == (200, "Unsubscribed.\n")
    assert answer.headers["content-type"].startswith("text/plain")
    assert await opted_out(placed) == (False, [("email", "ada@example.com", "opted_out")])


async def test_a_person_who_opts_out_sees_that_it_is_done(placed):
    """The form's button opts out and says so; doing it twice is the same."""
    link = placed.links.unsubscribe("acme", "1001")
    pages = [await placed.client.post(link, data={"confirm": "yes"}) for _ in range(2)]
    assert all("You are unsubscribed" in page.text for page in pages)
    assert await opted_out(placed) == (False, [("email", "ada@example.com", "opted_out")])
    assert await placed.pool.fetchval("SELECT count(*) FROM consents WHERE NOT granted AND channel = 'email'") == 1


async def test_an_opt_out_is_the_tokens_own_customers(placed):
    """Another customer's consent is not touched, and neither is the same address at another shop."""
    await placed.send.order(order_id="2", customer={"customer_id": "c-2", "email": "bob@example.com"})
    await placed.send.order(shop="bolt")
    await placed.relay.drain()
    await placed.client.post(placed.links.unsubscribe("acme", "1001"))
    rows = await placed.pool.fetch("SELECT shop, customer_id FROM consents WHERE NOT granted AND channel = 'email'")
    assert [tuple(row) for row in rows] == [("acme", "c-17")]
    assert await placed.pool.fetchval("SELECT string_agg(shop, ',') FROM suppressions") == "acme"


async def test_an_opt_out_without_an_address_is_kept_as_consent(gate):
    """Where no address is known the withdrawn consent is what counts."""
    await gate.send.order(customer={"email": None})
    await gate.relay.drain()
    gate.clock.forward(minutes=1)
    answer = await gate.client.post(gate.links.unsubscribe("acme", "1001"))
    assert (answer.status_code, await opted_out(gate)) == (200, (False, []))


async def test_an_opt_out_of_an_unknown_order_is_not_promised(gate):
    """Nobody is told that they are unsubscribed when nobody is."""
    answer = await gate.client.post(gate.links.unsubscribe("acme", "9"), data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 404


async def test_pages_wait_for_the_database(placed):
    """While the database is away the pages say so, and an opt-out is not claimed."""
    await placed.pool.close()
    answers = [
        await placed.client.get(placed.links.order("acme", "1001")),
        await placed.client.post(placed.links.unsubscribe("acme", "1001")),
        await placed.client.post(placed.links.unsubscribe("acme", "1001"), data={"List-Unsubscribe": "One-Click"}),
    ]
    assert [answer.status_code for answer in answers] == [503, 503, 503]


@pytest.mark.parametrize(
    ("status", "detail", "shown"),
    [
        ("in_transit", "delayed", "Running late"),
        ("failure", "lost", "cannot find it"),
        ("return_to_sender", None, "On its way back to us"),
        ("cancelled", None, "called off"),
        ("available_for_pickup", None, "pick-up point"),
        ("error", None, "has not said more"),
    ],
)
async def test_every_state_of_a_parcel_has_its_sentence(placed, status, detail, shown):
    """Trouble is told in words, on the same page."""
    await placed.send.event("shipment.created", shop="acme", order_id="1001", tracking_number="P-1")
    await placed.send.scan("P-1", status, "2026-11-26T06:00:00Z", status_detail=detail)
    await placed.relay.drain()
    page = await placed.client.get(placed.links.order("acme", "1001"))
    assert (page.status_code, shown in page.text) == (200, True)


SPEECH = {
    "de-AT": ("de", "Erwartet am Donnerstag, 26. November", "In Zustellung", "79,00", "Keine Werbemails mehr?"),
    "fr": ("fr", "Prévu le jeudi 26 novembre", "En livraison", "79,00", "Me désinscrire"),
    "es-MX": ("es", "Previsto para el jueves, 26 de noviembre", "En reparto", "79.00", "¿Sin más correos"),
    "en-US": ("en", "Expected Thursday, November 26", "Out for delivery", "€79.00", "No more marketing mails?"),
}


@pytest.mark.parametrize("locale", SPEECH)
async def test_pages_speak_the_customers_language(placed, locale):
    """The order, its messages and the way out: words, days and money, whatever the browser asks for."""
    await placed.pool.execute("UPDATE customers SET locale = $1", locale)
    await placed.send.event("shipment.created", shop="acme", order_id="1001", tracking_number="P-1")
    await placed.send.scan("P-1", "out_for_delivery", "2026-11-26T06:00:00Z", est_delivery_date="2026-11-26")
    await placed.relay.drain()
    language, expected, step, price, question = SPEECH[locale]
    order, way_out = placed.links.order("acme", "1001"), placed.links.unsubscribe("acme", "1001")
    headers = {"accept": "text/html", "accept-language": "it,fr;q=0.9" if language != "fr" else "de"}
    pages = [
        await placed.client.get(order, headers=headers),
        await placed.client.get(order.replace("/o/", "/notes/"), headers=headers),
        await placed.client.get(way_out, headers=headers),
        await placed.client.post(way_out, headers=headers),
    ]
    assert [page.status_code for page in pages] == [200] * 4
    assert all(f'<html lang="{language}">' in page.text for page in pages)
    said = words_of(language)
    for page, shown in zip(
        pages,
        [(expected, step, price), (said["notes"]["empty"],), (question,), (said["unsubscribe"]["done"],)],
        strict=True,
    ):
        assert [text for text in shown if text not in html.unescape(page.text)] == []


@pytest.mark.parametrize(
    ("asked", "language"),
    [("de-CH,de;q=0.9,en;q=0.8", "de"), ("it, fr;q=0.5, es;q=0.7", "es"), ("ja", "en"), ("", "en"), ("*", "en")],
)
async def test_a_page_of_nobodys_speaks_the_browsers_language(placed, asked, language):
    """404 and 503: nobody knows whose page it is, so the browser's wish decides."""
    headers = {"accept-language": asked, "accept": "text/html"}
    nowhere = [
        await placed.client.get(f"/{path}/x", headers=headers) for path in ("o", "u", "p", "c", "confirm", "notes")
    ]
    assert {page.status_code for page in nowhere} == {404}
    assert all(words_of(language)["not_found"]["title"] in html.unescape(page.text) for page in nowhere)
    await placed.pool.close()
    away = await placed.client.get(placed.links.order("acme", "1001"), headers=headers)
    assert (away.status_code, words_of(language)["away"]["title"] in html.unescape(away.text)) == (503, True)


@pytest.mark.parametrize("asked", ["de;q=x", "de;q=-1,fr;q=nan", ";;;,,,", "é" * 50, "de;q=9e99", "en;q=" + "9" * 400])
async def test_an_odd_wish_for_a_language_is_none(placed, asked):
    """Whatever stands in that header, the page is there."""
    page = await placed.client.get("/o/x", headers={"accept-language": asked.encode()})
    assert (page.status_code, '<html lang="en">' in page.text) == (404, True)


async def test_the_order_page_leads_to_messages_and_preferences_and_proves_no_address(placed):
    """Links to an order are passed on: who follows one to the preference centre has nobody's mailbox."""
    page = await placed.client.get(placed.links.order("acme", "1001"))
    token = re.search(r'href="http://gate/p/([^"]+)"', page.text)[1]
    assert placed.links.read_preferences(token) == ("acme", "1001", Channel.INBOX)
    notes = re.search(r'href="(/notes/[^"]+)"', page.text)[1]
    seen = await placed.client.get(notes, headers={"accept": "text/html"})
    assert (seen.status_code, "Nothing here yet" in seen.text) == (200, True)


async def test_the_way_out_works_while_the_database_is_away(placed):
    """The button is there at least, in the browser's language; pressing it says that it has not worked yet."""
    await placed.pool.close()
    link = placed.links.unsubscribe("acme", "1001")
    page = await placed.client.get(link, headers={"accept-language": "de"})
    assert (page.status_code, "Keine Werbemails mehr?" in page.text) == (200, True)
    assert (await placed.client.post(link)).status_code == 503


def test_links_say_nothing_of_people():
    """A token holds the order's ids and nothing else, and a signer needs a key."""
    links = Links(SECRET_KEY, "https://shop.example/")
    assert links.order("acme", "1001").startswith("https://shop.example/o/")
    assert links.read_order(links.order("acme", "1001").rpartition("/")[2]) == ("acme", "1001")
    with pytest.raises(ValueError, match="secret key"):
        Links("", "https://shop.example")


async def _marketing(gate):
    """Whether the newest word is a yes, as the ledger reads it, with every row's source, oldest first."""
    rows = await gate.pool.fetch("SELECT granted, source FROM consents WHERE channel = 'email' ORDER BY at, id")
    return rows[-1]["granted"], [row["source"] for row in rows]


async def test_a_ticked_box_does_not_undo_an_opt_out(placed):
    """After the link an order's yes is kept as evidence and changes nothing, even from another address."""
    await placed.client.post(placed.links.unsubscribe("acme", "1001"))
    placed.clock.forward(days=1)
    moment = placed.clock.now.isoformat()
    for _ in range(2):
        await placed.send.order(order_id="2", placed_at=moment, customer={"email": "new@example.com"})
        await placed.relay.drain()
    assert await _marketing(placed) == (
        False,
        ["order.created", "unsubscribe_link", "order.created", "opt_out_upheld"],
    )


async def test_a_customers_own_word_undoes_an_opt_out(placed):
    """Whoever turns marketing on again in their account means it, and the orders after that may say yes too."""
    await placed.client.post(placed.links.unsubscribe("acme", "1001"))
    placed.clock.forward(days=1)
    person = {"customer_id": "c-17", "consent": {"email_marketing": True}}
    await placed.send.event("customer.updated", timestamp=placed.clock.now.isoformat(), shop="acme", customer=person)
    await placed.relay.drain()
    placed.clock.forward(days=1)
    await placed.send.order(order_id="2", placed_at=placed.clock.now.isoformat())
    await placed.relay.drain()
    assert await _marketing(placed) == (
        True,
        ["order.created", "unsubscribe_link", "customer.updated", "order.created"],
    )


async def test_an_opt_out_counts_where_no_box_was_ticked(gate):
    """The link is remembered even where the order itself had said no, so that the next order's box is none."""
    await gate.send.order(customer={"consent": {"email_marketing": False}})
    await gate.relay.drain()
    gate.clock.forward(minutes=1)
    await gate.client.post(gate.links.unsubscribe("acme", "1001"))
    gate.clock.forward(minutes=1)
    moment = gate.clock.now.isoformat()
    await gate.send.order(order_id="2", placed_at=moment, customer={"email": "new@example.com"})
    await gate.relay.drain()
    assert (await _marketing(gate))[0] is False
