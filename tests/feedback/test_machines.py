"""Who is a machine, and who is not."""

import pytest

from activities.messaging.feedback.machines import asked_by_machine, is_machine, opened_by_machine
from tests.feedback.payloads import APPLE, PERSON

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
GMAIL_PROXY = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
CUBOT = "Mozilla/5.0 (Linux; Android 13; CUBOT P80) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile"


@pytest.mark.parametrize("agent", [PERSON, IPHONE, GMAIL_PROXY, CUBOT, "", None])
def test_people_stay_people(agent):
    """A browser, a mail program, Gmail's proxy (which fetches when a person opens), and who says nothing."""
    assert not opened_by_machine(agent)
    assert not is_machine("clicked", agent)


@pytest.mark.parametrize("agent", [APPLE, f" {APPLE} ", "Mozilla/5.0 (…) Edge/12.246 Mozilla/5.0", "Mimecast-MTA/1.0"])
def test_prefetching_proxies_are_machines(agent):
    """Apple's privacy protection, Gmail's fetching ahead, and gateways that give their names."""
    assert opened_by_machine(agent)


def test_apples_proxy_may_click():
    """A person behind a bare `Mozilla/5.0` still clicks by hand: only its opens are the proxy's."""
    assert (is_machine("opened", APPLE), is_machine("clicked", APPLE)) == (True, False)


def test_only_opens_and_clicks_can_be_a_machines():
    """A delivery is nobody's doing, whatever the provider says beside it."""
    assert not is_machine("delivered", APPLE, told=True)
    assert is_machine("clicked", PERSON, told=True)


@pytest.mark.parametrize(
    ("method", "headers", "machine"),
    [
        ("GET", {"user-agent": PERSON}, False),
        ("GET", {"user-agent": IPHONE, "sec-purpose": ""}, False),
        ("HEAD", {"user-agent": PERSON}, True),
        ("GET", {}, True),
        ("GET", {"user-agent": PERSON, "sec-purpose": "prefetch;prerender"}, True),
        ("GET", {"user-agent": PERSON, "purpose": "prefetch"}, True),
        ("GET", {"user-agent": PERSON, "x-moz": "prefetch"}, True),
        ("GET", {"user-agent": PERSON, "x-purpose": "preview"}, True),
        ("GET", {"user-agent": "python-requests/2.32"}, True),
        ("GET", {"user-agent": "BarracudaCentral/1.0"}, True),
        ("GET", {"user-agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"}, True),
    ],
)
def test_who_asks_our_redirect(method, headers, machine):
    """Fetching ahead, looking without reading, and scanners' names are machines; a browser is a person."""
    assert asked_by_machine(method, headers) is machine
