"""The inbox page of the embedded stack: every mail the catcher took, as the customer would see it.

Only the embedded stack serves these pages; in production there is no such route.
"""

from email.utils import getaddresses

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from workers.mail_catcher import CaughtMail, MailFolder

_SHOWN_HEADERS = (
    "From",
    "To",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
)
# A mail is a stranger's HTML: no scripts, nothing loaded, and the frame has an origin of its own.
_MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox allow-popups"
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'; form-action 'none'"


def mail_pages(mails: MailFolder, *, gallery: APIRouter | None = None) -> APIRouter:
    """`/dev/mails`, `/dev/mails/{id}` and its body alone, over the caught mails; and the gallery, where there is one.

    `gallery` is what `starters.gallery.gallery_pages` makes.
    """
    env = Environment(
        loader=PackageLoader("starters", "pages/dev"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    router = APIRouter(prefix="/dev", include_in_schema=False)

    @router.get("/mails")
    def listing(order: str | None = None) -> Response:
        """Every mail, newest first, grouped by order; `order` (SHOP/ID) shows one order's alone."""
        caught = [mail for mail in reversed(mails.messages()) if order is None or mail.order == order]
        groups: dict[str, list[CaughtMail]] = {}
        for mail in caught:
            groups.setdefault(mail.order or "", []).append(mail)
        page = env.get_template("mails.html").render(
            groups=groups, count=len(caught), order=order, gallery=gallery is not None
        )
        return _html(page, _PAGE_POLICY)

    @router.get("/mails/{mail_id}")
    def one(mail_id: str) -> Response:
        """One mail: its headers, the HTML in a sandboxed frame, and the text part."""
        mail = _find(mails, mail_id)
        if mail is None:
            return _html(env.get_template("missing.html").render(), _PAGE_POLICY, 404)
        parsed = mail.parsed()
        headers = [(name, str(parsed[name])) for name in _SHOWN_HEADERS if parsed[name]]
        to = ", ".join(name or address for name, address in getaddresses([str(parsed["To"])]))
        page = env.get_template("mail.html").render(mail=mail, headers=headers, to=to, text=mail.text() or "")
        return _html(page, _PAGE_POLICY)

    @router.get("/mails/{mail_id}/html")
    def body(mail_id: str) -> Response:
        """The HTML part alone, for the frame."""
        mail = _find(mails, mail_id)
        if mail is None:
            return _html("<p>There is no such mail.</p>", _MAIL_POLICY, 404)
        return _html(mail.html() or "<p>This mail has no HTML part.</p>", _MAIL_POLICY)

    if gallery is None:
        return router
    both = APIRouter()
    both.include_router(router)
    both.include_router(gallery)
    return both


def _find(mails: MailFolder, mail_id: str) -> CaughtMail | None:
    try:
        return mails.get(mail_id)
    except KeyError:
        return None


def _html(page: str, policy: str, status: int = 200) -> Response:
    headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
    return HTMLResponse(page, status_code=status, headers=headers)
