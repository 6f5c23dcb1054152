"""A customer with a browser: opens the page behind a remedy's mail, and presses one of its buttons."""

import re
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from journey.remedies import Choice
from workers.mail_catcher import CaughtMail

_LINK: Final = re.compile(r'href="([^"]+/r/[^"]+)"')
_FORM: Final = re.compile(r'<form method="post" action="([^"]*)">(.*?)</form>', re.DOTALL)
_BUTTON: Final = re.compile(r'<button[^>]* name="([^"]+)" value="([^"]+)"')


class PageError(Exception):
    """The mail or the page was not what it should be; the text says how."""


def page_of(mail: CaughtMail) -> str:
    """The path of the page that a mail about a remedy leads to.

    Raises:
        PageError: it leads to none.
    """
    found = _LINK.search(mail.html() or "")
    if found is None:
        raise PageError(f"the mail {mail.touch} has no link to choose by")
    return urlsplit(found[1]).path


async def press(http: Any, page: str, choice: Choice) -> None:
    """Open the page, send the form whose button says `choice`, and look at what comes of it.

    Args:
        http: a client of the gateway.
        page: its path.
        choice: the button.

    Raises:
        PageError: there is no such button, or no page where there should be one.
    """
    shown = await http.get(page)
    forms = {
        value: (action, name) for action, inside in _FORM.findall(shown.text) for name, value in _BUTTON.findall(inside)
    }
    if choice not in forms:
        raise PageError(f"the page of the remedy answered {shown.status_code} and has no button for a {choice}")
    action, name = forms[choice]
    sent = await http.post(urljoin(page, action), data={name: str(choice)})
    if sent.status_code != HTTPStatus.SEE_OTHER:
        raise PageError(f"the form of the remedy answered {sent.status_code}")
    after = await http.get(urljoin(page, sent.headers["location"]))
    if after.status_code != HTTPStatus.OK:
        raise PageError(f"the page of the remedy answered {after.status_code} after the choice")
