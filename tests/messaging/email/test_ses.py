"""Amazon SES: its signature, its tags and what its errors mean."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from activities.messaging.email.ses import Ses, signed, tag
from activities.messaging.protocol import Accepted, Busy, Receipt, Rejected
from tests.messaging.email.mails import PLAIN, Noted, mail
from tests.messaging.email.test_contracts import sent
from tests.messaging.email.vendors import NOW, SesApi

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"  # noqa: S105  the documentation's own example


def test_the_signature_is_the_published_one() -> None:
    """AWS's test suite for Signature Version 4, case post-x-www-form-urlencoded."""
    headers = signed(
        b"Param1=value1",
        keys=("AKIDEXAMPLE", SECRET),
        scope=("us-east-1", "service"),
        host="example.amazonaws.com",
        path="/",
        content_type="application/x-www-form-urlencoded",
        at=datetime(2015, 8, 30, 12, 36, tzinfo=UTC),
    )
    assert headers["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, "
        "Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
    )


def test_the_signature_is_the_one_of_amazons_own_client() -> None:
    """For a body beyond ASCII to SES in another region, as botocore 1.44 signs it; any zone's clock will do."""
    headers = signed(
        '{"a":"ü"}'.encode(),
        keys=("AKIDEXAMPLE", SECRET),
        scope=("eu-central-1", "ses"),
        host="email.eu-central-1.amazonaws.com",
        path="/v2/email/outbound-emails",
        content_type="application/json",
        at=datetime.fromisoformat("2015-08-30T14:36:00+02:00"),
    )
    assert headers["authorization"].endswith("4135010b0e15680724d1189ac8e41e06de4907b4318f00af5ba98e593c358027")


async def test_a_clock_that_is_wrong_is_ours_to_mend(ses: SesApi) -> None:
    """AWS refuses a signature of an hour ago; the message waits."""
    assert await sent(ses, PLAIN, clock=NOW - timedelta(hours=1)) == Busy("http_403")
    assert isinstance(await sent(ses, PLAIN), Accepted)


async def test_the_region_is_the_host() -> None:
    """`ses://…@eu-west-1` asks that region's endpoint over TLS, signed for it."""
    wire = Noted(200, {"MessageId": "m-1"})
    provider = Ses(urlsplit("ses://AKID:se%2Fcret@eu-west-1"), transport=wire)
    assert await provider.send(PLAIN) == Accepted("m-1")
    await provider.aclose()
    (asked,) = wire.asked
    assert str(asked.url) == "https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails"
    assert "/eu-west-1/ses/aws4_request" in asked.headers["authorization"]
    assert b"ConfigurationSetName" not in asked.content


@pytest.mark.parametrize(
    "url",
    [
        "ses://@eu-central-1",
        "ses://AKID@eu-central-1",
        "ses://AKID:se/cret@eu-central-1",
        "ses://AKID:cret@",
        "ses://AKID:cret@?region=eu-central-1",
        "ses://AKID:cret@localhost",
        "ses://AKID:cret@localhost?region=evil.test",
    ],
)
def test_a_setting_that_lacks_something_says_so_without_its_secret(url: str) -> None:
    """The text names the setting, and neither key nor secret."""
    with pytest.raises(ValueError, match=r"^POSTLUDE_EMAIL_URL: ses://") as raised:
        Ses(urlsplit(url))
    assert "AKID" not in str(raised.value)
    assert "cret@" not in str(raised.value)


async def test_an_address_beyond_ascii_is_refused_with_its_reason(ses: SesApi) -> None:
    """SES has no SMTPUTF8, but takes an international domain in its ASCII form."""
    assert await sent(ses, mail(to="jörg@example.de")) == Rejected("address_needs_smtputf8")
    assert isinstance(await sent(ses, mail(to="ada@exämple.de")), Accepted)
    assert [one.to for one in ses.received] == ["ada@xn--exmple-cua.de"]


def test_a_tag_is_the_keys_own_and_fits() -> None:
    """The same key has the same tag, another one another, of what SES allows."""
    assert tag("acme/1/x/0") == tag("acme/1/x/0") != tag("acme/1/x/1")
    assert len(tag("k" * 500)) == 32
    assert tag("ü/1").isalnum()


NOT_VERIFIED = "Email address is not verified. The following identities failed the check in region EU: ada@example.com"


@pytest.mark.parametrize(
    ("kind", "status", "text", "expected"),
    [
        ("TooManyRequestsException", 429, "Maximum sending rate exceeded.", timedelta(seconds=1)),
        ("TooManyRequestsException", 429, "Daily message quota exceeded.", timedelta(minutes=10)),
        ("AccountSuspendedException", 400, "", Busy("ses_AccountSuspendedException")),
        ("SendingPausedException", 400, "", Busy("ses_SendingPausedException")),
        ("MailFromDomainNotVerifiedException", 400, "", Busy("ses_MailFromDomainNotVerifiedException")),
        ("LimitExceededException", 400, "", Busy("ses_LimitExceededException")),
        ("NotFoundException", 404, "no such configuration set", Busy("ses_NotFoundException")),
        ("MessageRejected", 400, NOT_VERIFIED, Busy("ses_not_verified")),
        ("MessageRejected", 400, "contains a virus", Rejected("ses_MessageRejected")),
        ("MessageRejected:http://internal.amazon.com/x/", 400, "", Rejected("ses_MessageRejected")),
        ("com.amazonaws.ses#BadRequestException", 400, "", Rejected("ses_BadRequestException")),
        ("ada@example.com", 400, "", Rejected("http_400")),
        ("UnrecognizedClientException", 403, "", Busy("http_403")),
    ],
)
async def test_each_error_blames_whom_it_is_about(
    ses: SesApi, kind: str, status: int, text: str, expected: Receipt | timedelta
) -> None:
    """Our account's errors wait, the message's own are final, and no address is dead for either."""
    if isinstance(expected, timedelta):
        expected = Busy("ses_TooManyRequestsException", expected)
    ses.then(ses.error(kind, text, status))
    assert await sent(ses, PLAIN) == expected
