"""The mails: complete, safe with hostile strings, the same in both parts, and checked before anybody sends one."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from activities.messaging.brand import safe_link
from activities.messaging.samples import DELAYS, PROBLEMS, REMEDIED, samples
from activities.messaging.templates import Rendered, TemplateError, Templates
from journey.playbook import Playbook

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
EXPECTED = {
    *("order_confirmation", "digital_access", "shipped", "out_for_delivery", "delivered", "delayed"),
    *("parcel_problem", "parcel_lost", "order_cancelled", "order_refunded", "welcome", "care", "setup_tips"),
    *("check_in", "review_request", "review_reminder", "thank_you", "feedback_followup", "also_enjoyed"),
    *("bundle", "discount", "miss_you", "whats_new", "vip_invite", "not_dispatched", "late_apology"),
    *("delivery_denied", "pickup_ready", "pickup_reminder", "pickup_last_call", "pickup_collected"),
    *("pickup_not_collected", "remedy_offer", "remedy_reminder", "remedy_settled"),
}
ABOUT = {
    **dict.fromkeys(("shipped", "out_for_delivery", "delivered", "delayed", "parcel_problem", "parcel_lost"), "parcel"),
    **dict.fromkeys(("late_apology", "delivery_denied", "pickup_ready", "pickup_reminder"), "parcel"),
    **dict.fromkeys(("pickup_last_call", "pickup_collected", "pickup_not_collected"), "parcel"),
    **dict.fromkeys(("remedy_offer", "remedy_reminder", "remedy_settled"), "remedy"),
}
UNSUBSCRIBE = "https://shop.example/unsubscribe?key=sample"
HOSTILE = "<script>alert('x')</script>\r\nBcc: all@example.com\u2028\x00{{ 7*7 }} {% raw %} \"'&é漢🧶\u202eevil"
KEPT = {
    *("kind", "url", "unsubscribe", "preferences", "order", "review", "shop", "purpose", "reason", "status"),
    *("link", "options", "choice", "access_url", "image_url", "product_url", "tracking_url", "handover"),
}
DAY, EARLIER = "Thursday, November 26", "Tuesday, November 24"


@pytest.fixture(scope="module")
def templates() -> Templates:
    return Templates.load(PLAYBOOKS)


def contexts(templates: Templates, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from samples(templates.purposes[name], ABOUT.get(name, "order"))


def poison(value: object, key: str = "") -> object:
    if isinstance(value, dict):
        return {k: poison(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [poison(v, key) for v in value]
    return HOSTILE if isinstance(value, str) and key not in KEPT else value


def links(mail: Rendered) -> tuple[set[str], set[str]]:
    html = {unescape(url) for url in re.findall(r'href="([^"]+)"', mail.html)}
    text = set(re.findall(r"https?://[^\s)]+", mail.text))
    return {url for url in html if not url.startswith("mailto:")}, text


def test_every_template_is_there(templates: Templates, playbook: Playbook) -> None:
    """The shipped folder has a mail for each touch of the journey, and what each is about is what its anchor gives."""
    assert templates.names == EXPECTED
    assert {touch.template for touch in playbook.touches} == EXPECTED
    assert {name: ABOUT.get(name, "order") for name in EXPECTED} == templates.about


def test_the_shipped_mails_pass_their_own_check(templates: Templates) -> None:
    """No shipped template has a problem on any sample order."""
    assert templates.check() == []


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_hostile_strings_stay_text(templates: Templates, name: str) -> None:
    """Markup, line ends, template code and direction marks in any string never act as such."""
    for _, context in contexts(templates, name):
        mail = templates.render(name, {str(k): poison(v) for k, v in context.items()}, locale="en")
        assert "<script" not in mail.html.lower()
        assert "49" not in re.sub(r"</?[^>]+>", "", mail.subject + mail.preview)
        for line in (mail.subject, mail.preview):
            assert not re.search(r"[\x00-\x1f\x7f\u2028\u2029\u202e]", line)
            assert len(line) <= 160
        assert not re.search(r"^Bcc:", mail.text, re.MULTILINE)
        assert "\u202e" not in mail.html + mail.text


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_both_parts_carry_the_same_links(templates: Templates, name: str) -> None:
    """Whoever reads the text part can go wherever the HTML part leads."""
    for what, context in contexts(templates, name):
        html, text = links(templates.render(name, context, locale="en"))
        assert html == text, what
        assert "https://shop.example/orders/1001?key=sample" in text


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_purpose_decides_the_footer(templates: Templates, name: str) -> None:
    """A marketing mail says why it came, where from and how to stop it; a transactional one has no such link."""
    for _, context in contexts(templates, name):
        mail = templates.render(name, context, locale="en")
        marketing = context["touch"] == {"id": "sample", "purpose": "marketing"}
        for part in (unescape(mail.html), mail.text):
            assert (UNSUBSCRIBE in part) == marketing
            assert ("mailing list" in part) == marketing
            assert templates.brand.postal_address in part


def test_a_transactional_mail_ignores_an_opt_out_link(templates: Templates) -> None:
    """An unsubscribe address handed to an order confirmation by mistake is not shown."""
    context = next(iter(contexts(templates, "order_confirmation")))[1]
    given = {**context, "links": {**context["links"], "unsubscribe": UNSUBSCRIBE}}
    assert UNSUBSCRIBE not in templates.render("order_confirmation", given, locale="en").html


def test_a_marketing_mail_without_a_way_out_is_refused(templates: Templates) -> None:
    """No unsubscribe link, no marketing mail."""
    context = next(iter(contexts(templates, "miss_you")))[1]
    given = {**context, "links": {**context["links"], "unsubscribe": None}}
    with pytest.raises(TemplateError, match=r"'miss_you'.*a link is missing"):
        templates.render("miss_you", given, locale="en")


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "//evil.example/x",
        "/orders/1",
        "https://x.example/\r\nBcc: y",
        'https://x.example/"onclick="x',
        "",
        None,
    ],
)
def test_only_safe_links_are_linked(templates: Templates, link: str | None) -> None:
    """A link that is not http, https or mailto stops the mail, and the error does not repeat the address."""
    context = next(iter(contexts(templates, "order_confirmation")))[1]
    given = {**context, "links": {**context["links"], "order": link}}
    with pytest.raises(TemplateError, match="order_confirmation") as caught:
        templates.render("order_confirmation", given, locale="en")
    assert "alert" not in str(caught.value)
    assert "example/" not in str(caught.value)


@pytest.mark.parametrize(
    "link", ["https://a.example/?x=1&y=%20#z", "http://a.example", "mailto:a@b.example?subject=Hi"]
)
def test_ordinary_links_pass(link: str) -> None:
    """What mail programs open without asking passes unchanged."""
    assert link == safe_link(link)


@pytest.mark.parametrize("reason", [*PROBLEMS, None, "asteroid"])
def test_each_problem_has_its_own_words(templates: Templates, reason: str | None) -> None:
    """A customs hold does not read like a wrong address, and an unknown reason reads sanely without being printed."""
    context = next(iter(contexts(templates, "parcel_problem")))[1]
    given = {**context, "parcel": {**context["parcel"], "reason": reason}}
    mail = templates.render("parcel_problem", given, locale="en")
    other = templates.render("parcel_problem", {**given, "parcel": {**given["parcel"], "reason": "other"}}, locale="en")
    assert (mail.subject == other.subject) == (reason in ("other", None, "asteroid"))
    assert "asteroid" not in mail.text


def test_a_delay_says_why(templates: Templates) -> None:
    """Every known reason has a sentence of its own."""
    context = next(iter(contexts(templates, "delayed")))[1]
    texts = {
        templates.render("delayed", {**context, "parcel": {**context["parcel"], "reason": reason}}, locale="en").text
        for reason in DELAYS
    }
    assert len(DELAYS) == len(texts)


@pytest.mark.parametrize("reason", DELAYS)
def test_a_revised_day_is_said_where_there_is_one(templates: Templates, reason: str) -> None:
    """The new day stands in the mail with the one before it; the carrier's old day alone is no news."""
    context = next(iter(contexts(templates, "delayed")))[1]
    absent = reason in {"no_scan", "stuck", "estimate_missed", "not_brought"}
    for day, before, news in ((DAY, EARLIER, True), (DAY, None, absent), (None, EARLIER, False), (None, None, False)):
        parcel = {**context["parcel"], "reason": reason, "estimated_delivery": day, "previous_estimate": before}
        mail = templates.render("delayed", {**context, "parcel": parcel, "parcels": [parcel]}, locale="en")
        for part in (mail.text, mail.html):
            assert (DAY in part, EARLIER in part) == (news, news and before is not None)
        assert ("named a new day yet" in mail.text) == (not news)


@pytest.mark.parametrize(
    ("language", "both", "alone"),
    [
        ("en", "Choose what suits you", "Get my money back"),
        ("de", "Aussuchen, was mir passt", "Geld zurück, bitte"),
        ("fr", "Choisir ce qui me convient", "Remboursez-moi"),
        ("es", "Elegir lo que me va mejor", "Devolvedme el dinero"),
    ],
)
def test_a_remedy_offers_what_there_is(templates: Templates, language: str, both: str, alone: str) -> None:
    """Each reason has its own words; where there is no new one to be had, none is offered, and the button says so."""
    subjects, texts = set(), set()
    for what, context in samples("transactional", "remedy", language):
        remedy = context["remedy"]
        mail = templates.render("remedy_offer", context, locale=language)
        offered = "replacement" in remedy["options"]
        assert (both in mail.text, alone in mail.text) == (offered, not offered), what
        assert (both in mail.html, alone in mail.html) == (offered, not offered)
        for said in (remedy["amount"], remedy["choose_by"], remedy["link"]):
            assert said in unescape(mail.html), said
            assert said in mail.text, said
        if not remedy["choice"] and context["parcel"]["count"] == 2 and not context["parcel"]["carrier"]:
            subjects.add(mail.subject)
            texts.add(mail.text)
    assert len(subjects) == len(texts) == 2 * len(REMEDIED)


@pytest.mark.parametrize(
    ("name", "greeting"),
    [
        ("Ada", "Hi Ada,"),
        ("Zoë 漢字", "Hi Zoë 漢字,"),
        ("  Ada\n", "Hi Ada,"),
        ("", "Hello,"),
        (None, "Hello,"),
        ("win at http://evil.example", "Hello,"),
        ("evil.example", "Hello,"),
        ("<b>Ada</b>", "Hello,"),
        ("A" * 200, "Hello,"),
    ],
)
def test_a_name_is_used_only_if_it_is_one(templates: Templates, name: str | None, greeting: str) -> None:
    """A first name that is a link, markup or a novel is left out instead of mailed to people."""
    context = next(iter(contexts(templates, "check_in")))[1]
    mail = templates.render("check_in", {**context, "customer": {"first_name": name, "buyer": "first"}}, locale="en")
    assert f"\n{greeting}\n" in mail.text
    assert greeting in mail.html


def test_products_never_suggest_what_the_order_has(templates: Templates) -> None:
    """A complement that is in the order already, or was named once, is not suggested."""
    lines: list[dict[str, object]] = [
        {"sku": "YM-1", "title": "Yoga mat", "category": "fitness", "kind": "physical"},
        {"sku": "CB-1", "title": "Cork block", "category": "fitness", "kind": "physical"},
        {"sku": "YM-1", "title": "Yoga mat", "category": "fitness", "kind": "physical"},
        {"sku": "??", "title": "Mystery", "category": None, "kind": "digital"},
    ]
    products = templates.product_notes(lines)
    assert [product["sku"] for product in products] == ["YM-1", "CB-1", "??"]
    titles = [c["title"] for product in products for c in product["complements"]]  # type: ignore[attr-defined]
    assert titles == ["Mat bag with a proper pocket", "Cotton strap"]
    assert products[2]["access"]
    context = next(iter(samples("marketing", "order")))[1]
    assert "Mat bag" in templates.render("also_enjoyed", {**context, "products": products}, locale="en").text


def test_an_unknown_template_says_what_there_is(templates: Templates) -> None:
    """A misspelt template name is answered with the names there are."""
    with pytest.raises(TemplateError, match=r"'shiped'.*shipped"):
        templates.render("shiped", {}, locale="en")


def test_a_parcel_without_a_carrier_reads_well(templates: Templates) -> None:
    """Where nobody knows the carrier yet, the sentences still do."""
    for name in ABOUT:
        for _, context in contexts(templates, name):
            mail = templates.render(name, {**context, "parcel": {**context["parcel"], "carrier": ""}}, locale="en")
            assert not re.search(
                r"(?m)^ |  | [.,]|(?:\. |^)the carrier", mail.subject + "\n" + mail.preview + "\n" + mail.text
            )


def test_nothing_is_fetched_from_elsewhere(templates: Templates) -> None:
    """Opening a mail tells no font server or style host about it."""
    for name in templates.names:
        html = templates.render(name, next(iter(contexts(templates, name)))[1], locale="en").html
        assert not re.search(r"<link|@import|url\(|<img", html)


def test_mails_read_without_pictures_and_with_fingers(templates: Templates) -> None:
    """Pictures have alt texts, text is 16 px, buttons are at least 44 px high, and dark mode is announced."""
    for name in templates.names:
        html = templates.render(name, next(iter(contexts(templates, name)))[1], locale="en").html
        assert all("alt=" in tag for tag in re.findall(r"<img[^>]*>", html))
        assert 'name="color-scheme"' in html
        for size, line, pad in re.findall(
            r'font-size:(\d+)px;font-weight:600;line-height:(\d+)px[^"]*?padding:(\d+)px', html
        ):
            assert int(size) >= 16
            assert int(line) + 2 * int(pad) >= 44
