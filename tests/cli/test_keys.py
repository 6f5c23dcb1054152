"""`postlude keys`: a key pair for notifications in browsers."""

from urllib.parse import urlsplit

from activities.messaging.push.subscription import from_base64url
from activities.messaging.push.web_push import WebPush
from tests.cli.commands import postlude


def test_a_pair_is_made_and_its_public_half_shown_again():
    """The setting that is printed makes the provider; with it set the same public key comes back, and no new one."""
    made = postlude("keys", "vapid", "--subject", "mailto:ops@shop.example", environment={})
    setting, public = made.out.splitlines()
    name, _, url = setting.partition("=")
    assert (made.code, name) == (0, "POSTLUDE_WEB_PUSH_URL")
    key = WebPush(urlsplit(url)).public_key
    assert public == f"applicationServerKey: {key}"
    point = from_base64url(key)
    assert (len(point), point[0]) == (65, 4)
    again = postlude("keys", "vapid", environment={name: url})
    assert (again.code, again.out.splitlines()) == (0, [public])


def test_a_subject_that_leads_to_nobody_is_refused():
    """Push services want somebody to write to."""
    ran = postlude("keys", "vapid", "--subject", "ops", environment={})
    assert (ran.code, ran.out, "subject" in ran.err) == (1, "", True)
