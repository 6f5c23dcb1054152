"""`postlude template …`: a touch as its customer would read it, and the check of all of them."""

import json

import pytest
import yaml

from starters.cli import run
from tests.cli.commands import ROOT, Ran, postlude
from workers.settings import shipped_playbooks

ORDER = ROOT / "examples" / "orders" / "first-order.json"


@pytest.fixture
def here(capsys):
    """Run a command in this process: a process of its own takes a second to start."""

    def command(*arguments):
        code = run(list(arguments))
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return command


def test_a_preview_is_the_mail_of_that_order(here, tmp_path):
    """The file holds the HTML part, in the language asked for, with the order's own lines."""
    file = tmp_path / "deep" / "mail.html"
    order = json.loads(ORDER.read_text())
    title = order.get("data", order)["lines"][0]["title"]
    ran = here(
        *("template", "preview", "order_confirmation", "--locale", "de-AT"),
        *("--order", str(ORDER), "--no-open", "--out", str(file)),
    )
    assert (ran.code, ran.err, str(file) in ran.out) == (0, "", True)
    page = file.read_text(encoding="utf-8")
    assert ('lang="de"' in page, title in page) == (True, True)


def test_a_preview_has_what_the_order_says_of_its_sums_and_its_way(here, tmp_path):
    """Number, parts of the total in the currency paid in, a line's variant, the days promised, and the address."""
    data = json.loads(ORDER.read_text())["data"] | {
        "number": "RE-2026-0042",
        "estimated_delivery": "2026-12-24",
        "delivery": {"title": "Express", "address": {"street": "Amselweg 3", "country": "DE"}},
        "sums": {"currency": "USD", "total": "90.32", "lines": ["85.32"], "shipping": "5.00"},
    }
    data["lines"][0]["variant"] = "Blue"
    order, file = tmp_path / "order.json", tmp_path / "mail.html"
    order.write_text(json.dumps(data))
    ran = here(
        *("template", "preview", "order_confirmation", "--locale", "en"),
        *("--order", str(order), "--no-open", "--out", str(file)),
    )
    assert (ran.code, "RE-2026-0042" in ran.out) == (0, True)
    page = file.read_text(encoding="utf-8")
    for text in ("$85.32", "$5.00", "$90.32", "Blue", "Express", "Amselweg 3", "Germany", "Thursday, December 24"):
        assert text in page


@pytest.mark.parametrize(
    ("channel", "shown"),
    [("sms", "2 SMS, "), ("whatsapp", "template delayed_1 (fr): "), ("push", "Il a du retard"), ("inbox", "colis")],
)
def test_a_short_text_is_shown_with_what_it_costs(here, tmp_path, channel, shown):
    """SMS come with their count, WhatsApp with its template; without an order a made-up one is taken."""
    file = tmp_path / "text.html"
    ran = here(
        *("template", "preview", "delayed", "--locale", "fr", "--channel", channel, "--reason", "weather"),
        *("--no-open", "--out", str(file)),
    )
    assert (ran.code, shown in ran.out) == (0, True)
    assert "retard" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("shiped",), 1, "there is no touch 'shiped'"),
        (("shipped", "--locale", "../de"), 2, "--locale"),
        (("shipped", "--reason", "aliens"), 2, "--reason"),
        (("shipped", "--order", "nothing.json"), 1, "cannot be read"),
    ],
)
def test_a_preview_that_cannot_be_made_says_why(here, arguments, code, said):
    """A slip in the touch, the locale or the file is one sentence."""
    ran = here("template", "preview", "--no-open", *arguments)
    assert (ran.code, said in ran.err) == (code, True)


def test_the_check_covers_every_language(here):
    """The shipped templates pass, in all four languages."""
    assert here("template", "check") == Ran(0, "35 templates in en, de, es, fr: 0 errors\n", "")


def test_the_check_fails_for_a_slip_in_one_language(tmp_path):
    """A wrong name in the German copy alone ends with exit code 1, and so does the lint of the playbook."""
    copy = yaml.safe_load((shipped_playbooks() / "copy" / "de.yaml").read_text(encoding="utf-8"))
    copy["bundle"]["short"] = "{{ offer.cod if offer }}"
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "de.yaml").write_text(yaml.safe_dump(copy), encoding="utf-8")
    environment = {"POSTLUDE_HOME": str(tmp_path), "POSTLUDE_TEMPLATES": str(tmp_path)}
    for command in (("template", "check"), ("playbook", "lint", str(shipped_playbooks() / "default.yaml"))):
        ran = postlude(*command, environment=environment)
        assert (ran.code, "bundle (de" in ran.out, "cod" in ran.out) == (1, True, True)
