"""Which provider a URL means."""

from urllib.parse import urlsplit

from activities.messaging.email.postmark import Postmark
from activities.messaging.email.resend import Resend
from activities.messaging.email.smtp import Smtp
from activities.messaging.protocol import EmailProvider


def email_provider(url: str) -> EmailProvider:
    """The provider that `POSTLUDE_EMAIL_URL` names.

    Raises:
        ValueError: the scheme is unknown or something is missing; the message never repeats the URL, which
            carries a secret.
    """
    parts = urlsplit(url)
    match parts.scheme:
        case "smtp" | "smtps":
            return Smtp(parts)
        case "resend":
            return Resend(parts)
        case "postmark":
            return Postmark(parts)
        case other:
            raise ValueError(f"POSTLUDE_EMAIL_URL: no provider for {other}://; known are smtp, smtps, resend, postmark")
