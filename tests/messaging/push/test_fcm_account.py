"""How FCM's service account proves itself (RFC 7523), and what becomes of a message when it cannot."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import jwt
import pytest

from activities.messaging.protocol import Accepted, Busy
from activities.messaging.push.fcm import Fcm
from tests.messaging.push.kit import NOW, RSA_KEY, Clock, Google, account, push
from tests.support.standin import Asked, Said

PUSH = push("token:ab-1_2")


async def test_the_account_proves_itself_by_its_key(fcm: Fcm, google: Google) -> None:
    """The assertion is RFC 7523's: signed with the file's key, for the token's address, good for an hour."""
    await fcm.send(PUSH)
    asked = google.asked[0]
    form = asked.form()
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert jwt.get_unverified_header(form["assertion"]) == {"alg": "RS256", "kid": "k1", "typ": "JWT"}
    claims = jwt.decode(
        form["assertion"],
        RSA_KEY.public_key(),
        algorithms=["RS256"],
        audience=f"{google.origin}/token",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims == {
        "iss": "push@fernhill.iam.gserviceaccount.com",
        "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "aud": f"{google.origin}/token",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 3600,
    }


async def test_an_access_token_is_asked_for_once_and_renewed_in_time(fcm: Fcm, google: Google, clock: Clock) -> None:
    """Twenty at once share one token; five minutes before its end there is a new one."""
    await asyncio.gather(*(fcm.send(PUSH) for _ in range(20)))
    clock.now += timedelta(minutes=54)
    await fcm.send(PUSH)
    assert sum(one.path == "/token" for one in google.asked) == 1
    clock.now += timedelta(minutes=1)
    await fcm.send(PUSH)
    assert sum(one.path == "/token" for one in google.asked) == 2
    assert google.messages()[-1].headers["authorization"] == "Bearer ya29.2"


async def test_a_token_taken_back_early_is_replaced(fcm: Fcm, google: Google) -> None:
    """401 without an FCM error is the access token's: it is waited for, and the next attempt brings a new one."""
    google.then(
        google.usual(Asked("POST", "/token", {}, b"")),
        Said(401, {"error": {"code": 401, "message": "no", "status": "UNAUTHENTICATED"}}),
    )
    assert await fcm.send(PUSH) == Busy("http_401")
    google.script.clear()
    assert isinstance(await fcm.send(PUSH), Accepted)
    assert sum(one.path == "/token" for one in google.asked) == 2


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            Said(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}),
            Busy("fcm_token_invalid_grant"),
        ),
        (Said(401, {"error": "not a name\n"}), Busy("fcm_token_http_401")),
        (Said(503, b"", {"Retry-After": "30"}), Busy("fcm_token_http_503", timedelta(seconds=30))),
        (Said(500, b"<html>"), Busy("fcm_token_http_500")),
        (Said(200, b"<html>"), Busy("fcm_token_garbled_answer")),
        (Said(200, {"access_token": "a\nb", "expires_in": 9}), Busy("fcm_token_garbled_answer")),
        (Said(200, b"[" * 60_000), Busy("fcm_token_garbled_answer")),
        (Said(manner="hang"), Busy("fcm_token_http_no_answer")),
    ],
)
async def test_without_an_access_token_nothing_was_sent(fcm: Fcm, google: Google, said: Said, expected: object) -> None:
    """Trouble with the account is ours and leaves no doubt: the message itself was never on the wire."""
    google.then(said)
    assert await fcm.send(PUSH) == expected
    assert google.messages() == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "FileNotFoundError"),
        ("secret-but-no-json", "not a service account"),
        ("[]", "not a service account"),
        (json.dumps(account(private_key="-----BEGIN secret")), "not a service account"),
        (json.dumps(account(project_id="")), "not a service account"),
        (json.dumps({**account(), "client_email": 3}), "not a service account"),
        (json.dumps(account(token_uri="http://elsewhere.test/token")), "must be https"),
    ],
)
def test_a_wrong_file_is_named_by_its_setting_alone(tmp_path: Path, content: str | None, problem: str) -> None:
    """The text names the setting and what is wrong, and repeats neither path nor content."""
    path = tmp_path / "account.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match=problem) as raised:
        Fcm(urlsplit(f"fcm://{path}"))
    assert str(raised.value).startswith("POSTLUDE_PUSH_URL: ")
    assert "secret" not in str(raised.value)
    assert str(tmp_path) not in str(raised.value)
