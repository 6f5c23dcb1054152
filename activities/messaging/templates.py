"""The mails customers get, ready to render: loaded and compiled once, then filled in per message.

    templates = Templates.load(Path("playbooks"))
    mail = templates.render("shipped", context, locale="de-DE")

`samples.py` shows the context a template may use. Every string in it is treated as written by a stranger.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2

from activities.messaging.brand import Brand, Catalogue, ProductNotes
from activities.messaging.files import TemplateError, merge, pick, read_yaml, to_model
from activities.messaging.mjml import assemble, prose, stage_one, stage_two
from activities.messaging.samples import samples

__all__ = ["Rendered", "TemplateError", "Templates"]

DEFAULT_LANGUAGE = "en"
_SUBJECT_LIMIT = 160
_BLANKS = re.compile(r"\s+")
_LINE_ENDS = re.compile(r"[ \t]+\n")
_GAPS = re.compile(r"\n{3,}")
# A name field is a favourite place to smuggle a link into somebody's mail: such a "name" is not used.
_NO_NAME = re.compile(r"[/\\:@<>{}\[\]]|\w\.\w\w")
_NAME_LIMIT = 40
_FAULTS = (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Rendered:
    """One finished mail. `subject` and `preview` are single lines; `html` and `text` say the same."""

    subject: str
    preview: str
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class _Mail:
    purpose: str
    about: str
    brand: Brand
    carrier: str
    subject: jinja2.Template
    preview: jinja2.Template
    html: jinja2.Template
    text: jinja2.Template


@dataclass(frozen=True, slots=True)
class _Language:
    brand: Brand
    catalogue: Catalogue


class Templates:
    """Every template in every language the copy folder has."""

    def __init__(self, mails: Mapping[tuple[str, str], _Mail], languages: Mapping[str, _Language]) -> None:
        self._mails = mails
        self._languages = languages
        self.brand = languages[DEFAULT_LANGUAGE].brand
        self.names = frozenset(name for name, language in mails if language == DEFAULT_LANGUAGE)
        self.purposes: Mapping[str, str] = {name: mails[name, DEFAULT_LANGUAGE].purpose for name in self.names}
        """For each template: "transactional", "marketing", or "either" where the touch decides."""

    @classmethod
    def load(cls, folder: Path, *, overlay: Path | None = None) -> "Templates":
        """Read and compile everything once.

        Args:
            folder: holds templates/, copy/, brand.yaml and products.yaml.
            overlay: a folder of the same shape whose files take the place of those in `folder`, so that a shop
                keeps its own brand.yaml and takes the rest as shipped.

        Returns:
            The templates, ready to render.

        Raises:
            TemplateError: naming the template and file, for whatever cannot be read, is not valid or would not
                compile.
        """
        folders = [folder] if overlay is None else [overlay, folder]
        env = stage_one(folders)
        brand_raw, products_raw = read_yaml(pick(folders, "brand.yaml")), read_yaml(pick(folders, "products.yaml"))
        copies: dict[str, Path] = {}
        for place in folders:
            for file in sorted((place / "copy").glob("*.yaml")):
                copies.setdefault(_tag(file.stem), file)
        if DEFAULT_LANGUAGE not in copies:
            raise TemplateError(
                f"copy/{DEFAULT_LANGUAGE}.yaml is missing in {folder}: it is what every locale falls back to"
            )
        languages: dict[str, _Language] = {}
        mails: dict[tuple[str, str], _Mail] = {}
        for tag, file in copies.items():
            copy = read_yaml(file)
            brand = to_model(Brand, merge(brand_raw, copy.pop("brand", {})), f"brand.yaml (with {file.name})")
            products = merge(products_raw, copy.pop("products", {}))
            languages[tag] = _Language(brand, to_model(Catalogue, products, f"products.yaml (with {file.name})"))
            common = copy.pop("common", {})
            for name, entry in copy.items():
                mails[name, tag] = _compile(env, name, file, brand=brand, entry=entry, common=common)
        return cls(mails, languages)

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
        given = {**context, "brand": mail.brand}
        customer = context.get("customer")
        if isinstance(customer, Mapping):
            given["customer"] = {**customer, "first_name": _given_name(customer.get("first_name"))}
        parcel = context.get("parcel")
        if isinstance(parcel, Mapping) and not parcel.get("carrier"):
            given["parcel"] = {**parcel, "carrier": mail.carrier}
        try:
            subject = _flat(mail.subject.render(given), _SUBJECT_LIMIT)
            preview = _flat(mail.preview.render(given), _SUBJECT_LIMIT)
            html = mail.html.render(given, subject=subject, preview=preview)
            text = mail.text.render(given, subject=subject, preview=preview)
        except _FAULTS as e:
            raise TemplateError(f"template '{name}' ({locale[:16]!r}): {e}; give what samples.py shows") from e
        return Rendered(subject, preview, html, _GAPS.sub("\n\n", _LINE_ENDS.sub("\n", text)).strip() + "\n")

    def language(self, locale: str) -> str:
        """Say which language a locale is written in, as a lower-case tag: the nearest the copy folder has."""
        return next(tag for tag in _chain(locale) if tag in self._languages)

    def notes(self, sku: str, category: str | None, kind: str | None = None, *, locale: str = "") -> ProductNotes:
        """Say what the shop knows about a product; empty notes for one nobody has written about."""
        return self._language(locale).catalogue.notes(sku, category, kind)

    def product_notes(self, lines: Iterable[Mapping[str, object]], *, locale: str = "") -> list[dict[str, object]]:
        """Gather the context's `products` for an order: one entry a SKU, in the order of its lines.

        Args:
            lines: mappings with sku and title, and category and kind where known.
            locale: the customer's, for the language of the notes.

        Returns:
            {title, sku, category, care, setup, tips, access, guides, complements} each; a complement that is in
            the order already, or was named by an earlier product, is left out.
        """
        lines = list(lines)
        seen = {str(line["sku"]) for line in lines}
        out: dict[str, dict[str, object]] = {}
        for line in lines:
            sku, category, kind = str(line["sku"]), _word(line.get("category")), _word(line.get("kind"))
            if sku in out:
                continue
            notes = self.notes(sku, category, kind, locale=locale)
            fresh = [c for c in notes.complements if c.sku not in seen]
            seen.update(c.sku for c in fresh)
            out[sku] = {
                "title": str(line["title"]),
                "sku": sku,
                "category": category,
                "care": list(notes.care),
                "setup": list(notes.setup),
                "tips": list(notes.tips),
                "access": list(notes.access),
                "guides": [{"title": g.title, "url": g.url} for g in notes.guides],
                "complements": [{"title": c.title, "url": c.url} for c in fresh],
            }
        return list(out.values())

    def check(self) -> list[str]:
        """Render every template in every language on the sample orders and list what is wrong, in plain words."""
        problems: dict[str, None] = {}
        for (name, language), mail in sorted(self._mails.items(), key=lambda item: item[0]):
            for what, context in samples(mail.purpose, mail.about):
                try:
                    found = _faults(self.render(name, context, locale=language), context)
                except TemplateError as e:
                    found = [str(e)]
                problems.update(dict.fromkeys(f"{name} ({language}; {what}): {fault}" for fault in found))
        return list(problems)

    def _find(self, name: str, locale: str) -> _Mail:
        for tag in _chain(locale):
            mail = self._mails.get((name, tag))
            if mail is not None:
                return mail
        raise TemplateError(f"template '{name}': there is none of that name; known are {', '.join(sorted(self.names))}")

    def _language(self, locale: str) -> _Language:
        return self._languages[self.language(locale)]


def _compile(env: jinja2.Environment, name: str, file: Path, *, brand: Brand, entry: object, common: object) -> _Mail:
    where = f"template '{name}': copy/{file.name}"
    if not isinstance(entry, dict):
        raise TemplateError(f"{where}: the entry is no mapping; give it subject, preview, heading and paragraphs")
    headers = [_choice(entry, key, where) for key in ("subject", "preview")]
    sources = assemble(env, name, file.stem, brand=brand, copy=entry, common=common)
    html, text = stage_two("html"), stage_two("text")
    try:
        subject, preview = (text.from_string(str(prose(header, "text"))) for header in headers)
        return _Mail(
            sources.purpose,
            sources.about,
            brand,
            str(common.get("carrier", "")) if isinstance(common, Mapping) else "",
            subject,
            preview,
            html.from_string(sources.html),
            text.from_string(sources.text),
        )
    except jinja2.TemplateSyntaxError as e:
        raise TemplateError(f"{where} or {name}.mjml: {e.message}; mend the expression") from e


def _choice(entry: Mapping[str, object], key: str, where: str) -> str:
    """Return the source of a header line; where the copy has `cases`, a chain of ifs over them."""
    cases = entry.get("cases")
    if not isinstance(cases, Mapping):
        found = entry.get(key)
        if not isinstance(found, str) or not found.strip():
            raise TemplateError(f"{where}: '{key}' is missing; every mail needs one")
        return found
    chosen = {case: text[key] for case, text in cases.items() if isinstance(text, Mapping) and key in text}
    if set(chosen) != set(cases) - {"by"} or "other" not in chosen or "by" not in cases:
        raise TemplateError(f"{where}: 'cases' needs 'by', a case 'other', and '{key}' in every case")
    chain = "".join(
        f"{{% {'elif' if i else 'if'} {cases['by']} == '{case}' %}}{text}"
        for i, (case, text) in enumerate((c, t) for c, t in chosen.items() if c != "other")
    )
    return f"{chain}{{% else %}}{chosen['other']}{{% endif %}}"


def _faults(mail: Rendered, context: Mapping[str, object]) -> list[str]:
    found = [f"the {part} is empty" for part in ("subject", "preview") if not getattr(mail, part)]
    if re.search(r"</?mj-|<!--%|\[\[|\{[{%]", mail.html):
        found.append("the HTML part still holds template code")
    if re.search(r"</?[a-z][^>]*>|\[\[|\{[{%]|\*\*", mail.text):
        found.append("the text part holds markup or template code")
    links = context["links"]
    unsubscribe = links["unsubscribe"] if isinstance(links, Mapping) else None
    if unsubscribe and not (unsubscribe in mail.html and unsubscribe in mail.text):
        found.append("a marketing mail without a way out: the layout must show links.unsubscribe")
    return found


def _given_name(value: object) -> str:
    name = _flat(str(value or ""), _NAME_LIMIT + 1)
    return "" if len(name) > _NAME_LIMIT or _NO_NAME.search(name) else name


def _flat(text: str, limit: int) -> str:
    line = _BLANKS.sub(" ", text).strip()
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _word(value: object) -> str | None:
    return None if value is None else str(value)


def _tag(locale: str) -> str:
    return locale.replace("_", "-").lower()


def _chain(locale: str) -> list[str]:
    parts = _tag(locale).split("-")
    return ["-".join(parts[:n]) for n in range(min(len(parts), 4), 0, -1)] + [DEFAULT_LANGUAGE]
