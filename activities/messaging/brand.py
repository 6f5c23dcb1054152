"""The shop's own face: what `brand.yaml` and `products.yaml` may say, checked when they are loaded."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

_LINK = re.compile(r"(?:https?://|mailto:)[^\s<>\"'\\\x00-\x20\x7f-\x9f\u2028\u2029]+", re.IGNORECASE)
_SCHEME = re.compile(r"\s*([a-zA-Z][a-zA-Z0-9+.-]{0,15}):")


def safe_link(value: object) -> str:
    """Let a link pass only if a mail program may open it: http, https or mailto, and nothing odd inside.

    Args:
        value: what is about to become an `href` or a `src`.

    Returns:
        The link, unchanged.

    Raises:
        ValueError: for any other scheme, a relative address, blanks, quotes or control characters. The text
            names the scheme but never the address, which may hold a customer's signed token.
    """
    link = "" if value is None else str(value)
    if _LINK.fullmatch(link):
        return link
    if not link:
        raise ValueError("a link is missing: give an http, https or mailto address")
    scheme = _SCHEME.match(link)
    found = f"the scheme '{scheme[1].lower()}'" if scheme else "no scheme"
    raise ValueError(f"a link has {found} or forbidden characters: only http, https and mailto addresses may be linked")


Link = Annotated[str, AfterValidator(safe_link)]
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Palette(_Model):
    """One set of colours, each `#rrggbb`."""

    page: Colour = "#f3ede1"
    card: Colour = "#fffdf8"
    tint: Colour = "#f0ebdf"
    line: Colour = "#e2dac9"
    ink: Colour = "#23302a"
    muted: Colour = "#646a62"
    brand: Colour = "#1f4a38"
    on_brand: Colour = "#ffffff"
    accent: Colour = "#a8471f"


class DarkPalette(Palette):
    """The colours where the reader's mail program asks for a dark page."""

    page: Colour = "#141916"
    card: Colour = "#1e2521"
    tint: Colour = "#29322d"
    line: Colour = "#3a453f"
    ink: Colour = "#f1ede3"
    muted: Colour = "#aab3ab"
    brand: Colour = "#a9d8bd"
    on_brand: Colour = "#12241b"
    accent: Colour = "#f0a37f"


class Person(_Model):
    """Who the mail says it is from."""

    name: str
    address: str = Field(pattern=r"^[^@\s<>]+@[^@\s<>]+$")


class NamedLink(_Model):
    """A title and where it leads."""

    title: str
    url: Link


class BrandLinks(_Model):
    """The shop's pages that mails point to."""

    help: Link
    returns: Link
    social: tuple[NamedLink, ...] = ()


class Offer(_Model):
    """A reward the playbook may hand out: its code, what it is worth in words, and for how many days."""

    code: str = Field(pattern=r"^[A-Za-z0-9_-]{2,40}$")
    text: str
    valid_days: int = Field(gt=0, le=365)


class News(_Model):
    """One new arrival for the round-up."""

    title: str
    text: str
    url: Link


class Event(_Model):
    """What the regulars are invited to."""

    title: str
    when: str
    text: str
    url: Link


class Brand(_Model):
    """Everything a shop edits to look and sound like itself; nothing else needs a change."""

    name: str
    tagline: str
    about: str
    signature: str
    shop_url: Link
    support_email: str = Field(pattern=r"^[^@\s<>]+@[^@\s<>]+$")
    support_hours: str
    sender: Person
    postal_address: str
    logo_url: Link | None = None
    logo_width: int = Field(default=160, gt=0, le=480)
    colours: Palette = Palette()
    dark: DarkPalette = DarkPalette()
    links: BrandLinks
    offers: dict[str, Offer] = {}
    news: tuple[News, ...] = ()
    event: Event | None = None


class Complement(_Model):
    """A thing that goes well with another."""

    sku: str
    title: str
    url: Link


class ProductNotes(_Model):
    """What the shop knows about a product, or a whole category, beyond its price.

    `complex` says that one mail is not enough to get going; `access` tells how a digital product is reached;
    `replenish_days` is how long one lasts, None where it is not used up.
    """

    complex: bool = False
    care: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    tips: tuple[str, ...] = ()
    access: tuple[str, ...] = ()
    guides: tuple[NamedLink, ...] = ()
    complements: tuple[Complement, ...] = ()
    replenish_days: int | None = Field(default=None, gt=0)


class Catalogue(_Model):
    """`products.yaml`: notes by SKU, else by category, else by kind of thing, else none."""

    skus: dict[str, ProductNotes] = {}
    categories: dict[str, ProductNotes] = {}
    kinds: dict[str, ProductNotes] = {}

    def notes(self, sku: str, category: str | None, kind: str | None = None) -> ProductNotes:
        """Find the nearest notes; what the SKU leaves out is taken from its category, then from its kind.

        Args:
            sku: the shop's article number.
            category: the shop's category of it, if known.
            kind: "physical" or "digital", if known.

        Returns:
            The notes, empty for a product nobody has written about.
        """
        merged: dict[str, object] = {}
        for found in (self.kinds.get(kind or ""), self.categories.get(category or ""), self.skus.get(sku)):
            if found is not None:
                merged.update(found.model_dump(exclude_unset=True))
        return ProductNotes.model_validate(merged)
