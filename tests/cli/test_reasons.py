"""Every rule that the code can write has a sentence, and every sentence has its rule."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from journey import consent
from journey.playbook import Ending
from starters.reasons import in_words, sentence, table

ROOT = Path(__file__).parents[2]
RECEIPTS = {"Rejected", "Busy", "Unclear"}
"""What adapters answer with; the ledger has their rules as `provider_…`."""
WRITERS = {
    "_wait",
    "_hold",
    "_end",
    "_leave_in_doubt",
    "record_in_doubt",
    "release",
    "_release",
    "record_end",
    "fetchrow",
}
"""Calls whose texts are rules."""
NAMES = {"why", "rule", "verdict", "blocked", "refusal", "CRASHED", "SKIPPED", "NO_WORKER", "SENT_AGAIN"}
"""Variables that hold one."""
DECIDERS = {"itinerary.py", "stops.py", "contact.py"}
"""Whose functions that return a text return a rule."""
SHAPE = re.compile(r"[a-z][a-z0-9]*(_[A-Za-z0-9*]+)*")


def texts(node: ast.AST) -> Iterator[str]:
    """The texts that an expression can be, with `*` for what is put in."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in parts)
        case ast.IfExp(body=body, orelse=orelse):
            yield from texts(body)
            yield from texts(orelse)
        case ast.BoolOp(values=values):
            for value in values:
                yield from texts(value)
        case ast.Call(func=ast.Name(id="next"), args=[ast.GeneratorExp(elt=one), *_]):
            yield from texts(one)


def of_call(call: ast.Call) -> Iterator[str]:
    """The rules that a call is given."""
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    for keyword in call.keywords:
        if keyword.arg in {"rule", "refusal"}:
            yield from texts(keyword.value)
    if name in RECEIPTS and call.args:
        yield from (f"provider_{text}" for text in texts(call.args[0]))
    if name in WRITERS:
        for argument in call.args:
            yield from texts(argument)


def returned(function: ast.FunctionDef) -> Iterator[str]:
    """The texts that a function which answers with a text can return."""
    if function.returns is not None and "str" in ast.unparse(function.returns):
        for node in ast.walk(function):
            if isinstance(node, ast.Return) and node.value is not None:
                yield from texts(node.value)


def rules(tree: ast.Module, *, decides: bool, adapter: bool) -> Iterator[str]:
    """The rules named in a module, wherever rules are named."""
    for node in ast.walk(tree):
        match node:
            case ast.Call():
                yield from of_call(node)
            case ast.Assign(targets=[ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name))], value=value):
                if name in NAMES:
                    yield from (f"provider_{text}" if adapter else text for text in texts(value))
            case ast.FunctionDef() if decides:
                yield from returned(node)


def named() -> set[str]:
    """Every rule named anywhere in the code."""
    found: set[str] = set()
    for package in ("journey", "store", "activities", "workflows"):
        for file in (ROOT / package).rglob("*.py"):
            source = file.read_text()
            found |= set(re.findall(r"rule = '(\w+)'", source))
            tree, adapter = ast.parse(source), "messaging" in file.parts
            named_here = rules(tree, decides=file.name in DECIDERS, adapter=adapter)
            found |= {rule for rule in named_here if SHAPE.fullmatch(rule)}
    # The implied ones are pairs in a list; the docstring of `permits` is the list of them all.
    found |= set(re.findall(r"`([a-z_]+)`", (consent.permits.__doc__ or "").partition("Returns:")[2]))
    return found


RULES = named()
FAMILIES = {
    "ended_by_*": [f"ended_by_{ending}" for ending in Ending],
    "suppressed_*": ["suppressed_bounced", "suppressed_complained", "suppressed_opted_out"],
    "channel_*": ["channel_cap_per_day", "channel_cap_per_week"],
    "expired_*": ["expired_quiet_hours", "expired_cap_per_week", "expired_channel_cap_per_day"],
    "provider_*": ["provider_smtp_sender_550", "provider_http_503"],
}


def test_the_rules_are_found_where_they_are_written() -> None:
    """The search sees the itinerary, the contact rules, consent, the ledger, `deliver`, an adapter and SQL."""
    known = {"ended_by_*", "quiet_hours", "implied_purchase", "order_unknown_or_erased", "template_error"}
    assert known | {"provider_smtp_dropped_in_data", "journey_ended", "condition", "suppressed_*"} <= RULES


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_has_a_sentence(rule: str) -> None:
    """Whatever a message was held, refused or doubted by can be said to a person; codes go into their vendor's."""
    for one in FAMILIES.get(rule, [rule.replace("*", "550")]):
        said = sentence(one)
        assert said, f"starters/reasons.py has no sentence for {one!r}"
        assert "{" not in said
        assert not said.endswith(".")


def test_no_sentence_has_lost_its_rule() -> None:
    """A rule that nobody writes any more leaves the table too; codes of vendors stand for themselves."""
    patterns = [re.compile(re.escape(rule).replace(r"\*", ".+")) for rule in RULES - {"provider_*"}]
    assert [rule for rule in table() if not any(pattern.fullmatch(rule) for pattern in patterns)] == []


def test_words_for_what_is_made_of_two_rules_and_for_what_is_not_known() -> None:
    """A hold that took too long says the hold, a code its vendor, a newer version's rule its name."""
    assert in_words("expired_quiet_hours").endswith(in_words("quiet_hours"))
    assert in_words("provider_smtp_550") == "the mail server answered with 550"
    assert in_words("provider_smtp_sender_553") == "the mail server does not take mail from this sender (553)"
    assert in_words("moon_too_full") == "by the rule moon_too_full"
    assert sentence("expired_moon_too_full") is None
