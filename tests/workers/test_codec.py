"""What is left in Temporal under keys: nothing to be read without them, everything with them, and keys rotate."""

import base64

import httpx
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from journey.base import workflow_id
from journey.order import Buyer
from journey.playbook import read_published
from starters.account import account
from starters.listening import listen, url_of
from starters.serving import serving
from tests.support.histories import FOLDER, recorded, runs_of
from tests.support.orders import Order, Person
from tests.support.world import order_id, world
from tests.workflows.test_order_journey import deliver_parcel
from workers.codec import EncryptedPayloads, PayloadKeyError, encrypting, payload_codec
from workers.connecting import DATA_CONVERTER, temporal_client
from workers.services import shop_parts
from workers.settings import SettingMissingError, Settings
from workflows.order_journey import OrderJourney
from workflows.registry import PLAYBOOKS

ONE, TWO = bytes(range(32)), bytes(range(32, 64))
OLD, ROTATED, NEW = (EncryptedPayloads(keys) for keys in ([("one", ONE)], [("two", TWO), ("one", ONE)], [("two", TWO)]))
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'{"sku": "YM-1"}')


def text(key):
    return base64.b64encode(key).decode()


async def test_the_first_key_encrypts_and_all_decrypt():
    """What an older key encrypted is read as long as that is listed; without it the error names the key alone."""
    old, new = (await OLD.encode([PLAIN]))[0], (await ROTATED.encode([PLAIN]))[0]
    assert [one.metadata["encryption-key-id"] for one in (old, new)] == [b"one", b"two"]
    assert await ROTATED.decode([old, new]) == [PLAIN, PLAIN]
    with pytest.raises(PayloadKeyError, match="no key b'one'"):
        await NEW.decode([old])


async def test_the_same_payload_is_never_the_same_twice():
    """Neither what was said nor that it was said before can be seen."""
    first, second = await OLD.encode([PLAIN, PLAIN])
    assert first.data != second.data
    assert b"YM-1" not in first.SerializeToString()


@pytest.mark.parametrize("part", ["data", "id", "cut"])
async def test_what_was_altered_is_refused(part):
    """A byte of it, the key that it names, or its end."""
    (sealed,) = await ROTATED.encode([PLAIN])
    if part == "id":
        sealed.metadata["encryption-key-id"] = b"one"
    else:
        sealed.data = sealed.data[:5] if part == "cut" else sealed.data[:-1] + bytes([sealed.data[-1] ^ 1])
    with pytest.raises(PayloadKeyError, match="does not fit"):
        await ROTATED.decode([sealed])


async def test_what_is_not_encrypted_passes():
    """Histories from before there were keys are read with them."""
    assert await OLD.decode([PLAIN, Payload()]) == [PLAIN, Payload()]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (text(ONE), "a key has no id"),
        (f"one:{text(ONE[:16])}", "key one has 16 bytes, not 32"),
        (f"one:{text(ONE)} one:{text(TWO)}", "two keys have one id"),
        ("one:not-base64!", "a key is no base64"),
        (f"o/ne:{text(ONE)}", "an id is up to 64"),
        (" , ", "there is no key"),
    ],
)
def test_keys_that_protect_nothing_are_refused_at_the_start(given, problem):
    """By the setting's name, without repeating any of it but an id."""
    with pytest.raises(SettingMissingError, match=f"POSTLUDE_PAYLOAD_KEYS: {problem}") as refused:
        payload_codec(Settings(_env_file=None, payload_keys=given))
    assert text(ONE)[:20] not in str(refused.value)
    assert payload_codec(Settings(_env_file=None)) is None
    assert payload_codec(Settings(_env_file=None, payload_keys=f"two:{text(TWO)}, one:{text(ONE)}")) is not None


def _payloads(message):
    """Every payload anywhere in a message, but for search attributes, which Temporal has to read."""
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None or descriptor.name in {"search_attributes", "indexed_fields"}:
            continue
        several = value.values() if hasattr(value, "values") else value if hasattr(value, "__iter__") else [value]
        for one in several:
            if isinstance(one, Payload):
                yield one
            elif hasattr(one, "ListFields"):
                yield from _payloads(one)


async def test_a_journey_leaves_nothing_to_be_read(stack, pool, smtp, templates, playbook):
    """A whole journey's payloads are noise; the rotated keys replay it, the new one alone and none do not."""
    order = Order(order_id(), buyer=Buyer.FIRST, person=Person(customer_id=order_id()))
    parts = {"provider": smtp, "templates": templates, "playbook": playbook}
    under_old = await temporal_client(address=stack.temporal_address, codec=OLD)
    async with world(under_old, pool, **parts) as before:
        handle = await before.place(order)
        await deliver_parcel(before, order)
        await before.forward(order, 90)
        await handle.result()
        histories = await runs_of(under_old, workflow_id(order.shop, order.order_id))
    history = histories[0]
    found = [payload for run in histories for event in run.events for payload in _payloads(event)]
    assert len(found) > 20
    assert {payload.metadata["encoding"] for payload in found} == {b"binary/encrypted"}
    raw = b"".join(event.SerializeToString() for run in histories for event in run.events)
    assert b"YM-1" not in raw
    for codec, readable in ((ROTATED, True), (OLD, True), (NEW, False), (None, False)):
        replayer = Replayer(
            workflows=[OrderJourney],
            data_converter=encrypting(DATA_CONVERTER, codec),
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
        assert (result.replay_failure is None) == readable, codec


async def test_what_an_operator_asks_goes_through_the_codec(stack, pool, smtp, templates, playbook):
    """Queries, updates and the words of failures are encrypted on the wire and read by who has the key."""
    order = Order(order_id(), buyer=Buyer.FIRST, person=Person(customer_id=order_id()))
    client = await temporal_client(address=stack.temporal_address, codec=ROTATED)
    async with world(client, pool, provider=smtp, templates=templates, playbook=playbook) as made:
        await made.place(order)
        told = await account(pool, client, order.shop, order.order_id)
        assert (told.status, told.next is not None) == ("running", True)
        with pytest.raises(KeyError, match="binary/encrypted"):
            await account(pool, await temporal_client(address=stack.temporal_address), order.shop, order.order_id)
    converter = encrypting(DATA_CONVERTER, ROTATED)
    failure = await _failed(converter, "http_500 from the shop of order 1001")
    assert b"1001" not in failure.SerializeToString()
    assert str(await converter.decode_failure(failure)) == "http_500 from the shop of order 1001"


async def _failed(converter, said):
    failure = Failure()
    await converter.encode_failure(ApplicationError(said), failure)
    return failure


async def test_histories_from_before_replay_with_keys():
    """Every recorded journey, none of which was encrypted, goes on where keys were given since."""
    for file in FOLDER.glob("playbooks/*.json"):
        PLAYBOOKS.add(file.stem, read_published(file.read_text()))
    replayer = Replayer(
        workflows=[OrderJourney],
        data_converter=encrypting(DATA_CONVERTER, OLD),
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    for history in recorded().values():
        await replayer.replay_workflow(history)


async def test_the_codec_server_reads_for_the_named_origin_alone(pool, client, templates):
    """The UI and the CLI are answered; another page is not, nor anybody where no origin is named."""
    keys = {"payload_keys": f"one:{text(ONE)}", "secret_key": "a key for links of forty characters, or more"}
    (sealed,) = await OLD.encode([PLAIN])
    asked = MessageToDict(Payloads(payloads=[sealed]))
    for origin, expected in (("http://ui.example:8080", 200), (None, 404)):
        listener, own = listen("127.0.0.1", 0), listen("127.0.0.1", 0)
        settings = Settings(_env_file=None, codec_origin=origin, **keys)
        async with (
            shop_parts(settings, templates, ()) as parts,
            serving(settings, pool, client, parts, listener=listener, operations=own) as url,
            httpx.AsyncClient(base_url=url_of(own)) as operators,
        ):
            told = await operators.post("/codec/decode", json=asked, headers={"origin": "http://ui.example:8080"})
            assert told.status_code == expected
            if origin is None:
                continue
            assert Payloads(payloads=[PLAIN]) == _read(told.json())
            assert told.headers["access-control-allow-origin"] == origin
            foreign = await operators.post("/codec/decode", json=asked, headers={"origin": "http://evil.example"})
            cli = await operators.post("/codec/decode", json=asked)
            nonsense = await operators.post("/codec/decode", content=b"\xff")
            unknown = await operators.post(
                "/codec/decode", json=MessageToDict(Payloads(payloads=await NEW.encode([PLAIN])))
            )
            assert [one.status_code for one in (foreign, cli, nonsense, unknown)] == [404, 200, 400, 400]
            back = _read((await operators.post("/codec/encode", json=MessageToDict(Payloads(payloads=[PLAIN])))).json())
            assert await OLD.decode(back.payloads) == [PLAIN]
            async with httpx.AsyncClient(base_url=url) as customers:
                assert (await customers.post("/codec/decode", json=asked)).status_code == 404


def _read(said):
    return ParseDict(said, Payloads())
