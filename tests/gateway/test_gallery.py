"""The gallery of the embedded stack: everything there is to read, on one made-up order."""

import re

import httpx
import pytest
from fastapi import FastAPI

from starters.dev_pages import mail_pages
from starters.gallery import SHOWN, gallery_pages
from workers.mail_catcher import MailFolder


@pytest.fixture
async def browser(templates, playbook, tmp_path):
    app = FastAPI()
    app.include_router(mail_pages(MailFolder(tmp_path), gallery=gallery_pages(templates, playbook)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://stack") as client:
        yield client


async def test_every_touch_is_shown_in_every_language_on_every_channel(browser, templates, playbook):
    """Touches, one with nine problems and one with two ends, times languages times channels; SMS with their count."""
    page = (await browser.get("/dev/gallery?locale=all&channel=all")).text
    cards = (len(playbook.touches) + 8 + 1) * len(templates.languages) * len(SHOWN)
    assert page.count("<article") == cards
    assert len(re.findall(r"\d SMS, \d+ characters, gsm", page)) == cards / len(SHOWN)
    assert all(f'id="{touch.id}"' in page for touch in playbook.touches)


async def test_the_gallery_can_be_narrowed(browser):
    """By touch, language and channel; what is unknown shows nothing rather than everything."""
    one = (await browser.get("/dev/gallery?touch=shipped&locale=de&channel=sms")).text
    assert (one.count("<article"), "ist unterwegs" in one) == (1, True)
    assert (await browser.get("/dev/gallery?touch=<script>")).text.count("<article") == 0


async def test_a_mail_stands_alone_in_its_frame(browser):
    """Each mail's HTML part has an address of its own, closed to scripts and to everything from outside."""
    mail = await browser.get("/dev/gallery/parcel_problem/fr?reason=customs")
    assert ("douane" in mail.text, mail.headers["content-security-policy"].startswith("default-src 'none'")) == (
        True,
        True,
    )
    for path in ("nothing/fr", "shipped/xx", "shipped/fr?reason=<b>"):
        assert (await browser.get(f"/dev/gallery/{path}")).status_code == 404


async def test_the_inbox_leads_to_the_gallery(browser):
    """Whoever looks at the caught mails finds all there are."""
    assert 'href="/dev/gallery"' in (await browser.get("/dev/mails")).text
