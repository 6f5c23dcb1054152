"""Who is forgotten leaves no row and no body that names them, and their opt-out all the same."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from journey.consent import Answer, How
from journey.playbook import Channel, Purpose
from store import consents, devices, erasure, inbox, intake, orders, people, personal, privacy
from store.consents import Evidence
from store.intake import build
from store.message_feedback import MessageFeedback
from store.pool import Pool
from store.standing import standing
from tests.support.entries import entry
from tests.support.orders import Order, Person, put, put_parcel

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
EMAIL, PHONE, NAME = "Ada.Lovelace@example.com", "+4915112345678", "Augusta"
NAMED = ("lovelace", "15112345678", "augusta")
ADA = Person(customer_id="c-17", email=EMAIL, phone=PHONE, first_name=NAME)
BOB = Person(customer_id="c-18", email="bob@example.com", phone="+4915199999999", first_name="Bob")
IDS_ALONE = {"privacy_requests", "erased_suppressions", "erased"}
"""Tables that stay, and name nobody but by the shop's own id or a hash."""
PAGE = Path(__file__).parents[2] / "docs" / "privacy.md"

_ADDRESSES = {"address", "email", "phone", "contact_email", "contact_phone"}
_COLUMNS = """
SELECT table_name, column_name, data_type FROM information_schema.columns JOIN information_schema.tables
USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
"""


async def _naming(pool: Pool, needles: tuple[str, ...]) -> list[str]:
    """Every column of every table that holds one of these, whatever its type."""
    found = []
    for table, column, kind in [tuple(row) for row in await pool.fetch(_COLUMNS)]:
        text = f"encode({column}, 'escape')" if kind == "bytea" else f"{column}::text"
        for needle in needles:
            query = f"SELECT count(*) FROM {table} WHERE strpos(lower({text}), $1) > 0"  # noqa: S608  # the schema's own
            if await pool.fetchval(query, needle):
                found.append(f"{table}.{column} has {needle}")
    return found


async def _keep(pool: Pool, event_id: str, *events: intake.Event, body: object = None) -> None:
    said = json.dumps(body if body is not None else {"name": NAME, "email": EMAIL, "phone": PHONE}).encode()
    await inbox.keep(pool, source="events", event_id=event_id, topic="t", body=said, events=events, received_at=NOON)


def _created(order_id: str, person: Person = ADA) -> intake.OrderCreated:
    customer = {"customer_id": person.customer_id, "email": person.email, "phone": person.phone}
    line = {"sku": "YM-1", "quantity": 1, "unit_price": "79.00"}
    values = {"at": NOON, "shop": "acme", "order_id": order_id, "currency": "EUR", "total": "79.00", "lines": [line]}
    return build(intake.OrderCreated, {**values, "customer": customer | {"first_name": person.first_name}})


def _cancelled(order_id: str) -> intake.OrderCancelled:
    return intake.OrderCancelled(at=NOON, shop="acme", order_id=order_id)


def _scan(number: str) -> intake.ShipmentUpdated:
    return build(intake.ShipmentUpdated, {"at": NOON, "tracking_number": number, "status": "delivered"})


async def _erase(pool: Pool, customer_id: str = "c-17") -> erasure.Erased:
    async with pool.acquire() as connection, connection.transaction():
        return await erasure.erase_customer(connection, "acme", customer_id, now=NOON)


async def _states(pool: Pool) -> dict[str, tuple[str, str | None]]:
    rows = await pool.fetch("SELECT event_id, status, note FROM inbox ORDER BY id")
    return {row["event_id"]: (row["status"], row["note"]) for row in rows}


async def _may_mail(pool: Pool, shop: str, customer_id: str) -> str | None:
    known = await standing(pool, shop, customer_id)
    assert known is not None
    return known.suppressed.get(Channel.EMAIL)


@pytest.fixture
async def ada(pool: Pool) -> Pool:
    """Somebody with a row in every table, whose opt-out counts; and somebody else in the same shop and parcel."""
    for order_id, person in (("1001", ADA), ("1002", ADA), ("2001", BOB)):
        order = Order(order_id, person=person, placed_at=NOON)
        await put(pool, order, "p")
        await put_parcel(pool, order, f"P-{order_id}", NOON)
        await put_parcel(pool, order, "P-SHARED-1", NOON)
    for order_id in ("1001", "2001"):
        await pool.execute(
            "INSERT INTO fulfilments VALUES ('acme', $1, 'f', $2, '{P-SHARED-1}', '{P-SHARED-1}')", order_id, NOON
        )
        await pool.execute(
            "INSERT INTO deliveries VALUES ('acme', $1, 'Standard', $2, NULL)",
            order_id,
            json.dumps({"name": f"{NAME} Lovelace" if order_id == "1001" else "Bob"}),
        )
        await pool.execute("INSERT INTO refunds VALUES ('acme', $1, 'r', 5, $2)", order_id, NOON)
        await pool.execute("INSERT INTO concerns VALUES ('acme', $1, 'sums do not add up', '', $2)", order_id, NOON)
        await pool.execute(
            "INSERT INTO reviews (shop, order_id, rating, body, at) VALUES ('acme', $1, 5, 'Augusta loves it', $2)",
            order_id,
            NOON,
        )
        await pool.execute(
            "INSERT INTO scans (shop, order_id, tracking_number, occurred_at, status, received_at)"
            " VALUES ('acme', $1, 'P-SHARED-1', $2, 'in_transit', $2)",
            order_id,
            NOON,
        )
        await pool.execute(
            "INSERT INTO remedies (shop, order_id, part, reason, playbook, skus, amount, currency, offered_at,"
            " choose_by) VALUES ('acme', $1, 'P-SHARED-1', 'lost', 'p', '[]', 79, 'EUR', $2, $2)",
            order_id,
            NOON,
        )
        await pool.execute(
            "INSERT INTO journey_runs (shop, order_id, run_id, begun_at, ended_at, ended, state, entries)"
            " VALUES ('acme', $1, 'r', $2, $2, 'completed', '{}', '[]')",
            order_id,
            NOON,
        )
        sent = await entry(pool, f"acme/{order_id}", "tip", NOON, provider="postmark", name=f"pm-{order_id}")
        await pool.execute(
            "INSERT INTO message_events (ledger_id, provider, event_id, kind, at, shop, channel, address, reason)"
            " VALUES ($1, 'postmark', $2, 'soft_bounce', $3, 'acme', 'email', $4, 'mailbox of Augusta is full')",
            sent,
            order_id,
            NOON,
            "old.lovelace@example.com" if order_id == "1001" else "bob@example.com",
        )
        await devices.register(
            pool, shop="acme", order_id=order_id, channel="push", address=f"token-{order_id}", at=NOON
        )
    await pool.execute("UPDATE reviews SET body = 'fine' WHERE order_id = '2001'")
    await pool.execute("UPDATE message_events SET reason = 'full' WHERE address = 'bob@example.com'")
    await pool.execute(
        "INSERT INTO notes (shop, customer_id, order_id, touch_key, title, body, created_at)"
        " VALUES ('acme', 'c-17', '1001', 'tip', 'Augusta', 'Hello', $1)",
        NOON,
    )
    await pool.execute("INSERT INTO preferences VALUES ('acme', 'c-17', 'email', 'fewer', NULL, 'de', $1)", NOON)
    await pool.execute(
        "INSERT INTO double_opt_ins (nonce, shop, customer_id, channel, address, requested_at)"
        " VALUES ('n', 'acme', 'c-17', 'sms', $1, $2)",
        PHONE,
        NOON,
    )
    assert await people.opt_out(pool, shop="acme", order_id="1001", at=NOON)
    return pool


async def test_nothing_names_who_was_erased(ada: Pool) -> None:
    """No column of any table holds the address, the former address, the number or the name, in whatever case."""
    await _keep(ada, "created", _created("1001"))
    await _keep(ada, "scan", _scan("P-1001"))
    await _keep(ada, "shared", _scan("P-SHARED-1"))
    await ada.execute("UPDATE inbox SET status = 'dispatched'")
    await _keep(ada, "late", _cancelled("1002"))
    updated = {"at": NOON, "shop": "acme", "customer": {"customer_id": "c-17", "email": EMAIL, "first_name": NAME}}
    await _keep(ada, "account", build(intake.CustomerUpdated, updated))
    ignored = {"topic": "orders/paid", "billing": {"name": NAME, "email": EMAIL.upper()}}
    await inbox.ignore(
        ada, source="s", event_id="i", topic="t", body=json.dumps(ignored).encode(), reason="known", received_at=NOON
    )
    assert len(await _naming(ada, NAMED)) > len(NAMED)
    redacted = build(intake.CustomerRedacted, {"at": NOON, "shop": "acme", "customer_id": "c-17"})
    await _keep(ada, "redact", redacted)
    async with ada.acquire() as connection, connection.transaction():
        said = await privacy.record(connection, redacted, now=NOON)
    assert await _naming(ada, NAMED) == []
    assert said is not None
    assert said.startswith("erased: 1 customers, ")
    states = await _states(ada)
    assert [states["late"], states["account"]] == [("ignored", "erased")] * 2
    assert states["redact"] == ("pending", None)
    kept = await ada.fetchval("SELECT event FROM inbox WHERE event_id = 'redact'")
    assert intake.from_json(kept) == redacted
    assert await ada.fetchval("SELECT count(*) FROM privacy_requests WHERE done_at IS NULL") == 0


async def test_the_fixture_has_a_row_in_every_table(ada: Pool) -> None:
    """Each table that holds people is emptied of this one, counted, and only of this one."""
    before = {
        table: await ada.fetchval(f"SELECT count(*) FROM {table} WHERE {theirs}", "acme", "c-18")  # noqa: S608  # constants
        for table, theirs in personal.TABLES.items()
    }
    gone = await _erase(ada)
    assert {table: gone.counts[table] > 0 for table in personal.TABLES} == dict.fromkeys(personal.TABLES, True)
    for table, theirs in personal.TABLES.items():
        left = f"SELECT count(*) FROM {table} WHERE {theirs}"  # noqa: S608  # constants
        assert (await ada.fetchval(left, "acme", "c-17"), await ada.fetchval(left, "acme", "c-18")) == (
            0,
            before[table],
        )
    assert (await _erase(ada)).nothing


async def test_every_table_with_people_in_it_is_known(pool: Pool) -> None:
    """A table with a customer or an order in it, or with an address, is one that erasure knows."""
    rows = await pool.fetch(_COLUMNS)
    holding = {row["table_name"] for row in rows if row["column_name"] in {"customer_id", "order_id"}}
    assert holding - IDS_ALONE == {*personal.TABLES} - {"message_events"}
    addressed = {row["table_name"] for row in rows if row["column_name"] in _ADDRESSES}
    known = {"customers", "deliveries", "devices", "double_opt_ins", "message_events", "orders", "suppressions"}
    assert addressed == known


async def test_every_table_says_how_long_it_is_kept(pool: Pool) -> None:
    """A table is either about nobody, or says how long its rows stay, in code and in docs/privacy.md alike."""
    tables = {row["table_name"] for row in await pool.fetch(_COLUMNS)}
    unsaid = tables - personal.NOBODY - personal.KEPT_FOR.keys()
    assert not unsaid, f"store/personal.py: put {unsaid} into NOBODY, or into TABLES and KEPT_FOR"
    assert personal.NOBODY | personal.KEPT_FOR.keys() == tables
    assert {table: kept for table, (kept, _, _) in _told().items()} == personal.KEPT_FOR
    nobody = next(line for line in PAGE.read_text().splitlines() if line.startswith("Nothing about anybody is in: "))
    assert nobody.partition(": ")[2] == ", ".join(f"`{table}`" for table in sorted(personal.NOBODY)) + "."


def _told() -> dict[str, tuple[str, str, str]]:
    """What docs/privacy.md says of each table: how long it is kept, what an erasure makes of it, and the export."""
    rows = [line.strip("|").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    return {table.strip(" `"): (kept, gone, exported.strip()) for table, _, kept, gone, exported in rows}


async def test_every_table_that_hangs_on_a_person_goes_with_them(pool: Pool) -> None:
    """What refers to a customer, at however many removes, is a table of theirs, and the schema itself deletes it."""
    rows = await pool.fetch(
        "SELECT conrelid::regclass::text AS of, confrelid::regclass::text AS to_, confdeltype = 'c' AS deleted"
        " FROM pg_constraint WHERE contype = 'f'"
    )
    theirs = {"customers"}
    while more := {row["of"] for row in rows if row["to_"] in theirs} - theirs:
        theirs |= more
    assert theirs == personal.TABLES.keys()
    assert all(row["deleted"] for row in rows if row["to_"] in theirs)


async def test_what_the_page_says_of_an_erasure_is_so(ada: Pool) -> None:
    """Each table does at an erasure what docs/privacy.md says of it, and the export has those that it names."""
    await _keep(ada, "created", _created("1001"))
    await ada.execute("UPDATE inbox SET status = 'dispatched'")
    redacted = build(intake.CustomerRedacted, {"at": NOON, "shop": "acme", "customer_id": "c-17"})
    told = await privacy.kept(ada, "acme", "c-17")
    assert told is not None
    assert told.keys() == {table for table, (_, _, exported) in _told().items() if exported == "yes"}
    before = await _counted(ada)
    async with ada.acquire() as connection, connection.transaction():
        await privacy.record(connection, redacted, now=NOON)
    became = await _counted(ada)
    rows = {table: became[table][0] - before[table][0] for table in personal.KEPT_FOR}
    said = {table: gone for table, (_, gone, _) in _told().items()}
    assert said == personal.GOES
    fewer = {table for table, more in rows.items() if more < 0}
    assert fewer == {table for table, gone in said.items() if gone in {personal.WITH_PERSON, "becomes a hash"}}
    assert rows["suppressions"] == -rows["erased_suppressions"]
    assert (rows["inbox"], became["inbox"][1] - before["inbox"][1]) == (0, -1)
    assert min(rows[table] for table, gone in said.items() if gone.startswith("stays")) > 0


async def _counted(pool: Pool) -> dict[str, tuple[int, int]]:
    """How many rows each table has, and how many of the inbox's still say something."""
    saying = await pool.fetchval(f"SELECT count(*) FROM inbox WHERE {personal.KEPT}")  # noqa: S608  a constant
    return {
        table: (await pool.fetchval(f"SELECT count(*) FROM {table}"), saying)  # noqa: S608  constants
        for table in personal.KEPT_FOR
    }


async def test_what_waits_for_an_order_that_nobody_knows_and_names_them_waits_no_more(ada: Pool) -> None:
    """A parcel of an order that never came is forgotten where it names them; others' wait on, and so does a STOP."""
    for number, body in (("7001", {"to": EMAIL.upper()}), ("7002", {"to": "bob@example.com"})):
        await _keep(ada, f"waits-{number}", _cancelled(number), body=body)
    stop = {"at": NOON, "provider": "twilio", "kind": "replied", "channel": "sms", "address": PHONE, "text": "STOP"}
    await _keep(ada, "stop", MessageFeedback.model_validate(stop), body={"from": PHONE})
    await ada.execute("UPDATE inbox SET status = 'waiting', note = 'unknown order' WHERE event_id LIKE 'waits-%'")
    await _erase(ada)
    found = await ada.fetch("SELECT event_id, status, note, body <> '' AS said FROM inbox ORDER BY event_id")
    assert [tuple(row) for row in found] == [
        ("stop", "pending", None, True),
        ("waits-7001", "ignored", "erased", False),
        ("waits-7002", "waiting", "unknown order", True),
    ]


async def test_a_parcel_that_carries_anothers_order_goes_on(ada: Pool) -> None:
    """A scan that is not dispatched yet stays for the other order of its parcel; one of their own parcel does not."""
    await _keep(ada, "theirs", _scan("P-1001"))
    await _keep(ada, "shared", _scan("P-SHARED-1"), body={"number": "P-SHARED-1"})
    await _erase(ada)
    assert await _states(ada) == {"theirs": ("ignored", "erased"), "shared": ("pending", None)}


async def _order_again(pool: Pool, order_id: str, customer_id: str, *, shop: str = "acme") -> None:
    created = _created(order_id, Person(customer_id=customer_id, email=EMAIL.upper(), phone=PHONE, first_name=NAME))
    async with pool.acquire() as connection, connection.transaction():
        event = created.model_copy(update={"shop": shop})
        await orders.create(connection, event, playbook="p", received_at=NOON + timedelta(days=9))


async def test_an_opt_out_outlives_the_person(ada: Pool) -> None:
    """Whoever opted out is not written to when they come back, under whatever id; in another shop they never did."""
    await _erase(ada)
    assert await ada.fetchval("SELECT count(*) FROM suppressions") == 0
    await _order_again(ada, "3001", "another-id")
    await _order_again(ada, "3001", "c-17", shop="other")
    assert await _may_mail(ada, "acme", "another-id") == "opted_out"
    assert await _may_mail(ada, "other", "c-17") is None
    assert await ada.fetchval("SELECT count(*) FROM erased_suppressions") == 0


async def test_a_later_yes_counts_for_good(ada: Pool) -> None:
    """Once back, their own yes takes the address off the list, and no later order brings the old no back."""
    await _erase(ada)
    await _order_again(ada, "3001", "c-17")
    yes = {"customer_id": "c-17", "email": EMAIL, "consent": {"email_marketing": True}}
    customer = build(
        intake.CustomerUpdated, {"at": NOON + timedelta(days=10), "shop": "acme", "customer": yes}
    ).customer
    async with ada.acquire() as connection, connection.transaction():
        at = NOON + timedelta(days=10)
        await people.remember(connection, "acme", customer, at=at, source="customer.updated", evidence="e")
    await _order_again(ada, "3002", "c-17")
    await ada.execute("UPDATE customers SET email = 'new@example.com'")
    await ada.execute("UPDATE customers SET email = $1", EMAIL)
    assert await _may_mail(ada, "acme", "c-17") is None


@pytest.mark.parametrize("shop", ["acme", consents.EVERYWHERE])
async def test_a_stop_outlives_the_person(ada: Pool, shop: str) -> None:
    """A number that was stopped is stopped when somebody has it again; one that another customer has stays listed."""
    async with ada.acquire() as connection, connection.transaction():
        await consents.suppress(connection, shop, Channel.SMS, PHONE, at=NOON)
        await consents.suppress(connection, shop, Channel.SMS, BOB.phone or "", at=NOON)
    await _erase(ada)
    assert await ada.fetch("SELECT address FROM suppressions") == [(BOB.phone,)]
    await _order_again(ada, "3001", "c-99")
    known = await standing(ada, "acme", "c-99")
    assert known is not None
    assert known.suppressed[Channel.SMS] == "opted_out"


async def test_an_address_that_a_second_record_has_stays_on_the_list(ada: Pool) -> None:
    """A guest's record with the same address is another customer's: it goes on, and so does its opt-out."""
    await put(ada, Order("4001", person=Person(customer_id="guest-1", email=EMAIL)), "p")
    await _erase(ada)
    assert await _may_mail(ada, "acme", "guest-1") == "opted_out"


async def test_the_inbox_is_not_read_whole(ada: Pool) -> None:
    """Whose rows those are an index says; the rows that only their body tells of are found by one, too."""
    found = await personal.traces(ada, "acme", "c-17")
    async with ada.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        query = f"EXPLAIN SELECT body FROM inbox WHERE {personal.IN_INBOX}"  # noqa: S608  # constants
        plan = "\n".join(row[0] for row in await connection.fetch(query, *found.arguments))
    assert ("Seq Scan on inbox" in plan, "inbox_kept" in plan, "inbox_unplaced" in plan) == (False, True, True)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"provider_id": "pm-1001"}, False),
        ({"message_id": "<pm-1001>"}, False),
        ({"message_id": "pm-1001"}, False),
        ({"provider_id": "pm-1001", "channel": "whatsapp"}, False),
        ({"key": "acme/1001/tip"}, False),
        ({"provider_id": "pm-2001"}, True),
        ({"provider_id": "pm-1001", "kind": "replied", "text": "STOP"}, True),
    ],
)
async def test_feedback_is_theirs_by_the_name_of_the_message(ada: Pool, said: dict[str, str], kept: bool) -> None:
    """What a provider said of their message goes, by whatever name; a word that is not heard yet stays to be heard."""
    values = {"provider": "postmark", "kind": "opened", "at": NOON, "channel": "email", "event_id": "e"} | said
    await _keep(ada, "said", build(intake.MessageFeedback, values), body={"Subject": "Hello"})
    if said.get("kind") != "replied":
        await ada.execute("UPDATE inbox SET status = 'dispatched'")
    await _erase(ada)
    (row,) = await ada.fetch("SELECT body, event FROM inbox")
    assert (row["body"] != b"", row["event"] is not None) == (kept, kept)


async def test_a_shop_is_closed_with_one_lock(ada: Pool) -> None:
    """However many people it has; a person cannot call it forgotten, nor back, before it is."""
    left = build(intake.ShopRedacted, {"at": NOON, "shop": "acme"})
    async with ada.acquire() as connection, connection.transaction():
        await privacy.record(connection, left, now=NOON)
        held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        assert await connection.fetchval(held) == 1
    (request,) = await privacy.open_requests(ada)
    assert (await privacy.finish(ada, request.id, NOON), await privacy.readmit(ada, "acme")) == (False, False)


async def test_a_sweep_that_was_stopped_goes_on(ada: Pool) -> None:
    """Each batch stands by itself; while one sweep is at a shop another one leaves it alone."""
    values = {"at": NOON, "shop": "acme", "customer_id": "c-18", "request_id": "9"}
    async with ada.acquire() as connection, connection.transaction():
        await privacy.record(connection, build(intake.CustomerDataRequested, values), now=NOON)
        await privacy.record(connection, build(intake.ShopRedacted, {"at": NOON, "shop": "acme"}), now=NOON)
    async with ada.acquire() as connection, connection.transaction():
        assert await erasure.erase_shop(connection, "acme", now=NOON, limit=1)
        await connection.execute("SELECT FROM erased WHERE kind = 'shop' FOR UPDATE")
        assert await privacy.sweep(ada, now=NOON) == 0
    assert await ada.fetchval("SELECT count(*) FROM customers") == 1
    assert await privacy.sweep(ada, now=NOON, limit=1) == 2
    assert (await ada.fetchval("SELECT count(*) FROM customers"), await privacy.open_requests(ada)) == (0, [])
    assert await ada.fetchval("SELECT count(*) FROM erased WHERE kind = 'order'") == 3


async def test_a_shop_that_leaves_is_forgotten_whole(ada: Pool) -> None:
    """Everybody of it, its list and what was learnt goes; another shop keeps all, and its parcel of that number."""
    other = Order("1001", shop="other", person=Person(customer_id="c-17", email="eve@example.com"))
    await put(ada, other, "p")
    await put_parcel(ada, other, "P-2001", NOON)
    await ada.execute("INSERT INTO shop_sync (shop, changed_until) VALUES ('acme', $1)", NOON)
    await _keep(ada, "new", _created("1003"))
    await _keep(ada, "shared", _scan("P-2001"), body={})
    elsewhere = _created("9", Person(customer_id="e", email="eve@example.com", first_name="Eve"))
    await _keep(ada, "elsewhere", elsewhere.model_copy(update={"shop": "other"}), body={})
    await _keep(ada, "theirs", _scan("P-1001"))
    left = build(intake.ShopRedacted, {"at": NOON, "shop": "acme"})
    await _keep(ada, "left", left, body={"shop_domain": "acme", "owner": NAME})
    async with ada.acquire() as connection, connection.transaction():
        said = [await privacy.record(connection, left, now=NOON) for _ in range(2)]
    assert said == ["everybody of it is being forgotten", "nothing new"]
    assert [one.kind for one in await privacy.open_requests(ada)] == ["shop_redact"]
    assert [await privacy.sweep(ada, now=NOON, limit=1) for _ in range(2)] == [1, 0]
    assert await privacy.open_requests(ada) == []
    assert await _naming(ada, (*NAMED, "bob")) == []
    states = {name: state for name, (state, _) in (await _states(ada)).items()}
    assert states == {
        "new": "ignored",
        "shared": "pending",
        "elsewhere": "pending",
        "theirs": "ignored",
        "left": "pending",
    }
    assert [row["shop"] for row in await ada.fetch("SELECT shop FROM customers")] == ["other"]
    assert await ada.fetchval("SELECT count(*) FROM shop_sync") == 0


async def test_a_data_request_waits_for_a_person(ada: Pool) -> None:
    """It is due after thirty days, once however often it is told, until somebody says that it is done."""
    values = {"at": NOON, "shop": "acme", "customer_id": "c-17", "request_id": "9"}
    asked = build(intake.CustomerDataRequested, values)
    async with ada.acquire() as connection, connection.transaction():
        notes = [await privacy.record(connection, asked, now=NOON) for _ in range(2)]
    assert notes == ["to be answered by 2026-12-22", "nothing new"]
    (request,) = await privacy.open_requests(ada)
    assert (request.kind, request.customer_id, request.due_at) == ("data_request", "c-17", NOON + timedelta(days=30))
    assert [await privacy.finish(ada, request.id, NOON) for _ in range(2)] == [True, False]
    assert await privacy.open_requests(ada) == []


async def test_what_is_kept_is_all_that_is_erased(ada: Pool) -> None:
    """Whoever asks gets their rows of every table, the list, and what was said of them; then nothing is left."""
    await _keep(ada, "created", _created("1001"))
    kept = await privacy.kept(ada, "acme", "c-17")
    assert kept is not None
    assert {table: len(kept[table]) > 0 for table in personal.TABLES} == dict.fromkeys(personal.TABLES, True)
    assert [one["address"] for one in kept["suppressions"]] == [EMAIL.lower()]
    assert [one["body"]["email"] for one in kept["inbox"]] == [EMAIL]
    assert "bob" not in json.dumps(kept).lower()
    await _erase(ada)
    assert await privacy.kept(ada, "acme", "c-17") is None


async def test_an_answer_of_the_time_before_is_gone(ada: Pool) -> None:
    """Consent is evidence about a person: who comes back has given none."""
    answer = Answer(Channel.SMS, Purpose.MARKETING, True, NOON, How.ORDER_CHECKBOX)
    async with ada.acquire() as connection, connection.transaction():
        await consents.write(connection, "acme", "c-17", answer, Evidence("order.created"))
    await _erase(ada)
    await _order_again(ada, "3001", "c-17")
    known = await standing(ada, "acme", "c-17")
    assert known is not None
    assert known.answers == ()
