"""The mails customers get, ready to render: loaded and compiled once, then filled in per message.

    templates = Templates.load(Path("playbooks"))
    mail = templates.render("shipped", context, locale="de-DE")

`samples.py` shows the context a template may use. Every string in it is treated as written by a stranger.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activities.messaging import proof
from activities.messaging.brand import Brand, ProductNotes
from activities.messaging.compiled import Compiled, Language, load_languages
from activities.messaging.files import TemplateError
from activities.messaging.language import DEFAULT_LANGUAGE, chain
from activities.messaging.mjml import FAULTS, GLOBALS, fill
from activities.messaging.samples import samples
from activities.messaging.short import Short
from journey.playbook import Channel
from journey.sandbox import line_of, plain

__all__ = ["Rendered", "Short", "TemplateError", "Templates"]

_SUBJECT_LIMIT = 160
# A name field is a favourite place to smuggle a link into somebody's mail: such a "name" is not used.
_NO_NAME = re.compile(r"[/\\:@<>{}\[\]]|\w\.\w\w")
_NAME_LIMIT = 40
_NO_BRAND: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Rendered:
    """One finished mail. `subject` and `preview` are single lines; `html` and `text` say the same."""

    subject: str
    preview: str
    html: str
    text: str


class Templates:
    """Every template in every language the copy folder has."""

    def __init__(self, languages: Mapping[str, Language]) -> None:
        self._languages = languages
        self.languages = tuple(sorted(languages, key=lambda tag: (tag != DEFAULT_LANGUAGE, tag)))
        """The languages there is copy for, English first."""
        english = languages[DEFAULT_LANGUAGE]
        self.brand = english.brand
        self.names = english.names
        sources = {name: found.sources for name in self.names if (found := english.touch(name)) is not None}
        self.purposes: Mapping[str, str] = {name: one.purpose for name, one in sources.items()}
        """For each template: "transactional", "marketing", or "either" where the touch decides."""
        self.about: Mapping[str, str] = {name: one.about for name, one in sources.items()}
        """For each template: "order" or "parcel"."""

    @classmethod
    def load(cls, folder: Path, *, overlay: Path | None = None, brand: Mapping[str, Any] = _NO_BRAND) -> "Templates":
        """Read everything and compile English; another language's touch is compiled when it is first asked for.

        `check` compiles and tries all of them: run it before customers do.

        Args:
            folder: holds templates/, copy/, brand.yaml and products.yaml.
            overlay: a folder of the same shape whose files take the place of those in `folder`, so that a shop
                keeps its own brand.yaml and takes the rest as shipped.
            brand: fields laid over those of brand.yaml, in every language.

        Returns:
            The templates, ready to render.

        Raises:
            TemplateError: naming the template and file, for whatever cannot be read, is not valid or would not
                compile.
        """
        return cls(load_languages([folder] if overlay is None else [overlay, folder], brand))

    def render(self, name: str, context: Mapping[str, object], *, locale: str) -> Rendered:
        """Fill in one mail.

        Args:
            name: one of `names`.
            context: order, customer, parcel, products, links, offer, touch; see `samples.py`. Money and dates
                come formatted.
            locale: the customer's, as "de-DE" or "de_DE"; de-DE falls back to de, then to English.

        Returns:
            Subject, preview, HTML and text.

        Raises:
            TemplateError: if there is no such template, a variable is missing or a link may not be linked. The
                text never repeats a value of the context.
        """
        mail = self._find(name, locale)
        try:
            given = _given(mail, context)
            subject = _flat(fill(mail.subject, given), _SUBJECT_LIMIT)
            preview = _flat(fill(mail.preview, given), _SUBJECT_LIMIT)
            given["subject"], given["preview"] = subject, preview
            html = fill(mail.html, given)
            text = fill(mail.text, given)
        except FAULTS as e:
            raise _failed(name, locale, e) from e
        return Rendered(subject, preview, html, _tidy(text))

    def render_short(
        self, name: str, channel: Channel, context: Mapping[str, object], locale: str, *, whole: bool = False
    ) -> Short:
        """Fill in the text of a touch for SMS, WhatsApp, a notification or the inbox.

        Args:
            name: one of `names`.
            channel: any but email, which `render` is for.
            context: as for `render`.
            locale: as for `render`.
            whole: do not cut a notification to what phones show.

        Returns:
            Single lines without markup. An SMS begins with the shop's name and, in marketing, ends with how to stop;
            `activities.messaging.text.segments.count` says what it comes to.

        Raises:
            TemplateError: as `render`, or the copy has no form for this channel.
        """
        mail = self._find(name, locale)
        try:
            return mail.short.render(channel, _given(mail, context), whole=whole)
        except FAULTS as e:
            raise _failed(name, locale, e) from e

    def language(self, locale: str) -> str:
        """Say which language a locale is written in, as a lower-case tag: the nearest the copy folder has."""
        return next(tag for tag in chain(locale) if tag in self._languages)

    def notes(self, sku: str, category: str | None, kind: str | None = None, *, locale: str = "") -> ProductNotes:
        """Say what the shop knows about a product; empty notes for one nobody has written about."""
        return self._language(locale).notes(sku, category, kind)

    def brand_in(self, locale: str) -> Brand:
        """The shop as it presents itself in a customer's language."""
        return self._language(locale).brand

    def product_notes(self, lines: Iterable[Mapping[str, object]], *, locale: str = "") -> list[dict[str, Any]]:
        """Gather the context's `products` for an order: one entry a SKU, in the order of its lines.

        Args:
            lines: mappings with sku and title, and category and kind where known.
            locale: the customer's, for the language of the notes.

        Returns:
            {title, sku, category, care, setup, tips, access, guides, complements} each; a complement that is in
            the order already, or was named by an earlier product, is left out.
        """
        lines = list(lines)
        own = self._language(locale)
        seen = {str(line["sku"]) for line in lines}
        out: dict[str, dict[str, object]] = {}
        for line in lines:
            sku, category, kind = str(line["sku"]), _word(line.get("category")), _word(line.get("kind"))
            if sku in out:
                continue
            notes = own.product(sku, category, kind)
            fresh = [c for c in notes["complements"] if c["sku"] not in seen]
            seen.update(c["sku"] for c in fresh)
            out[sku] = {**notes, "title": str(line["title"]), "sku": sku, "category": category, "complements": fresh}
        return list(out.values())

    def check(self, language: str | None = None) -> list[str]:
        """List in plain words what is wrong with any template in any language on any channel.

        Keys that a language lacks, names that no context has, and every text filled in with every sample order.
        With `language`, a tag of `languages`, of that one alone.
        """
        problems: dict[str, None] = {}
        known = proof.roots()
        for tag in self.languages if language is None else [language]:
            problems.update(dict.fromkeys(self._missing(tag)))
            for name in sorted(self._languages[tag].names):
                try:
                    mail = self._languages[tag].touch(name)
                except TemplateError as e:
                    problems[f"{name} ({tag}): {e}"] = None
                    continue
                if mail is not None:
                    problems.update(dict.fromkeys(self._proof(name, tag, mail, known)))
        return list(problems)

    def _proof(self, name: str, tag: str, mail: Compiled, known: Mapping[str, frozenset[str]]) -> Iterator[str]:
        for one in proof.unknown_names(mail, tag, known):
            yield f"{name} ({tag}): template '{name}' asks for {one}, which no context has"
        for what, context in samples(mail.sources.purpose, mail.sources.about, tag):
            for fault in self._faults(name, tag, mail, context):
                yield f"{name} ({tag}; {what}): {fault}"

    def _missing(self, language: str) -> list[str]:
        """What English says and another language does not; a region's file stands on its language's."""
        english, copy = self._languages[DEFAULT_LANGUAGE].copy, self._languages[language].copy
        found = []
        for name in sorted(set(english) - {"brand", "products"}):
            if name not in copy:
                found.append(f"{name} ({language}): copy/{language}.yaml has no entry; write it, or English goes out")
            elif isinstance(english[name], Mapping) and isinstance(copy[name], Mapping):
                lacking = proof.gaps(english[name], copy[name])
                found += [f"{name} ({language}): copy/{language}.yaml lacks '{key}', which en has" for key in lacking]
        return found

    def _faults(self, name: str, language: str, mail: Compiled, context: Mapping[str, Any]) -> list[str]:
        try:
            full = self.render(name, context, locale=language)
            found = proof.mail_faults(full.subject, full.preview, full.html, full.text, context)
        except TemplateError as e:
            found = [str(e)]
        for channel in proof.SHORT_CHANNELS:
            if channel is Channel.WHATSAPP and not mail.short.has_whatsapp:
                continue
            try:
                short = self.render_short(name, channel, proof.signed(context), language, whole=True)
                faults = proof.short_faults(channel, short, str(context["touch"]["purpose"]))
                found += [f"{channel.value}: {fault}" for fault in faults]
            except TemplateError as e:
                found.append(f"{channel.value}: {e}")
        return found

    def _find(self, name: str, locale: str) -> Compiled:
        for tag in chain(locale):
            language = self._languages.get(tag)
            mail = language.touch(name) if language is not None else None
            if mail is not None:
                return mail
        raise TemplateError(f"template '{name}': there is none of that name; known are {', '.join(sorted(self.names))}")

    def _language(self, locale: str) -> Language:
        return self._languages[self.language(locale)]


def _given(mail: Compiled, context: Mapping[str, object]) -> dict[str, Any]:
    """The context of a render, as plain data: the brand in the mail's language, and a name only if it is one."""
    given: dict[str, Any] = {**GLOBALS, **{name: plain(one) for name, one in context.items()}, "brand": mail.brand}
    customer = given.get("customer")
    if isinstance(customer, Mapping):
        given["customer"] = {**customer, "first_name": _given_name(customer.get("first_name"))}
    parcel = given.get("parcel")
    if isinstance(parcel, Mapping) and not parcel.get("carrier"):
        given["parcel"] = {**parcel, "carrier": mail.carrier}
    return given


def _failed(name: str, locale: str, error: Exception) -> TemplateError:
    line = line_of(error)
    where = f"template '{name}' ({locale[:16]!r}){f', line {line} of what it is made into' if line else ''}"
    return TemplateError(f"{where}: {error}; give what samples.py shows")


def _given_name(value: object) -> str:
    name = _flat(str(value or ""), _NAME_LIMIT + 1)
    return "" if len(name) > _NAME_LIMIT or _NO_NAME.search(name) else name


def _flat(text: str, limit: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _tidy(text: str) -> str:
    """No blanks at line ends, never more than one empty line."""
    lines = "\n".join([line.rstrip(" \t") for line in text.split("\n")])
    while "\n\n\n" in lines:
        lines = lines.replace("\n\n\n", "\n\n")
    return lines.strip() + "\n"


def _word(value: object) -> str | None:
    return None if value is None else str(value)
