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
    for name, locale in (("care", "fr-FR"), ("care", ""), ("care", "'); drop"), ("check_in", "de-DE")):
        assert '<html lang="en"' in templates.render(name, context, locale=locale).html
    assert templates.notes("X", "fitness", locale="de-AT").care == ("Lauwarm abwischen.",)
    assert templates.check() == []


def test_a_missing_variable_is_found_by_check(tmp_path: Path) -> None:
    """A slip in the copy is named at lint: template, language, variable."""
    edited(tmp_path, "copy/en.yaml", lambda copy: copy["shipped"].update(preview="{{ order.estimatd_delivery }}"))
    problems = Templates.load(PLAYBOOKS, overlay=tmp_path).check()
    assert problems
    assert all("'shipped'" in problem and "estimatd_delivery" in problem for problem in problems)


def test_a_missing_key_of_the_copy_is_found_at_load(tmp_path: Path) -> None:
    """Copy that a template asks for and does not find is named when the folder is loaded."""
    edited(tmp_path, "copy/en.yaml", lambda copy: copy["shipped"].pop("button"))
    with pytest.raises(TemplateError, match=r"'shipped' \(en\): shipped\.mjml: .*button"):
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
        "unsafe" in problem or "__class__" in problem for problem in Templates.load(PLAYBOOKS, overlay=tmp_path).check()
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
    assert templates.check() == []
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
