"""FCM over HTTP v1, against a stand-in that speaks Google's wire format, errors included.

https://firebase.google.com/docs/cloud-messaging/error-codes
"""

from datetime import timedelta
from typing import Any

import pytest

from activities.messaging.protocol import Accepted, Busy, LookupUnavailableError, Push, Rejected, Unclear
from activities.messaging.push.fcm import Fcm
from tests.messaging.push.kit import NOW, Google, push
from tests.support.standin import Asked, Said

PUSH = push("token:ab-1_2", title="On its way", body="Your yoga mat left us today.")


def error(status: int, name: str, text: str = "no", *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": status, "message": text, "status": name, "details": list(details)}}


def fcm_error(code: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}


def violation(field: str) -> dict[str, Any]:
    violations = [{"field": field, "description": "Invalid"}]
    return {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations}


async def test_a_notification_goes_out_as_google_documents_it(fcm: Fcm, google: Google) -> None:
    """Token, texts, link, and on every platform the same life and the same folded topic."""
    assert await fcm.send(PUSH) == Accepted("projects/fernhill/messages/0:1500415314455276%31bd1c9631bd1c96")
    (asked,) = google.messages()
    assert (asked.method, asked.path) == ("POST", "/v1/projects/fernhill/messages:send")
    assert asked.headers["authorization"] == "Bearer ya29.1"
    message = asked.json()["message"]
    topic = message["android"]["collapse_key"]
    assert len(topic) == 32
    assert message == {
        "token": "token:ab-1_2",
        "notification": {"title": "On its way", "body": "Your yoga mat left us today."},
        "data": {"link": "https://shop.test/o/abc", "postlude": "acme/1001/shipped/0"},
        "android": {"ttl": "21600s", "collapse_key": topic, "notification": {"tag": topic}},
        "apns": {"headers": {"apns-expiration": str(int(NOW.timestamp()) + 21600), "apns-collapse-id": topic}},
        "webpush": {
            "headers": {"TTL": "21600", "Topic": topic},
            "notification": {"tag": topic},
            "fcm_options": {"link": "https://shop.test/o/abc"},
        },
    }


async def test_what_google_would_refuse_is_not_asked_for(fcm: Fcm, google: Google) -> None:
    """A life beyond four weeks is cut, one that is over is none, and a link that is not https is no web link."""
    for lasts, link in ((timedelta(days=90), "http://shop.test/o"), (timedelta(hours=-1), "https://shop.test/o")):
        await fcm.send(Push("k", "token", "t", "b", link, "topic", lasts))
    first, second = (one.json()["message"] for one in google.messages())
    assert (first["android"]["ttl"], second["android"]["ttl"]) == ("2419200s", "0s")
    assert ("fcm_options" in first["webpush"], "fcm_options" in second["webpush"]) == (False, True)


INVALID = fcm_error("INVALID_ARGUMENT")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            Said(404, error(404, "NOT_FOUND", "Requested entity was not found.", fcm_error("UNREGISTERED"))),
            Rejected("fcm_unregistered", address_dead=True),
        ),
        (
            Said(
                400,
                error(400, "INVALID_ARGUMENT", "The registration token is not a valid FCM registration token", INVALID),
            ),
            Rejected("fcm_invalid_argument", address_dead=True),
        ),
        (
            Said(400, error(400, "INVALID_ARGUMENT", "Request contains…", INVALID, violation("message.token"))),
            Rejected("fcm_invalid_argument", address_dead=True),
        ),
        (
            Said(400, error(400, "INVALID_ARGUMENT", "Invalid value", violation("message.data[0].value"))),
            Rejected("fcm_invalid_argument"),
        ),
        (
            Said(400, error(400, "INVALID_ARGUMENT", "the registration token …", violation("message.android.ttl"))),
            Rejected("fcm_invalid_argument"),
        ),
        (Said(400, error(400, "INVALID_ARGUMENT", "Message is too big", INVALID)), Rejected("fcm_invalid_argument")),
        (
            Said(403, error(403, "PERMISSION_DENIED", "SenderId mismatch", fcm_error("SENDER_ID_MISMATCH"))),
            Rejected("fcm_sender_id_mismatch"),
        ),
        (
            Said(429, error(429, "RESOURCE_EXHAUSTED", "no", fcm_error("QUOTA_EXCEEDED")), {"Retry-After": "17"}),
            Busy("http_429", timedelta(seconds=17)),
        ),
        (
            Said(429, error(429, "RESOURCE_EXHAUSTED", "no", fcm_error("QUOTA_EXCEEDED"))),
            Busy("http_429", timedelta(minutes=1)),
        ),
        (
            Said(503, error(503, "UNAVAILABLE", "no", fcm_error("UNAVAILABLE")), {"Retry-After": "10"}),
            Busy("http_503", timedelta(seconds=10)),
        ),
        (Said(500, error(500, "INTERNAL", "no", fcm_error("INTERNAL"))), Unclear("http_500")),
        (
            Said(401, error(401, "UNAUTHENTICATED", "no", fcm_error("THIRD_PARTY_AUTH_ERROR"))),
            Busy("fcm_third_party_auth_error"),
        ),
        (Said(403, error(403, "PERMISSION_DENIED")), Busy("http_403")),
        (Said(404, b"<html>no such project</html>"), Busy("http_404")),
        (Said(404, {"error": "odd"}), Busy("http_404")),
        (Said(400, {"error": {"details": "odd", "status": 3}}), Rejected("http_400")),
        (Said(200, b"<html>welcome</html>"), Unclear("http_garbled_answer")),
        (Said(200, {"name": 7}), Unclear("http_garbled_answer")),
        (Said(manner="hang"), Unclear("http_no_answer")),
        (Said(200, {"name": "x"}, manner="cut"), Unclear("http_no_answer")),
    ],
)
async def test_every_answer_means_one_thing(fcm: Fcm, google: Google, said: Said, expected: object) -> None:
    """FCM's documented errors, and answers nobody documented."""
    google.then(google.usual(Asked("POST", "/token", {}, b"")), said)
    assert await fcm.send(PUSH) == expected


async def test_a_server_that_is_away_took_nothing(fcm: Fcm, google: Google) -> None:
    """A refused connection is certain, for the token as for the message."""
    await google.stop()
    assert await fcm.send(PUSH) == Busy("fcm_token_http_unreachable")
    await google.start()
    google.then(Said(200, {"access_token": "t", "expires_in": 3599}, {"Connection": "close"}))
    google.then(Said(200, {"name": "n"}, {"Connection": "close"}))
    assert await fcm.send(PUSH) == Accepted("n")
    await google.stop()
    assert await fcm.send(PUSH) == Busy("http_unreachable")


async def test_fcm_cannot_be_asked(fcm: Fcm) -> None:
    """There is no search by key."""
    with pytest.raises(LookupUnavailableError):
        await fcm.find("key", "")
