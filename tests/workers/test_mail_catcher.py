from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8

import aiosmtplib
import pytest

from workers.mail_catcher import AnswerLate, MailCatcher, MailFolder


def mail_to(recipient: str, subject: str = "Your order", message_id: str = "<1@shop.example>") -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = "Acme <hello@shop.example>"
    message["To"] = recipient
    message["Subject"] = subject
    message["Message-ID"] = message_id
    message["X-Postlude-Touch"] = "order-confirmation"
    message["X-Postlude-Order"] = "acme/1001"
    message.set_content("Thank you, Zoë.\n")
    message.add_alternative("<p>Thank you, Zoë.</p>\n", subtype="html")
    return message


async def send(catcher: MailCatcher, message: EmailMessage, patience: float = 5) -> None:
    await aiosmtplib.send(message, hostname="127.0.0.1", port=catcher.port, start_tls=False, timeout=patience)


async def test_a_mail_is_caught_with_envelope_headers_and_both_parts(tmp_path):
    """What was sent can be read back, text and HTML, also by a catcher that starts later on the folder."""
    catcher = MailCatcher(tmp_path / "mail")
    await catcher.start()
    await send(catcher, mail_to("Zoë <zoe@example.com>", subject="Grüße, Zoë"))
    await catcher.stop()

    (mail,) = MailCatcher(tmp_path / "mail").messages()
    assert catcher.messages() == [mail]
    assert (mail.message_id, mail.sender, mail.recipients) == (
        "<1@shop.example>",
        "hello@shop.example",
        ("zoe@example.com",),
    )
    assert (mail.subject, mail.touch, mail.order) == ("Grüße, Zoë", "order-confirmation", "acme/1001")
    assert "Thank you, Zoë." in (mail.text() or "")
    assert "<p>Thank you, Zoë.</p>" in (mail.html() or "")
    assert catcher.get(mail.id) == mail


async def test_addresses_beyond_ascii_are_caught_as_they_are(tmp_path):
    """SMTPUTF8 works from the envelope to the index."""
    catcher = MailCatcher(tmp_path)
    await catcher.start()
    message = EmailMessage(policy=SMTPUTF8)
    message["From"], message["To"], message["Subject"] = "hello@shop.example", "zoë@exämple.example", "日本"
    message.set_content("hej")
    await send(catcher, message)
    await catcher.stop()
    (mail,) = MailFolder(tmp_path).messages()
    assert (mail.recipients, mail.subject) == (("zoë@exämple.example",), "日本")


async def test_the_same_message_twice_is_counted_twice(tmp_path):
    """The count by Message-ID shows a duplicate, and goes on over a restart on the same port."""
    catcher = MailCatcher(tmp_path)
    await catcher.start()
    port = catcher.port
    await send(catcher, mail_to("a@example.com"))
    await catcher.stop()
    await catcher.start()
    await send(catcher, mail_to("a@example.com"))
    await send(catcher, mail_to("a@example.com", message_id="<2@shop.example>"))
    await catcher.stop()
    assert port == catcher.port
    assert catcher.count_by_message_id() == {"<1@shop.example>": 2, "<2@shop.example>": 1}


@pytest.mark.parametrize("reply", ["451 4.7.0 try later", "550 5.1.1 no such user"])
async def test_a_behaviour_refuses_a_message_with_its_reply_and_nothing_is_stored(tmp_path, reply):
    """A refused message is not counted as received."""
    catcher = MailCatcher(tmp_path, behaviour=lambda _mail: reply)
    await catcher.start()
    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await send(catcher, mail_to("a@example.com"))
    await catcher.stop()
    assert f"{refused.value.code} {refused.value.message}" == reply
    assert MailFolder(tmp_path).messages() == []


async def test_a_behaviour_drops_the_line_after_accepting(tmp_path):
    """The sender sees a dead connection, the receiver has the message: the case that leaves a send in doubt."""

    def drop(_mail):
        raise ConnectionResetError

    catcher = MailCatcher(tmp_path, behaviour=drop)
    await catcher.start()
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send(catcher, mail_to("a@example.com"))
    await catcher.stop()
    assert [mail.message_id for mail in catcher.messages()] == ["<1@shop.example>"]


async def test_a_behaviour_answers_too_late_after_accepting(tmp_path):
    """The sender times out, the receiver has the message."""

    def dawdle(_mail):
        raise AnswerLate(30)

    catcher = MailCatcher(tmp_path, behaviour=dawdle)
    await catcher.start()
    with pytest.raises((aiosmtplib.SMTPTimeoutError, aiosmtplib.SMTPServerDisconnected)):
        await send(catcher, mail_to("a@example.com"), patience=0.3)
    await catcher.stop()
    assert len(catcher.messages()) == 1


async def test_a_message_over_the_size_limit_is_refused(tmp_path):
    """Eleven megabytes are too many, and the refusal is a final one."""
    catcher = MailCatcher(tmp_path)
    await catcher.start()
    big = EmailMessage(policy=SMTP)
    big["From"], big["To"], big["Subject"] = "a@example.com", "b@example.com", "big"
    big.set_content(("x" * 70 + "\n") * 160_000)
    with pytest.raises(aiosmtplib.SMTPResponseException) as refused:
        await send(catcher, big, patience=20)
    await catcher.stop()
    assert refused.value.code == 552
    assert catcher.messages() == []
