"""Slack's incoming webhooks, and what speaks like them: `slack+https://hooks.slack.com/services/T…/B…/…`.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks. Mattermost and Rocket.Chat take the same.
"""

import json
import re
from urllib.parse import SplitResult

import httpx

from activities.messaging.email.resend import base_url
from activities.messaging.exchange import Answer, exchange, failure
from activities.messaging.http import client
from activities.messaging.protocol import Accepted, Busy, Receipt, Rejected, Unclear

_NAME = re.compile(r"[a-z_]{1,40}")
_SECTION = 3000
"""Characters of a section's text: https://docs.slack.dev/reference/block-kit/blocks/section-block"""


class Slack:
    """One channel, named by its webhook. A message sent twice is there twice: nothing tells them apart."""

    def __init__(self, url: SplitResult, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """Prepare the webhook.

        Raises:
            ValueError: the address has no host or no path; never repeats it, since it is all the secret there is.
        """
        if not url.hostname or not url.path.strip("/"):
            raise ValueError("POSTLUDE_ALERT_URL: needs the whole webhook: slack+https://hooks.slack.com/services/…")
        self._http = client(base_url(url, url.hostname), {}, transport=transport)
        self._path = url.path

    async def send(self, text: str, *, mrkdwn: str) -> Receipt:
        """Post a message; see `Receipt` for what can come of it.

        Args:
            text: plain, for notifications on a phone and for readers aloud.
            mrkdwn: the same in Slack's markup, its parts escaped by `escape`.
        """
        blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": mrkdwn[:_SECTION]}}]
        body = json.dumps({"text": escape(text), "blocks": blocks}).encode()
        answer = await exchange(self._http, self._path, body, {"content-type": "application/json"})
        return _receipt(answer) if isinstance(answer, Answer) else answer

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def escape(text: str) -> str:
    """The three characters that mean something in Slack's markup, written so that they do not."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _receipt(answer: Answer) -> Receipt:
    """What an answer means; errors have their name in the body.

    `no_service`, `invalid_payload`, `channel_is_archived` and their like stay as they are until somebody changes a
    setting: https://docs.slack.dev/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks.
    """
    said = answer.body[:200].decode("utf-8", "replace").strip()
    if answer.success:
        # What is no Slack at all, a proxy's welcome page, has much to say.
        return Unclear("slack_garbled_answer") if said.startswith("<") else Accepted(None)
    meaning = failure(answer)
    if isinstance(meaning, Unclear) or (isinstance(meaning, Busy) and answer.status not in {401, 403, 404, 405}):
        return meaning
    return Rejected(f"slack_{said}" if _NAME.fullmatch(said) else f"http_{answer.status}")
