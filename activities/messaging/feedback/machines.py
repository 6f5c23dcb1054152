"""Was it a person who opened or clicked, or a machine that goes through mail? Pure rules.

What is known of them:

- Apple's Mail Privacy Protection fetches every picture of every mail, read or not, and says `Mozilla/5.0` and no more.
  Gmail fetches them while the account is open elsewhere, under a browser's name that never was
  (https://www.mailgun.com/blog/product/bot-detection/,
  https://bird.com/blog/gmail-prefetching-images). Gmail's and Yahoo's picture proxies (`GoogleImageProxy`,
  `YahooMailProxy`) are another thing: they fetch when the person opens, so those count as people.
- Security gateways follow links before the mail is shown. Some give their names, some look up with HEAD; those that
  pass for browsers are known by their haste, see `store.feedback.AT_ONCE`.
- Browsers say when they fetch ahead: `Sec-Purpose: prefetch` (https://fetch.spec.whatwg.org/#sec-purpose-header), and
  the older `Purpose` and `X-Moz`.

A gateway in a perfect disguise counts as a person; nothing here may make a person count as a machine.
"""

import re
from collections.abc import Mapping

_APPLE = "Mozilla/5.0"
_GMAIL_AHEAD = "Edge/12.246 Mozilla/5.0"
# Whole words, so that a CUBOT telephone stays a telephone.
_NAMED = re.compile(
    r"barracuda|proofpoint|mimecast|ironport|ciscosecure|trendmicro|fortimail|fortiguard|sophos|forcepoint|symantec"
    r"|messagelabs|fireeye|zscaler|checkpoint|safelinks|bingpreview|slackbot|whatsapp/|telegrambot|twitterbot"
    r"|facebookexternalhit|linkedinbot|googlebot|bingbot|headlesschrome|phantomjs|virustotal|urlscan"
    r"|\b(?:bot|spider|crawler|scanner|preview)\b"
    r"|^(?:curl|wget|python|go-http-client|java|okhttp|libwww|axios|node|ruby|apache-httpclient)\b",
    re.IGNORECASE,
)
_AHEAD = ("sec-purpose", "purpose", "x-purpose", "x-moz")


def is_machine(kind: str, user_agent: str | None, *, told: bool = False) -> bool:
    """Whether an event that a provider tells of is a machine's; only `opened` and `clicked` can be.

    `told` when the provider says so itself. A user agent it does not pass on says nothing.
    """
    if kind == "opened":
        return told or opened_by_machine(user_agent)
    return kind == "clicked" and (told or clicked_by_machine(user_agent))


def opened_by_machine(user_agent: str | None) -> bool:
    """Whether the one who fetched a mail's picture is no person; an unsaid user agent says nothing."""
    agent = (user_agent or "").strip()
    return agent == _APPLE or agent.endswith(_GMAIL_AHEAD) or _NAMED.search(agent) is not None


def clicked_by_machine(user_agent: str | None) -> bool:
    """Whether the one who followed a provider's link is no person; an unsaid user agent says nothing."""
    return _NAMED.search((user_agent or "").strip()) is not None


def asked_by_machine(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a request to our own redirect is no person's: only machines ask with HEAD, ahead of time, or nameless.

    `headers` with lower-case names.
    """
    if method.upper() == "HEAD" or not headers.get("user-agent", "").strip():
        return True
    ahead = any(
        re.search(r"\b(?:prefetch|preview|prerender)\b", headers.get(name, ""), re.IGNORECASE) for name in _AHEAD
    )
    return ahead or clicked_by_machine(headers["user-agent"])
