"""WhatsApp by Meta's Cloud API: what goes over the wire, and what each of its answers says about the message."""

from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from activities.messaging.protocol import Accepted, Busy, LookupUnavailableError, Receipt, Rejected, Unclear, WhatsApp
from activities.messaging.text.whatsapp_cloud import WhatsAppCloud, verdict
from tests.messaging.text.standins import FROM, WhatsAppApi, meta_error
from tests.support.loopback import (
    CUT,
    ERROR_AFTER_ACCEPTING,
    GARBLED,
    LOGGED_OUT,
    SERVER_ERROR,
    SILENT,
    Misdeed,
    too_many,
)

ADA = "+4915199887766"
SHIPPED = WhatsApp("acme/1001/shipped", ADA, "order_shipped", "de", ("Ada\tByron", "1001"), "Hallo Ada, Paket 1001.")
TALK = replace(SHIPPED, conversing=True)


async def test_a_template_with_its_values(meta: WhatsAppApi) -> None:
    """Name, language and values in order, without tabs; our key travels along, and the wamid comes back."""
    receipt = await meta.provider().send(SHIPPED)

    (arrival,) = meta.arrivals()
    assert receipt == Accepted(arrival.message_id)
    assert (arrival.to, arrival.key) == (ADA, SHIPPED.key)
    assert meta.requests == [
        {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": ADA,
            "biz_opaque_callback_data": SHIPPED.key,
            "type": "template",
            "template": {
                "name": "order_shipped",
                "language": {"code": "de"},
                "components": [
                    {
                        "type": "body",
                        "parameters": [{"type": "text", "text": "Ada Byron"}, {"type": "text", "text": "1001"}],
                    }
                ],
            },
        }
    ]


async def test_in_a_conversation_the_text_goes_as_it_is(meta: WhatsAppApi) -> None:
    """No template, and no preview, which would be a click by nobody."""
    assert isinstance(await meta.provider().send(TALK), Accepted)
    assert meta.requests[0]["type"] == "text"
    assert meta.requests[0]["text"] == {"preview_url": False, "body": TALK.body}


async def test_a_conversation_that_is_over_goes_on_by_template(meta: WhatsAppApi) -> None:
    """131047 is certain, so the template follows at once, and the customer hears once."""
    meta.closed.add(ADA)
    assert isinstance(await meta.provider().send(TALK), Accepted)
    assert [body["type"] for body in meta.requests] == ["text", "template"]
    assert len(meta.arrivals()) == 1


async def test_a_doubt_in_a_conversation_is_followed_by_nothing(meta: WhatsAppApi) -> None:
    """A text that may have arrived is not said again as a template."""
    meta.then(SILENT)
    assert await meta.provider().send(TALK) == Unclear("http_no_answer")
    assert len(meta.requests) == 1


async def test_a_long_key_is_one_that_fits(meta: WhatsAppApi) -> None:
    """Meta brings 512 characters back; a longer key goes as its UUID, the same each time."""
    for key in ("k" * 512, "k" * 513, "k" * 513):
        assert isinstance(await meta.provider().send(replace(SHIPPED, key=key)), Accepted)
    first, second, third = (arrival.key for arrival in meta.arrivals())
    assert first == "k" * 512
    assert second == third != first


async def test_the_version_of_the_api_is_the_shops_to_choose(meta: WhatsAppApi) -> None:
    """`?version=` is in the path, with or without its v."""
    meta.version = "v25.0"
    for query in ("&version=v25.0", "&version=25.0"):
        assert isinstance(await meta.provider(query).send(SHIPPED), Accepted)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (replace(SHIPPED, template="unknown"), Busy("whatsapp_132001", timedelta(hours=1), everyone=False)),
        (replace(SHIPPED, language="fr"), Busy("whatsapp_132001", timedelta(hours=1), everyone=False)),
        (replace(SHIPPED, parameters=("Ada",)), Rejected("whatsapp_132000")),
        (replace(SHIPPED, parameters=()), Rejected("whatsapp_132000")),
        (replace(SHIPPED, parameters=("Ada", "")), Rejected("parameter_empty")),
        (replace(SHIPPED, to="015199887766"), Rejected("address_invalid")),
        (replace(TALK, to=f"{ADA}\n"), Rejected("address_invalid")),
    ],
)
async def test_a_message_that_does_not_fit(meta: WhatsAppApi, message, expected: Receipt) -> None:
    """A template that is missing may come yet, one that is filled in wrongly will not."""
    assert await meta.provider().send(message) == expected
    assert meta.arrivals() == []


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, 131050, Rejected("whatsapp_131050", opted_out=True)),
        (400, 131026, Rejected("whatsapp_131026")),
        (400, 130472, Rejected("whatsapp_130472")),
        (400, 131047, Rejected("whatsapp_131047")),
        (400, 132007, Rejected("whatsapp_132007")),
        (400, 132016, Rejected("whatsapp_132016")),
        (400, 100, Rejected("whatsapp_100")),
        (400, 132015, Busy("whatsapp_132015", timedelta(hours=3), everyone=False)),
        (429, 130429, Busy("whatsapp_130429")),
        (429, 131056, Busy("whatsapp_131056", timedelta(seconds=6), everyone=False)),
        (400, 131049, Busy("whatsapp_131049", timedelta(days=1), everyone=False)),
        (429, 131048, Busy("whatsapp_131048", timedelta(hours=1))),
        (400, 80007, Busy("whatsapp_80007")),
        (401, 190, Busy("whatsapp_190")),
        (500, 3, Busy("whatsapp_3")),
        (403, 200, Busy("whatsapp_200")),
        (403, 299, Busy("whatsapp_299")),
        (403, 368, Busy("whatsapp_368")),
        (403, 131031, Busy("whatsapp_131031")),
        (400, 131042, Busy("whatsapp_131042")),
        (503, 2, Busy("whatsapp_2")),
        (500, 131016, Busy("whatsapp_131016")),
        (400, 1, Unclear("whatsapp_1")),
        (500, 131000, Unclear("http_500")),
        (403, 999999, Busy("http_403")),
    ],
)
async def test_each_error_blames_whom_it_is_about(meta: WhatsAppApi, status, code, expected: Receipt) -> None:
    """By Meta's own code: the person, the template, the account, the rate, or nobody can tell."""
    meta.errors.append(meta_error(status, code))
    receipt = await meta.provider().send(SHIPPED)
    assert receipt == expected
    assert FROM not in repr(receipt)
    assert meta.arrivals() == []


@pytest.mark.parametrize(
    ("misdeed", "expected", "arrived"),
    [
        (SERVER_ERROR, Unclear("http_500"), 0),
        (ERROR_AFTER_ACCEPTING, Unclear("http_500"), 1),
        (GARBLED, Unclear("http_garbled_answer"), 1),
        (SILENT, Unclear("http_no_answer"), 1),
        (CUT, Unclear("http_no_answer"), 1),
        (LOGGED_OUT, Busy("whatsapp_190"), 0),
        (too_many(30), Busy("whatsapp_130429"), 0),
    ],
)
async def test_a_doubt_is_said_to_be_one(meta: WhatsAppApi, misdeed: Misdeed, expected: Receipt, arrived: int) -> None:
    """Silence, half an answer and an error after the fact leave it open; a refusal does not."""
    meta.then(misdeed)
    assert await meta.provider().send(SHIPPED) == expected
    assert len(meta.arrivals()) == arrived


async def test_a_server_that_is_away_took_nothing(meta: WhatsAppApi) -> None:
    """A connection that never came about is worth another try, and says so."""
    provider = meta.provider()
    await meta.stop()
    assert await provider.send(SHIPPED) == Busy("http_unreachable")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"messages": []},
        {"messages": None},
        {"messages": [{}]},
        {"messages": [{"id": 7}]},
        {"messages": [{"id": ""}]},
    ],
)
async def test_a_success_without_an_id_is_a_doubt(meta: WhatsAppApi, answer) -> None:
    """Only a wamid is an acceptance."""
    meta.errors.append((200, answer))
    assert await meta.provider().send(SHIPPED) == Unclear("http_garbled_answer")


@pytest.mark.parametrize("error", [None, "no", [], {}, {"code": "190"}])
async def test_an_error_of_another_shape_is_left_to_its_status(meta: WhatsAppApi, error) -> None:
    """What is not Meta's error object is judged by HTTP alone."""
    meta.errors.append((400, {"error": error}))
    assert await meta.provider().send(SHIPPED) == Rejected("http_400")


async def test_meta_cannot_be_asked_what_became_of_a_key(meta: WhatsAppApi) -> None:
    """Neither a memory of keys nor a search by them is claimed."""
    provider = meta.provider()
    assert (provider.remembers, provider.looks_up) == (None, False)
    with pytest.raises(LookupUnavailableError):
        await provider.find("k", "")
    await provider.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "whatsapp://graph.facebook.com/106540352242922",
        "whatsapp://s3cret@graph.facebook.com",
        "whatsapp://s3cret@graph.facebook.com/shop",
        "whatsapp://s3cret@graph.facebook.com/1065/messages",
        "whatsapp://s3cret@graph.facebook.com/1065?version=latest",
        "whatsapp://s3cret@graph.facebook.com/1065?version=../me",
        "whatsapp://s3cret@graph.facebook.com:none/1065",
    ],
)
def test_a_url_that_lacks_something_is_refused_by_its_setting(url) -> None:
    """The text names the setting and repeats nothing of the URL."""
    with pytest.raises(ValueError, match="POSTLUDE_WHATSAPP_URL") as raised:
        WhatsAppCloud(urlsplit(url))
    assert "s3cret" not in str(raised.value)


def test_an_undeliverable_message_gives_no_address_up() -> None:
    """131026 is a number without WhatsApp as well as an old app, so it has no verdict of its own."""
    assert verdict(131026) is None
