"""The short forms of a touch: SMS, WhatsApp, notification and inbox, from the same copy as its mail.

A short text is one plain line. It has no markup, and of the addresses in it only the shop's own are left: whatever
else looks like one (a product's title may) would be made a link by the phone.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jinja2

from activities.messaging.files import TemplateError
from activities.messaging.mjml import fill as filled
from activities.messaging.mjml import one_line, stage_two
from activities.messaging.text.segments import Encoding, count, plain
from journey.playbook import Channel
from journey.sandbox import MESSAGE, counted

TITLE: Final = 40
BODY: Final = 120
"""What phones show of a notification without cutting it, in characters."""
SEGMENTS: Final = {"transactional": 2, "marketing": 3}
"""How many SMS a text may come to on the sample orders."""
PUSHED: Final = frozenset({Channel.PUSH, Channel.WEB_PUSH})
_PARAMETER: Final = 1024
_LONGEST: Final = 1000
_TOKEN = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_MARKUP = re.compile(r"\*\*|\]\(|</?[a-zA-Z!]")
_LINK = re.compile(r"\{\{\s*((?:brand\.)?links\.\w+|brand\.shop_url|remedy\.link|[\w.\[\]]+\.url)\s*\}\}")
_ADDRESS = re.compile(r"(?i)(?:\b[a-z][a-z0-9+.-]*://|\bwww\.|\b(?:mailto|javascript|data|tel|sms):(?=\S))\S*")
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Short:
    """One finished short text.

    `title` is empty for SMS and WhatsApp. For WhatsApp `template`, `language` and `parameters` are what Meta approved
    and fills in; `body` says the same in full.
    """

    body: str
    title: str = ""
    template: str = ""
    language: str = ""
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Form:
    body: jinja2.Template
    title: jinja2.Template
    push: jinja2.Template
    template: str
    parameters: tuple[jinja2.Template, ...]


@dataclass(frozen=True, slots=True)
class ShortForms:
    """The short forms of one touch in one language; `by` picks among the cases where its copy has them."""

    by: Callable[..., Any] | None
    forms: Mapping[str, _Form]
    sender: jinja2.Template
    stop: jinja2.Template
    language: str
    own: frozenset[str]
    source: str
    """All of them as Jinja, for the check of names."""

    @property
    def has_whatsapp(self) -> bool:
        """Whether every case names a template of WhatsApp's."""
        return all(form.template for form in self.forms.values())

    def render(self, channel: Channel, given: dict[str, Any], *, whole: bool = False) -> Short:
        """Fill in the form of a channel.

        Args:
            channel: any but email.
            given: the context, brand included.
            whole: leave a notification as long as it is, for the check of its length.

        Raises:
            ValueError: there is no short form for this channel, or a link is none that may be sent.
            jinja2.TemplateError: a variable is missing.
        """
        form = self.forms["other"]
        if self.by is not None:
            with counted(MESSAGE):
                form = self.forms.get(str(self.by(**given)), form)
        links = self.own.union(*(_addresses(given.get(name)) for name in ("links", "brand", "remedy")))

        def fill(template: jinja2.Template, most: int = _LONGEST) -> str:
            text = _BLANKS.sub(" ", _ADDRESS.sub(lambda at: _ours(at[0], links), filled(template, given))).strip()
            return text if whole or len(text) <= most else text[: most - 1].rstrip() + "…"

        marketing = given["touch"]["purpose"] == "marketing"
        if channel in PUSHED:
            return Short(fill(form.push, BODY), fill(form.title, TITLE))
        body = fill(form.body)
        if channel is Channel.INBOX:
            return Short(body, fill(form.title, TITLE))
        if marketing:
            body = f"{body} {fill(self.stop)}"
        if channel is Channel.SMS:
            return Short(_affordable(f"{fill(self.sender)} {body}"))
        if channel is Channel.WHATSAPP and form.template:
            parameters = tuple(fill(one, _PARAMETER) for one in form.parameters)
            return Short(body, template=form.template, language=self.language, parameters=parameters)
        raise ValueError(f"there is no {channel.value} form; give the copy one")


def short_forms(entry: Mapping[str, Any], common: Mapping[str, Any], *, language: str, where: str) -> ShortForms:
    """Compile the short forms of a touch's copy.

    Args:
        entry: the touch's copy; `short` is needed, `push` falls back to subject and short, `whatsapp` may be missing.
        common: has sender, stop and whatsapp, the code of the language there.
        language: of the copy.
        where: how an error names the place.

    Raises:
        TemplateError: a text is missing, has markup or would not compile.
    """
    env = stage_two("text", language)
    cases = entry.get("cases")
    by = None
    sources = {"other": entry}
    if isinstance(cases, Mapping):
        by = env.compile_expression(str(cases["by"]), undefined_to_none=False)
        sources = {case: one for case, one in cases.items() if case != "by"}
    written = [one.get(key) for one in sources.values() for key in ("short", "push", "whatsapp")]
    literal = {at for one in _texts([sources, common]) for at in _ADDRESS.findall(_TOKEN.sub(" ", one))}
    return ShortForms(
        by,
        {case: _form(env, one, f"{where}{f', case {case}' if by else ''}") for case, one in sources.items()},
        _compiled(env, common, "sender", f"{where}, common"),
        _compiled(env, common, "stop", f"{where}, common"),
        str(common.get("whatsapp", language)),
        frozenset(literal),
        "\n".join(_texts(written)),
    )


def _form(env: jinja2.Environment, entry: Mapping[str, Any], where: str) -> _Form:
    push = entry.get("push", {})
    whatsapp = entry.get("whatsapp", {})
    if not isinstance(push, Mapping) or not isinstance(whatsapp, Mapping):
        raise TemplateError(f"{where}: 'push' needs title and body, 'whatsapp' template and parameters")
    parameters = whatsapp.get("parameters", [])
    return _Form(
        _compiled(env, entry, "short", where),
        _compiled(env, {"title": entry.get("subject"), **push}, "title", where),
        _compiled(env, {"body": entry.get("short"), **push}, "body", where),
        str(whatsapp.get("template", "")),
        tuple(_compiled(env, {"parameters": one}, "parameters", where) for one in parameters),
    )


def _compiled(env: jinja2.Environment, entry: Mapping[str, Any], key: str, where: str) -> jinja2.Template:
    source = entry.get(key)
    if not isinstance(source, str) or not source.strip():
        raise TemplateError(f"{where}: '{key}' is missing; every touch needs a short form")
    if _MARKUP.search(_TOKEN.sub("", source)):
        raise TemplateError(f"{where}: '{key}' has markup; a short text is plain")
    return env.from_string(_LINK.sub(r"{{ (\1)|href }}", source))


def _texts(copy: object) -> list[str]:
    if isinstance(copy, Mapping):
        return [text for part in copy.values() for text in _texts(part)]
    if isinstance(copy, list):
        return [text for part in copy for text in _texts(part)]
    return [copy] if isinstance(copy, str) else []


def _addresses(given: object) -> frozenset[str]:
    """The links among a mapping's values: those of the context, or the brand's."""
    return frozenset(text for text in _texts(given) if "://" in text or text.startswith("mailto:"))


def _ours(address: str, links: frozenset[str]) -> str:
    """An address of a text, if it is one of ours; the full stop behind it is none of it."""
    return address if address in links or address.rstrip(".,;:!?)") in links else ""


def _affordable(body: str) -> str:
    """An SMS in the cheap alphabet where the copy can be written in it: é stays, ê becomes e.

    Letters outside of GSM 7-bit more than halve what fits into a message. A text that has others all the same (a name
    in Greek or Chinese) is left as written.
    """
    body = plain(str(one_line(body)))
    if count(body).encoding is Encoding.GSM:
        return body
    folded = "".join(one if count(one).encoding is Encoding.GSM else _base(one) for one in _marks(body))
    return folded if count(folded).encoding is Encoding.GSM else body


def _marks(body: str) -> str:
    """Typographic quotes, dashes and blanks as GSM has them, one by one, even where letters need another alphabet."""
    return "".join(plain(one) for one in body)


def _base(letter: str) -> str:
    return {"œ": "oe", "Œ": "OE"}.get(letter, unicodedata.normalize("NFKD", letter)[:1])
