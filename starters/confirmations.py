"""The message that asks an address to confirm a double opt-in: the link and why it came.

There is no word of advertising in it, nor anything to look at: it goes to somebody who has not agreed to any yet.
"""

import uuid
from collections.abc import Callable
from typing import Final

import structlog
from jinja2 import Environment, PackageLoader, StrictUndefined

from activities.messaging.brand import Brand
from activities.messaging.protocol import Accepted, Mail, Text, Unclear
from activities.messaging.senders import Senders
from activities.messaging.text.segments import plain
from journey.playbook import Channel
from starters.outgoing import carries, send
from starters.words import language_of, words_of
from store import people
from store.double_opt_in import Pending
from store.pool import AWAY, Pool

_log = structlog.get_logger(__name__)

# Both are messages to the same number, so a text message proves it for either. WhatsApp itself would want a template.
# A notification proves nothing: whoever holds an order's link can register a device. So the mailbox is asked.
_VIA: Final = {
    Channel.EMAIL: Channel.EMAIL,
    Channel.SMS: Channel.SMS,
    Channel.WHATSAPP: Channel.SMS,
    Channel.WEB_PUSH: Channel.EMAIL,
    Channel.PUSH: Channel.EMAIL,
}


class Confirmations:
    """Sends the links of double opt-ins: by mail, and to numbers by text message."""

    def __init__(self, pool: Pool, senders: Senders, brand_in: Callable[[str], Brand]) -> None:
        """Prepare to send.

        Args:
            pool: knows the addresses.
            senders: who carries mail and text messages.
            brand_in: the shop in a language.
        """
        self.channels = frozenset(channel for channel, via in _VIA.items() if carries(senders, via))
        self._pool = pool
        self._senders = senders
        self._brand_in = brand_in
        self._page = Environment(
            loader=PackageLoader("starters", "pages"), autoescape=True, undefined=StrictUndefined
        ).get_template("confirm_mail.html")

    async def send(self, pending: Pending, link: str) -> bool:
        """See `starters.preferences.Confirmations.send`; what may have gone out counts as gone."""
        via = _VIA[pending.channel]
        try:
            address = await people.reached_at(self._pool, pending.shop, pending.customer_id, pending.channel)
        except AWAY:
            return False
        if address is None:
            return False
        message = self._mail(pending, address, link) if via is Channel.EMAIL else self._text(pending, address, link)
        receipt = await send(self._senders, via, message)
        if isinstance(receipt, Accepted | Unclear):
            return True
        _log.warning("confirmation not sent", channel=pending.channel.value, rule=receipt.rule)
        return False

    def _text(self, pending: Pending, number: str, link: str) -> Text:
        language = language_of(pending.locale)
        said = words_of(language)["confirm"]["sms"].format(shop=self._brand_in(language).name, link=link)
        return Text(key=_key(pending), to=number, body=plain(said))

    def _mail(self, pending: Pending, address: str, link: str) -> Mail:
        language = language_of(pending.locale)
        brand, words = self._brand_in(language), words_of(language)
        said = {
            name: text.format(shop=brand.name, channel=words["channels"][pending.channel.value])
            for name, text in words["confirm"]["mail"].items()
        }
        domain = brand.sender.address.rpartition("@")[2]
        return Mail(
            key=_key(pending),
            message_id=f"<confirm.{_name(pending)}@{domain}>",
            sender=brand.sender.address,
            sender_name=brand.sender.name,
            to=address,
            reply_to=brand.support_email,
            subject=said["subject"],
            html=self._page.render(language=language, brand=brand, words=said, link=link),
            text="\n\n".join((said["text"], link, said["not_you"], f"{brand.name}\n{brand.postal_address}")) + "\n",
            # RFC 3834: no out-of-office answers to a machine.
            headers=(("Auto-Submitted", "auto-generated"),),
        )


def _name(pending: Pending) -> str:
    """The message's own name; the nonce, which opens the link, is not to be told by it."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"confirm/{pending.nonce}"))


def _key(pending: Pending) -> str:
    # The shop comes first, as in every key of ours: providers bring it back with what they say of the message.
    return f"{pending.shop}/confirm/{_name(pending)}"
