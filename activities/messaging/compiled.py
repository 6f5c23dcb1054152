"""Templates compiled: from a shop's files to what is filled in per message, language by language."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from babel import Locale, UnknownLocaleError

from activities.messaging.brand import Brand, Catalogue, ProductNotes
from activities.messaging.files import TemplateError, by_language, merge, pick, read_yaml, to_model
from activities.messaging.language import DEFAULT_LANGUAGE, chain, spaced
from activities.messaging.mjml import FAULTS, Sources, assemble, prose, stage_one, stage_two
from activities.messaging.short import ShortForms, short_forms

_SHOPS_OWN = ("common", "brand", "products")
"""The keys of a copy file that are no touch."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """One touch in one language: its mail's parts and its short forms. `carrier` stands in for an unknown one."""

    sources: Sources
    brand: Mapping[str, Any]
    carrier: str
    subject: jinja2.Template
    preview: jinja2.Template
    html: jinja2.Template
    text: jinja2.Template
    short: ShortForms


class Language:
    """A language's copy, brand and products; each touch is compiled once, when it is first asked for."""

    def __init__(
        self, env: jinja2.Environment, tag: str, copy: Mapping[str, Any], brand: Brand, known: Catalogue
    ) -> None:
        self.tag = tag
        self.copy = copy
        self.brand = brand
        self.names = frozenset(copy) - set(_SHOPS_OWN)
        self._env = env
        self._compiled: dict[str, Compiled] = {}
        # Plain mappings, since templates read them fastest.
        self._words = brand.model_dump(mode="json")
        self._catalogue = known
        # What nobody has written about shares one entry, so the caches stay as small as products.yaml.
        self._notes = lru_cache(maxsize=4096)(known.notes)
        self._product = lru_cache(maxsize=4096)(self._dumped)

    def touch(self, name: str) -> Compiled | None:
        """Compile a touch, once; None where this language has no copy for it.

        Raises:
            TemplateError: naming the template and file, for whatever is missing or would not compile.
        """
        if name not in self._compiled and name in self.names:
            common = self.copy.get("common", {})
            self._compiled[name] = _compile(self, self._env, name, entry=self.copy[name], common=common)
        return self._compiled.get(name)

    @property
    def words(self) -> Mapping[str, Any]:
        """The brand as templates read it."""
        return self._words

    def notes(self, sku: str, category: str | None, kind: str | None) -> ProductNotes:
        """What the shop knows about a product; see `Catalogue.notes`."""
        return self._notes(*self._known(sku, category, kind))

    def product(self, sku: str, category: str | None, kind: str | None) -> Mapping[str, Any]:
        """The notes as templates read them."""
        return self._product(*self._known(sku, category, kind))

    def _known(self, sku: str, category: str | None, kind: str | None) -> tuple[str, str | None, str | None]:
        has = self._catalogue
        return (
            sku if sku in has.skus else "",
            category if category in has.categories else None,
            kind if kind in has.kinds else None,
        )

    def _dumped(self, sku: str, category: str | None, kind: str | None) -> dict[str, Any]:
        fields = {"care", "setup", "tips", "access", "guides", "complements"}
        return self._notes(sku, category, kind).model_dump(mode="json", include=fields)


def load_languages(folders: list[Path], brand: Mapping[str, Any]) -> dict[str, Language]:
    """Read every language there is copy for; earlier folders win, and `brand` over the brand of all.

    Raises:
        TemplateError: a file is missing, cannot be read or is not valid.
    """
    env = stage_one(folders)
    languages = {}
    for tag, copy in _copies(folders).items():
        try:
            Locale.parse(tag, sep="-")
        except (UnknownLocaleError, ValueError) as e:
            raise TemplateError(f"copy/{tag}.yaml: '{tag}' is no language: name the file after one, de.yaml") from e
        languages[tag] = Language(
            env,
            tag,
            copy,
            to_model(Brand, merge(_translated(folders, "brand", tag, copy), dict(brand)), f"brand.yaml ({tag})"),
            to_model(Catalogue, _translated(folders, "products", tag, copy), f"products.yaml ({tag})"),
        )
    return languages


def _copies(folders: list[Path]) -> dict[str, dict[str, Any]]:
    """The copy by language; a region's is laid over its language's, so de comes before de-at."""
    files: dict[str, Path] = {}
    for folder in folders:
        files = by_language(folder / "copy") | files
    if DEFAULT_LANGUAGE not in files:
        raise TemplateError(
            f"copy/{DEFAULT_LANGUAGE}.yaml is missing in {folders[-1]}: it is what every locale falls back to"
        )
    copies: dict[str, dict[str, Any]] = {}
    for tag in sorted(files):
        written = spaced(read_yaml(files[tag]), tag)
        found = merge(copies.get(tag.rpartition("-")[0], {}), written)
        copies[tag] = found if isinstance(found, dict) else {}
    return copies


def _translated(folders: list[Path], name: str, tag: str, copy: Mapping[str, Any]) -> object:
    """brand.yaml or products.yaml in a language.

    Its translations stand in a folder of its name beside it, so that a shop's own file never wears the words of the
    one that ships.
    """
    base = pick(folders, f"{name}.yaml")
    found: object = read_yaml(base)
    files = by_language(base.parent / name)
    for near in reversed(chain(tag)[:-1]):
        if near in files:
            found = merge(found, spaced(read_yaml(files[near]), near))
    return merge(found, copy.get(name, {}))


def _compile(own: Language, env: jinja2.Environment, name: str, *, entry: object, common: object) -> Compiled:
    where = f"template '{name}': copy/{own.tag}.yaml"
    if not isinstance(entry, dict):
        raise TemplateError(f"{where}: the entry is no mapping; give it subject, preview, heading and paragraphs")
    shared = common if isinstance(common, Mapping) else {}
    headers = [_choice(entry, key, where) for key in ("subject", "preview")]
    sources = assemble(env, name, own.tag, brand=own.brand, copy=entry, common=common)
    html, text = stage_two("html", own.tag), stage_two("text", own.tag)
    try:
        subject, preview = (text.from_string(str(prose(header, "text"))) for header in headers)
        return Compiled(
            sources,
            own.words,
            str(shared.get("carrier", "")),
            subject,
            preview,
            html.from_string(sources.html),
            text.from_string(sources.text),
            short_forms(entry, shared, language=own.tag, where=where),
        )
    except FAULTS as e:
        raise TemplateError(f"{where} or {name}.mjml: {e}; mend the expression") from e


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
