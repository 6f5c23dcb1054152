"""Stage one of a mail: copy and partials become MJML, MJML becomes HTML, once, when a playbook is loaded.

Two sets of delimiters keep the stages apart. `[[ ]]` and `[% %]` are resolved here, by the shop's own files;
`{{ }}` and `{% %}` stay for the moment of sending. In HTML a block is written as a comment, `<!--% if x %-->`,
because an HTML parser moves stray text out of tables but leaves a comment where it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any, Literal

import jinja2
import mrml

from activities.messaging.brand import Brand, safe_link
from activities.messaging.files import TemplateError
from activities.messaging.language import plural_rule
from journey.sandbox import MESSAGE, Sandbox, counted, line_of, paid, plain

Medium = Literal["html", "text"]
_TOKEN = re.compile(r"(\{\{.*?\}\}|\{%.*?%\})", re.DOTALL)
_BOLD = re.compile(r"\*\*(.+?)\*\*")
_ANCHOR = re.compile(r"\[([^\]\[]+)\]\((\{\{\s*(.+?)\s*\}\}|[^)\s]+)\)")
_BLOCK = re.compile(r"<!--%.*?%-->", re.DOTALL)
_VALUE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_TARGET = re.compile(r"\s(?:href|src|action|background)=\"([^\"]*)\"")
_GUARDED = re.compile(r"\{\{[^{}]*\|\s*href\s*\}\}")
_MOST_PARTS = 900
_MOST_TAGS = 7000
# Control characters, line and paragraph separators, and the marks that turn the direction of a line.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")


FAULTS = (
    *(jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError),
    *(RecursionError, MemoryError, SyntaxError),
)
"""What a template may fail with, whatever is written in it."""

# No web fonts: by default a font family of a known name would be fetched from its maker when a mail is opened.
_OPTIONS = mrml.RenderOptions(fonts={})


@dataclass(frozen=True, slots=True)
class Sources:
    """What stage one hands to stage two: Jinja sources, one a part, and what the template says of itself."""

    html: str
    text: str
    purpose: str
    about: str


def one_line(value: object) -> object:
    """Make a value safe to print on one line: every run of control characters becomes a blank.

    Used as Jinja's `finalize`, so no customer's string can add a line, a header or a hidden character.
    Mark-up that is already safe and values that are no strings pass unchanged.
    """
    # Asked first because it is quick: nearly every string is printable, and no mark of _UNPRINTABLE is.
    if isinstance(value, str) and not value.isprintable() and _UNPRINTABLE.search(value):
        return type(value)(_UNPRINTABLE.sub(" ", value))
    return value


def fill(template: jinja2.Template, given: dict[str, Any]) -> str:
    """Render a template of stage two, its work counted.

    `given` is plain data and is not copied for every part of a mail; it must hold what `GLOBALS` has.

    Raises:
        TooMuchError: it does more than a message needs.
        jinja2.TemplateError: as Jinja does.
    """
    with counted(MESSAGE):
        return "".join(template.root_render_func(template.new_context(given, shared=True)))


@lru_cache(maxsize=64)
def stage_two(medium: Medium, language: str) -> jinja2.Environment:
    """Return the sandbox that runs once per message; the HTML one escapes, the text one does not."""
    html = medium == "html"
    env = Sandbox(
        undefined=jinja2.StrictUndefined,
        autoescape=html,
        finalize=one_line,
        trim_blocks=True,
        lstrip_blocks=True,
        block_start_string="<!--%" if html else "{%",
        block_end_string="%-->" if html else "%}",
        comment_start_string="<!--#" if html else "{#",
        comment_end_string="#-->" if html else "#}",
    )
    env.filters["href"] = paid(safe_link)
    env.filters["plural"] = paid(plural_rule(language))
    env.filters["upfirst"] = paid(_upfirst)
    return env


def _upfirst(text: str) -> str:
    return text[:1].upper() + text[1:]


GLOBALS: Mapping[str, Any] = Sandbox().globals
"""What every template has beside its context."""


def stage_one(folders: list[Path]) -> jinja2.Environment:
    """Return the environment that puts copy, layout and partials together; earlier folders win."""
    return Sandbox(
        loader=jinja2.FileSystemLoader([folder / "templates" for folder in folders]),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # MJML of our own files; stage two escapes what customers wrote
        trim_blocks=True,
        lstrip_blocks=True,
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[[",
        variable_end_string="]]",
        comment_start_string="[#",
        comment_end_string="#]",
    )


def prose(copy: object, medium: Medium) -> object:
    """Turn the copy's plain strings into what a medium wants; lists and mappings are walked.

    `**bold**` and `[label](url)` are all the markup copy has. A mapping's `when` and `by` are expressions and
    stay as they are.
    """
    if isinstance(copy, str):
        return _html(copy) if medium == "html" else _text(copy)
    if isinstance(copy, Mapping):
        return {k: v if k in ("when", "by") else prose(v, medium) for k, v in copy.items()}
    if isinstance(copy, list):
        return [prose(part, medium) for part in copy]
    return copy


def _anchor(label: str, target: str) -> str:
    return f'<a class="a" href="{target}">{label}</a>'


def _html(copy: str) -> str:
    def link(found: re.Match[str]) -> str:
        return _anchor(found[1], f"{{{{ ({found[3]})|href }}}}" if found[3] else found[2])

    parts = _TOKEN.split(copy)
    plain = "".join(part if i % 2 else escape(part, quote=False) for i, part in enumerate(parts))
    marked = _BOLD.sub(r'<strong class="b">\1</strong>', _ANCHOR.sub(link, plain))
    return marked.replace("{%", "<!--%").replace("%}", "%-->")


def _text(copy: str) -> str:
    def link(found: re.Match[str]) -> str:
        return f"{found[1]} ({{{{ ({found[3]})|href }}}})" if found[3] else f"{found[1]} ({found[2]})"

    return _BOLD.sub(r"\1", _ANCHOR.sub(link, copy))


def assemble(
    env: jinja2.Environment, name: str, lang: str, *, brand: Brand, copy: Mapping[str, object], common: object
) -> Sources:
    """Build one template in one language: expand it for both media and compile the HTML.

    Args:
        env: from `stage_one`.
        name: the template's name, `<name>.mjml` in the templates folder.
        lang: BCP 47 tag of the copy.
        brand: the shop, for its colours and for whether there is a logo.
        copy: this template's entry in the copy file.
        common: the `common` entry of the same file.

    Returns:
        The sources of stage two.

    Raises:
        TemplateError: naming the template and file, for Jinja mistakes, broken MJML or an unguarded link.
    """
    file, where = f"{name}.mjml", f"template '{name}' ({lang})"
    parts: dict[Medium, str] = {}
    purpose = about = ""
    for medium in ("html", "text"):
        given = {
            "medium": medium,
            "lang": lang,
            "brand": plain(brand),
            "c": plain(prose(copy, medium)),
            "common": plain(prose(common, medium)),
            "layout": f"layout/{medium}.mjml",
            "kit": f"kit/{medium}.mjml",
        }
        try:
            with counted(MESSAGE):
                module = env.get_template(file).make_module(given)
        except FAULTS as e:
            raise TemplateError(f"{where}: {_place(e, file)}: {e}; mend that file or the copy it asks for") from e
        parts[medium] = str(module)
        purpose, about = str(getattr(module, "purpose", "")), str(getattr(module, "about", "order"))
    if purpose not in ("transactional", "marketing", "either"):
        raise TemplateError(
            f"{where}: {file}: purpose is '{purpose}'; set it to 'transactional', 'marketing' or 'either' at the top"
        )
    return Sources(_to_html(parts["html"], where, file), parts["text"], purpose, about)


def _place(error: BaseException, file: str) -> str:
    if isinstance(error, jinja2.TemplateSyntaxError):
        return f"{error.name or file}, line {error.lineno}"
    line = line_of(error)
    return file if line is None else f"{file}, line {line}"


def _check_tags(mjml: str, where: str, file: str) -> None:
    """Refuse more tags than mrml can hold within each other: it does not look, and would take the process with it."""
    for tags, most in (("<mj-", _MOST_PARTS), ("<", _MOST_TAGS)):
        if mjml.lower().count(tags) > most:
            raise TemplateError(f"{where}: {file} comes to more than {most} tags that begin with '{tags}'; shorten it")


def _to_html(mjml: str, where: str, file: str) -> str:
    _check_tags(mjml, where, file)
    try:
        out = mrml.to_html(mjml, render_options=_OPTIONS)
    except Exception as e:  # mrml raises no class of its own that could be named here
        raise TemplateError(f"{where}: {file} is no valid MJML: {e}; look for an unclosed tag or a bare '&'") from e
    if out.warnings:
        raise TemplateError(f"{where}: {file}: MJML warns: {'; '.join(str(w) for w in out.warnings)}; use known tags")
    html = str(out.content)
    if _BLOCK.findall(mjml) != _BLOCK.findall(html):
        raise TemplateError(f"{where}: {file}: a block was moved or lost by MJML; put it around whole elements")
    if set(_VALUE.findall(mjml)) != set(_VALUE.findall(html)):
        raise TemplateError(
            f"{where}: {file}: a value was altered by MJML; avoid < > & and double quotes inside {{{{ }}}}"
        )
    for target in _TARGET.findall(html):
        if "{{" in target:
            if not _GUARDED.fullmatch(target):
                raise TemplateError(f'{where}: {file}: a link is not checked; write href="{{{{ … |href }}}}"')
        else:
            try:
                safe_link(target)
            except ValueError as e:
                raise TemplateError(f"{where}: {file}: {e}") from e
    return html
