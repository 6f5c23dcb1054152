"""What a shop's own files can do: read plain data, and not much of anything."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from markupsafe import Markup

from activities.messaging.mjml import FAULTS, fill, stage_one, stage_two
from activities.messaging.samples import samples
from activities.messaging.templates import TemplateError, Templates
from journey.conditions import SAMPLE, ConditionError, check_condition, holds
from journey.playbook import Channel, PlaybookError, load_playbook
from journey.sandbox import MESSAGE, READABLE, NotPlainError, counted, plain

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
BRAND = Templates.load(PLAYBOOKS).brand
ENTERING = {str, int, float, bool, type(None), Decimal, date, datetime, list, dict}
PICKLE = "cos\\nsystem\\n(S'true'\\ntR."
WAYS_OUT = [
    f"brand.parse_raw('{PICKLE}', content_type='application/pickle', allow_pickle=true)",
    "brand.model_dump()",
    "brand.copy()",
    "brand['model_dump']()",
    "(brand|attr('model_dump'))()",
    "[brand]|map(attribute='model_dump')|first",
    "[brand]|map(attribute='__class__')|join",
    "brand|xmlattr",
    "''.__class__.__mro__",
    "''['__class__']",
    "'{0.__class__}'.format(brand)",
    "'{0.__class__}'.format_map({})",
    "('%s'|format)(1).__init__",
    "self._TemplateReference__context",
    "self.__init__.__globals__",
    "namespace(a=1).__init__",
    "namespace.__init__",
    "cycler.__init__.__globals__",
    "joiner.__init__.__globals__",
    "lipsum.__globals__",
    "range.__self__",
    "dict.mro()",
    "dict(a=1).update(b=2)",
    "[].append(1)",
    "brand|pprint",
    "missing._undefined_exception",
    "(1).__class__",
    "(1).to_bytes(100)",
    "brand.name.encode().fromhex('')",
    "brand.name.translate({})",
    "brand.name.__html__",
]
TOO_MUCH = [
    "{{ 'a' * 10**10 }}",
    "{{ [[1]] * 10**9 }}",
    "{{ 10**(10**7) }}",
    "{{ (9**999)**999 }}",
    "{{ 10.0**(10**7) }}",
    "{{ range(10**9)|list }}",
    "{{ '%1000000000d'|format(1) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%*d' % (1000000000, 1) }}",
    "{{ '%.1000000000f' % 1 }}",
    "{{ 'x'|center(10**10) }}",
    "{{ 'x'|center(10000000000) }}",
    "{{ 'x'|indent(10**10, true) }}",
    "{{ [1]|batch(10**10, 'x')|list }}",
    "{{ [1]|slice(10**10)|list }}",
    "{{ 1|round(10**8) }}",
    "{{ {'a': 1}|tojson(indent=10**9) }}",
    "{{ ('a,' * 9999).replace(',', 'b' * 9999) }}",
    "{{ ('a,' * 9999)|replace(',', 'b' * 9999) }}",
    "{{ ('a' * 9999).join(['b'] * 9999) }}",
    "{{ (['b'] * 9999)|join('a' * 9999) }}",
    "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}",
    "{% for a in range(9999) %}{% for b in range(9999) if false %}{% endfor %}{% endfor %}",
    "{% for a in range(9999) %}{{ 'a' * 9999 }}{% endfor %}",
    "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(99) }}",
    "{% block b %}{{ self.b() }}{{ self.b() }}{% endblock %}",
    "{% set n = namespace(a='a') %}{% for i in range(99) %}{% set n.a = n.a ~ n.a %}{% endfor %}",
    "{% set n = namespace(a='a') %}{% for i in range(99) %}{% set n.a = n.a + n.a %}{% endfor %}",
    "{% set n = namespace(a=[1]) %}{% for i in range(99) %}{% set n.a = [n.a, n.a] %}{% endfor %}{{ n.a }}",
    "{% set n = namespace(a=1) %}{% for i in range(99) %}{% set n.a = {'a': n.a, 'b': n.a} %}{% endfor %}{{ n.a }}",
    "{% set n = namespace(a=1) %}{% for i in range(99) %}{% set n.a = dict(a=n.a, b=n.a) %}{% endfor %}{{ n.a }}",
    "{% set n = namespace(a=[1]) %}{% for i in range(99) %}{% set n.a = [n.a, n.a]|sum(start=[]) %}{% endfor %}",
    "{% set n = namespace(a=1) %}{% for i in range(99) %}{% set n.a = namespace(a=n.a, b=n.a) %}{% endfor %}{{ n.a }}",
    "{% set n = namespace(a=1) %}{% for i in range(99) %}{% set n.a = [0, 0]|map('d', n.a, true)|list %}{% endfor %}",
    "{{ " + "(" * 400 + "1" + ")" * 400 + " }}",
    "{{ " + "not " * 4000 + "1 }}",
]


class Channelled(StrEnum):
    ONE = "one"


class Pair(NamedTuple):
    left: Markup
    right: Channelled


@dataclass
class Living:
    word: str = "s"


def run(source: str, **given: Any) -> str:
    env = stage_two("text", "en")
    return fill(env.from_string(source), {**env.globals, **given})


def types(value: object) -> Iterator[type]:
    yield type(value)
    if isinstance(value, dict):
        for key, one in value.items():
            yield from types(key)
            yield from types(one)
    elif isinstance(value, list):
        for one in value:
            yield from types(one)


def overlay(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return folder


def with_words(folder: Path, words: str) -> Path:
    copy = yaml.safe_load((PLAYBOOKS / "copy/en.yaml").read_text(encoding="utf-8"))
    copy["care"] |= {"subject": words, "short": words}
    return overlay(folder, "copy/en.yaml", yaml.safe_dump(copy))


@pytest.mark.parametrize("purpose", ["transactional", "marketing"])
@pytest.mark.parametrize("about", ["order", "parcel", "remedy"])
def test_only_plain_data_reaches_a_template(purpose: str, about: str) -> None:
    """Whatever a context is made of, a template is given texts, numbers, moments, lists and dicts of exactly these."""
    for _, context in samples(purpose, about):
        assert set(types(plain({**context, "brand": BRAND}))) <= ENTERING
    assert plain(Pair(Markup("<b>"), Channelled.ONE)) == {"left": "<b>", "right": "one"}
    assert set(types(plain(Pair(Markup("<b>"), Channelled.ONE)))) == {dict, str}


def test_a_living_object_is_refused_by_its_type() -> None:
    """What is no plain data never enters, and the refusal does not repeat it."""
    with pytest.raises(NotPlainError, match="Living") as caught:
        plain({"order": [Living("hush")]})
    assert "hush" not in str(caught.value)
    context = next(iter(samples("transactional", "order")))[1]
    templates = Templates.load(PLAYBOOKS)
    for root in ("customer", "parcel", "extra"):
        with pytest.raises(TemplateError, match="Living"):
            templates.render("order_confirmation", {**context, root: {"one": Living()}}, locale="en")


@pytest.mark.parametrize("expression", WAYS_OUT)
@pytest.mark.parametrize("given", [plain(BRAND), BRAND], ids=["plain", "living"])
def test_no_expression_leads_out(expression: str, given: object) -> None:
    """Neither stage reads or calls what is not listed, even where somebody hands it a living object."""
    with pytest.raises(FAULTS):
        run(f"{{{{ {expression} }}}}", brand=given)
    env = stage_one([PLAYBOOKS])
    with pytest.raises(FAULTS), counted(MESSAGE):
        env.from_string(f"[[ {expression} ]]").render(brand=given)


@pytest.mark.parametrize(
    "source",
    [
        "{% macro f() %}{% endmacro %}{{ f._func }}",
        "{% macro f() %}{% endmacro %}{{ f.__call__ }}",
        "{% macro f() %}{{ caller.__globals__ }}{% endmacro %}{% call f() %}{% endcall %}",
        "{% block b %}{{ super._context }}{% endblock %}",
        "{% block b %}{{ self.b._stack }}{% endblock %}",
        "{% for one in [1] %}{{ loop._iterator }}{% endfor %}",
        "{% for one in [1] %}{{ loop.__init__ }}{% endfor %}",
        "{% for one in [1] recursive %}{% endfor %}",
        "{% for one in (1)|attr('real') %}{% endfor %}",
        "{{ [1]|map('#spend', -10**9)|list }}",
        "{{ [[1]]|map('#take', -10**9)|list }}",
        "{{ [1]|map('#spend', 0.0)|list }}",
        "{{ [1]|map('#weigh')|list }}",
        "{% import '/etc/passwd' as p %}",
        "{% include '/etc/passwd' %}",
    ],
)
def test_no_part_of_the_engine_can_be_read(source: str) -> None:
    """Macros, callers, blocks, loops and files are used, and never looked into."""
    with pytest.raises(FAULTS):
        run(source)


@pytest.mark.parametrize("kind", sorted(READABLE, key=str), ids=str)
def test_nothing_listed_is_private_or_changes_what_it_is_read_from(kind: type) -> None:
    """No list names what begins with an underscore, changes a list or a dict, or formats."""
    changing = {"append", "clear", "extend", "insert", "pop", "remove", "sort", "update", "setdefault", "popitem"}
    assert not {name for name in READABLE[kind] if name.startswith("_") or "format" in name.replace("isoformat", "")}
    assert not READABLE[kind] & changing


@pytest.mark.parametrize("source", TOO_MUCH, ids=lambda source: source[:40])
def test_what_grows_is_stopped(source: str) -> None:
    """Loops in loops, powers, widths and texts that double end as an error, counted the same on every machine."""
    with pytest.raises(FAULTS):
        run(source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{% for one in lines %}{{ loop.index }}{{ one.title }}{{ '' if loop.last else ', ' }}{% endfor %}", "1A, 2B"),
        ("{{ lines|map(attribute='title')|sort|join('-') }}", "A-B"),
        ("{{ lines|selectattr('sku', 'equalto', 'b')|list|length }}", "1"),
        ("{{ lines|sum(attribute='n') }}", "5"),
        ("{% set n = namespace(a=1) %}{% for one in lines %}{% set n.a = n.a * one.n %}{% endfor %}{{ n.a }}", "6"),
        ("{% macro f(x) %}<{{ x }}{{ caller() }}>{% endmacro %}{% call f(1) %}in{% endcall %}", "<1in>"),
        ("{% for k, v in lines[0].items() if k == 'sku' %}{{ k }}={{ v }}{% endfor %}", "sku=a"),
        ("{{ '%.2f' % 1.005 }} {{ '%s!'|format('x') }} {{ 2**10 }} {{ 7 % 4 }} {{ 'ab' * 2 }}", "1.00 x! 1024 3 abab"),
        ("{{ lines[0].title.lower() }}{{ 'a b'.split()|last }}{{ 'x'|center(3) }}", "ab x "),
        ("{{ lines|batch(1)|list|length }}", "2"),
        ("{{ lines[0]['title'] ~ lines[1].title }}{{ [1, 2, 3][1:]|length }}", "AB2"),
        ("{% block b %}b{% endblock %}{{ self.b() }}{{ range(3)|list }}", "bb[0, 1, 2]"),
    ],
)  # fmt: skip
def test_ordinary_templates_work_as_ever(source: str, expected: str) -> None:
    """What templates are written with does what Jinja's manual says."""
    assert run(source, lines=[{"sku": "a", "title": "A", "n": 2}, {"sku": "b", "title": "B", "n": 3}]) == expected


def test_an_overlay_that_does_too_much_is_refused_by_name_and_line(tmp_path: Path) -> None:
    """A template of the shop's that never ends is named with its line when it is compiled."""
    loops = "[% for a in range(9999) %][% for b in range(9999) %]x[% endfor %][% endfor %]"
    endless = f"[% set purpose = 'marketing' %]\n\n{loops}"
    with pytest.raises(TemplateError, match=r"care\.mjml, line 3: it does more"):
        Templates.load(PLAYBOOKS, overlay=overlay(tmp_path, "templates/care.mjml", endless))


def test_an_overlay_cannot_call_what_the_brand_is_made_of(tmp_path: Path) -> None:
    """The brand that a template reads is data: nothing of its class can be called, and no file is written."""
    proof = tmp_path / "proof"
    raw = f"cos\\nsystem\\n(S'touch {proof}'\\ntR."
    call = f"brand.parse_raw(\"{raw}\", content_type='application/pickle', allow_pickle=true)"
    folder = overlay(tmp_path, "templates/care.mjml", f"[% set purpose = 'marketing' %]\n[[ {call} ]]")
    with pytest.raises(TemplateError, match=r"care\.mjml, line 2: .*parse_raw"):
        Templates.load(PLAYBOOKS, overlay=folder).render(
            "care", next(iter(samples("marketing", "order")))[1], locale="en"
        )
    assert not proof.exists()


@pytest.mark.parametrize("nested", ["<mj-section>{}</mj-section>", "<mj-raw><b>{}</b></mj-raw>"])
def test_a_template_that_nests_without_end_is_refused(tmp_path: Path, nested: str) -> None:
    """Tags in tags, some ten thousand deep, are an error of that file and no end of the process."""
    opened, closed = nested.split("{}")
    deep = f"[% set purpose = 'marketing' %]\n<mjml><mj-body>{opened * 10_000}{closed * 10_000}</mj-body></mjml>"
    with pytest.raises(TemplateError, match=r"care\.mjml comes to more than"):
        Templates.load(PLAYBOOKS, overlay=overlay(tmp_path, "templates/care.mjml", deep))


@pytest.mark.parametrize(
    "text", ["[" * 40_000, "- " * 40_000, "a: &a [x]\n" + "b: [*a, *a]"], ids=["flow", "block", "not"]
)
def test_a_playbook_that_nests_without_end_is_refused(text: str) -> None:
    """It is named as what is wrong with the playbook."""
    with pytest.raises(PlaybookError, match="nested more than" if "x" not in text else "phases"):
        load_playbook(text)


def test_copy_that_does_too_much_is_refused_when_it_is_filled_in(tmp_path: Path) -> None:
    """An expression of the copy that grows is a TemplateError of its template, on every channel."""
    templates = Templates.load(PLAYBOOKS, overlay=with_words(tmp_path, "{{ order.number * 10**10 }}"))
    context = next(iter(samples("marketing", "order")))[1]
    with pytest.raises(TemplateError, match=r"'care' .*line 1.*more than"):
        templates.render("care", context, locale="en")
    with pytest.raises(TemplateError, match=r"'care'"):
        templates.render_short("care", Channel.INBOX, context, "en")


def test_a_file_that_repeats_itself_is_refused(tmp_path: Path) -> None:
    """Aliases of aliases, one endless text, and lists in lists are refused when the file is read."""
    laughs = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    for text in (laughs, "a: '" + "{{" * 20_000 + "'", "a: " + "[" * 40_000, "- " * 40_000):
        with pytest.raises(TemplateError, match=r"en\.yaml (has|is nested)"):
            Templates.load(PLAYBOOKS, overlay=overlay(tmp_path, "copy/en.yaml", text))


@pytest.mark.parametrize(
    "condition",
    [
        *("'a' * 10**10 == 'b'", "10**(10**7) > 1", "order.total ** 9999999 > 1", "(9**999)**999 > 1"),
        *("'x'|center(10**10) == ''", "order.skus * 10**9", "'%1000000000d' % 1", "'%1000000000d'|format(1)"),
        *("[1]|batch(10**9, 1)|list", "order.categories|join('a' * 999999)", "order.skus|random == 'a'"),
        *("(" * 400 + "1" + ")" * 400, "not " * 3000 + "1", "1" + "+1" * 3000),
    ],
    ids=lambda condition: condition[:30],
)
def test_a_condition_that_grows_is_refused(condition: str) -> None:
    """In a playbook it is refused when it is read; in a journey that follows one it holds for nobody."""
    with pytest.raises(ConditionError):
        check_condition(condition)


def test_a_condition_costs_the_same_every_time() -> None:
    """Its work is counted and not timed: what fails for an order with many lines fails in every replay."""
    condition = "order.skus|join('-')|length > 3"
    many = SAMPLE._replace(order=SAMPLE.order._replace(skus=("a-rather-long-number",) * 60_000))
    assert holds(condition, SAMPLE._replace(order=SAMPLE.order._replace(skus=("a", "b", "c"))))
    for _ in range(2):
        with pytest.raises(ConditionError):
            holds(condition, many)
