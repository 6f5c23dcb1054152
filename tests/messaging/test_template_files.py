"""The shop's own files: what may stand in the copy, the brand and the templates, and how a slip is named."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from activities.messaging.samples import samples
from activities.messaging.templates import TemplateError, Templates

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"


def overlay(folder: Path, name: str, content: object) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return folder


def edited(folder: Path, name: str, edit: Callable[[dict[str, Any]], None]) -> Path:
    content = yaml.safe_load((PLAYBOOKS / name).read_text(encoding="utf-8"))
    edit(content)
    return overlay(folder, name, content)


def test_locale_falls_back(tmp_path: Path) -> None:
    """de-DE takes de where there is one, and English where a mail, or the whole language, is missing."""
    english = yaml.safe_load((PLAYBOOKS / "copy/en.yaml").read_text(encoding="utf-8"))
    german = {
        "brand": {"tagline": "Gutes für langsame Morgen"},
        "products": {"categories": {"fitness": {"care": ["Lauwarm abwischen."]}}},
        "common": {**english["common"], "greeting": "Guten Tag,"},
        "care": {**english["care"], "subject": "Gut gepflegt"},
    }
    templates = Templates.load(PLAYBOOKS, overlay=overlay(tmp_path, "copy/de.yaml", german))
    context = next(iter(samples("marketing", "order")))[1]
    for locale in ("de-DE", "de_AT", "de", "DE-de-x-y"):
        mail = templates.render("care", context, locale=locale)
        assert mail.subject == "Gut gepflegt"
        assert '<html lang="de"' in mail.html
        assert "Guten Tag," in mail.text
    for name, locale in (("care", "it-IT"), ("care", ""), ("care", "'); drop"), ("check_in", "de-DE")):
        assert '<html lang="en"' in templates.render(name, context, locale=locale).html
    assert templates.notes("X", "fitness", locale="de-AT").care == ("Lauwarm abwischen.",)
    missing = templates.check("de")
    assert len(missing) == len(templates.names) - 1
    assert all("(de): copy/de.yaml has no entry" in problem for problem in missing)


def test_a_region_holds_only_what_differs(tmp_path: Path) -> None:
    """de-at.yaml is laid over de.yaml key by key, in the brand, too, and may be short."""
    overlay(tmp_path, "copy/de-at.yaml", {"common": {"greeting": "Servus,"}, "brand": {"tagline": "Gutes für heuer"}})
    templates = Templates.load(PLAYBOOKS, overlay=tmp_path)
    context = next(iter(samples("marketing", "order")))[1]
    austrian, german = (templates.render("miss_you", context, locale=locale) for locale in ("de_AT", "de-DE"))
    assert ("Servus," in austrian.text, "Hallo," in german.text) == (True, True)
    assert (austrian.subject, "Gutes für heuer" in austrian.text) == (german.subject, True)
    assert "Seite für Rücksendungen" in templates.render("welcome", context, locale="de-AT").text
    assert templates.check("de-at") == []


def test_a_key_that_a_language_lacks_fails_the_check(tmp_path: Path) -> None:
    """What English has and another language has not is named: entry, key, file; a whole entry as well."""

    def forget(copy: dict[str, Any]) -> None:
        copy["care"].pop("closing")
        copy["parcel_problem"]["cases"]["customs"].pop("push")
        copy["common"].pop("view_order")
        copy.pop("bundle")

    edited(tmp_path, "copy/fr.yaml", forget)
    problems = Templates.load(PLAYBOOKS, overlay=tmp_path).check("fr")
    for name, what in (
        ("care", "lacks 'closing'"),
        ("parcel_problem", "lacks 'cases.customs.push'"),
        ("common", "lacks 'view_order'"),
        ("bundle", "no entry"),
    ):
        assert any(problem.startswith(f"{name} (fr): copy/fr.yaml") and what in problem for problem in problems), name


@pytest.mark.parametrize("key", ["preview", "short"])
def test_a_slip_in_a_branch_that_no_sample_reaches_is_found(tmp_path: Path, key: str) -> None:
    """A wrong name behind a condition that rarely holds fails the check, in mails and short texts, by language."""
    slip = "{% if segment.country == 'NZ' %}{{ order.totl }}{{ oder }}{% endif %} …"
    edited(tmp_path, "copy/es.yaml", lambda copy: copy["welcome"].update({key: slip, "heading": slip}))
    problems = Templates.load(PLAYBOOKS, overlay=tmp_path).check("es")
    assert any("welcome (es)" in problem and "order.totl" in problem for problem in problems)
    assert any("welcome (es)" in problem and "asks for oder," in problem for problem in problems)


def test_a_plural_without_its_other_form_fails_the_check(tmp_path: Path) -> None:
    """The form every language needs cannot be forgotten."""
    edited(
        tmp_path, "copy/de.yaml", lambda copy: copy["shipped"].update(preview="{{ parcel.count|plural(one='# x') }}")
    )
    assert any(
        "shipped (de" in problem and "other" in problem
        for problem in Templates.load(PLAYBOOKS, overlay=tmp_path).check("de")
    )


SLIPS: dict[str, tuple[dict[str, object], str]] = {
    "shipped": ({"short": "a " * 170}, "sms: 3 SMS"),
    "delivered": ({"push": {"title": "x" * 41, "body": "y"}}, "the title has 41 characters"),
    "delayed": ({"push": {"title": "x", "body": "{{ order.order_id }}" + "y" * 120}}, "the body has 124 characters"),
    "care": ({"whatsapp": {"template": "t", "parameters": ["{{ offer.code if offer }}"]}}, "parameter 1 is empty"),
    "order_confirmation": ({"short": "{{ links.unsubscribe }}"}, "a link is missing"),
    "check_in": ({"short": "See **here**"}, "'short' has markup"),
    "bundle": ({"short": ""}, "'short' is missing"),
    "discount": ({"push": "Hello"}, "'push' needs title and body"),
}


def test_a_short_text_that_will_not_do_fails_the_check(tmp_path: Path) -> None:
    """Too many SMS, too long a notification, an empty parameter, a missing link and markup are found before sending."""

    def slip(copy: dict[str, Any]) -> None:
        for touch, (change, _) in SLIPS.items():
            copy[touch].update(change)

    edited(tmp_path, "copy/de.yaml", slip)
    problems = Templates.load(PLAYBOOKS, overlay=tmp_path).check("de")
    for touch, (_, complaint) in SLIPS.items():
        assert any(f"{touch} (de" in problem and complaint in problem for problem in problems), (touch, problems[:3])


def test_a_shops_own_brand_never_wears_the_shipped_words(tmp_path: Path) -> None:
    """Translations stand beside the brand.yaml they are of; a shop that brings its own brings its own translations."""
    edited(tmp_path, "brand.yaml", lambda brand: brand.update(name="Oak", tagline="Oak things", about="We are Oak."))
    overlay(tmp_path, "brand/fr.yaml", {"tagline": "Du chêne"})
    templates = Templates.load(PLAYBOOKS, overlay=tmp_path)
    assert [templates.brand_in(locale).tagline for locale in ("en", "de", "fr-CA")] == [
        "Oak things",
        "Oak things",
        "Du chêne",
    ]


def test_a_copy_file_is_named_after_its_language(tmp_path: Path) -> None:
    """A file whose name is no language is refused when the folder is loaded."""
    overlay(tmp_path, "copy/deutsch2.yaml", {"common": {}})
    with pytest.raises(TemplateError, match="'deutsch2' is no language"):
        Templates.load(PLAYBOOKS, overlay=tmp_path)


def test_a_missing_variable_is_found_by_check(tmp_path: Path) -> None:
    """A slip in the copy is named at lint: template, language, variable."""
    edited(tmp_path, "copy/en.yaml", lambda copy: copy["shipped"].update(preview="{{ order.estimatd_delivery }}"))
    problems = Templates.load(PLAYBOOKS, overlay=tmp_path).check("en")
    assert problems
    assert all("'shipped'" in problem and "estimatd_delivery" in problem for problem in problems)


def test_a_missing_key_of_the_copy_is_found_at_load(tmp_path: Path) -> None:
    """Copy that a template asks for and does not find is named when the folder is loaded."""
    edited(tmp_path, "copy/en.yaml", lambda copy: copy["shipped"].pop("button"))
    with pytest.raises(TemplateError, match=r"'shipped' \(en\): shipped\.mjml, line 46: .*button"):
        Templates.load(PLAYBOOKS, overlay=tmp_path)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("[% block body %]<mj-text>{{ order.total }}[% endblock %]", "no valid MJML"),
        ('[% block body %]<mj-text><a href="{{ links.order }}">x</a></mj-text>[% endblock %]', "a link is not checked"),
        ('[% block body %]<mj-text><a href="javascript:x">x</a></mj-text>[% endblock %]', "scheme 'javascript'"),
        ("[% block body %][[ nothing ]][% endblock %]", "nothing"),
        ("[% block body %]<!--% if %-->[% endblock %]", "mend the expression"),
        ("[% block body %]\n[% if %][% endblock %]", "line"),
    ],
)
def test_a_broken_template_is_named(tmp_path: Path, body: str, complaint: str) -> None:
    """Whatever is wrong with a template, the error names it when the folder is loaded."""
    overlay(tmp_path, "templates/welcome.mjml", f'[% extends layout %][% set purpose = "either" %]{body}')
    with pytest.raises(TemplateError, match=r"(?s)welcome.*" + re.escape(complaint)):
        Templates.load(PLAYBOOKS, overlay=tmp_path)


def test_a_template_cannot_reach_out_of_its_sandbox(tmp_path: Path) -> None:
    """Copy that reaches for Python's internals is refused."""
    edited(tmp_path, "copy/en.yaml", lambda copy: copy["welcome"].update(heading="{{ order.__class__.__mro__ }}"))
    assert any(
        "unsafe" in problem or "__class__" in problem
        for problem in Templates.load(PLAYBOOKS, overlay=tmp_path).check("en")
    )


def test_a_shop_changes_its_brand_in_one_file(tmp_path: Path) -> None:
    """Name, colours, logo and address come from brand.yaml alone."""
    edited(
        tmp_path,
        "brand.yaml",
        lambda brand: brand.update(
            name="Oak & Iron <3",
            logo_url="https://oak.example/logo.png",
            postal_address="1 Oak Road",
            colours={"brand": "#123456"},
            news=[],
            event=None,
        ),
    )
    templates = Templates.load(PLAYBOOKS, overlay=tmp_path)
    assert templates.check("en") == []
    mail = templates.render("miss_you", next(iter(samples("marketing", "order")))[1], locale="en")
    assert 'alt="Oak &amp; Iron &lt;3"' in mail.html
    assert 'src="https://oak.example/logo.png"' in mail.html
    assert "#123456" in mail.html
    assert "Oak & Iron <3" in mail.text
    assert "Fernhill" not in mail.subject + mail.preview


@pytest.mark.parametrize(
    ("change", "field"),
    [({"shop_url": "javascript:x"}, "shop_url"), ({"colours": {"ink": "red"}}, "colours.ink"), ({"nmae": "x"}, "nmae")],
)
def test_a_slip_in_the_brand_is_named(tmp_path: Path, change: dict[str, object], field: str) -> None:
    """brand.yaml is checked when it is loaded, field by field."""
    edited(tmp_path, "brand.yaml", lambda brand: brand.update(change))
    with pytest.raises(TemplateError, match=rf"brand\.yaml.*{re.escape(field)}"):
        Templates.load(PLAYBOOKS, overlay=tmp_path)
