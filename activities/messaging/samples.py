"""Two orders to try every template on: one that has next to nothing, one that has everything.

They are the contract of a render: a template may use what stands here and nothing else.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from activities.messaging.language import day, locale_of, money

PROBLEMS = ("address", "customs", "attempt_failed", "damaged", "returning", "pickup_waiting", "other")
DELAYS = ("weather", "customs", "capacity", "no_scan", "stuck", "estimate_missed", "other")
_LINKS = {
    "order": "https://shop.example/orders/1001?key=sample",
    "unsubscribe": None,
    "preferences": None,
    "review": "https://shop.example/orders/1001/review?key=sample",
    "shop": "https://shop.example/",
    "returns_email": "mailto:returns@shop.example",
}


def _line(sku: str, title: str, category: str, kind: str, *, language: str, quantity: int = 1) -> dict[str, object]:
    return {
        "sku": sku,
        "title": title,
        "quantity": quantity,
        "unit_price": _euro("39.50", language),
        "line_total": _euro("79.00" if quantity > 1 else "39.50", language),
        "category": category,
        "kind": kind,
    }


def _euro(amount: str, language: str) -> str:
    return money(Decimal(amount), "EUR", locale_of("", language))


def _day(month: int, number: int, language: str) -> str:
    return day(date(2026, month, number), locale_of("", language))


def _order(lines: list[dict[str, object]], language: str, **more: object) -> dict[str, object]:
    return {
        "order_id": "1001",
        "shop": "acme",
        "placed_on": _day(11, 22, language),
        "total": _euro("79.00", language),
        "currency": "EUR",
        "lines": lines,
        "estimated_delivery": None,
        "digital": any(line["kind"] == "digital" for line in lines),
        "physical": any(line["kind"] == "physical" for line in lines),
        "refunded": None,
        **more,
    }


def _parcel(**more: object) -> dict[str, object]:
    return {
        "tracking_number": "00340434161094021501",
        "carrier": "DHL",
        "status": "in_transit",
        "estimated_delivery": None,
        "previous_estimate": None,
        "reason": None,
        "count": 1,
        "number": 1,
        **more,
    }


def _context(
    order: dict[str, object], parcel: dict[str, object] | None, purpose: str, **more: object
) -> dict[str, object]:
    links = dict(_LINKS)
    if purpose == "marketing":
        links["unsubscribe"] = "https://shop.example/unsubscribe?key=sample"
        links["preferences"] = "https://shop.example/preferences?key=sample"
    return {
        "order": order,
        "customer": {"first_name": "", "buyer": "first"},
        "segment": {"first_time": True, "repeat": False, "categories": [], "country": None},
        "parcel": parcel,
        "products": [],
        "links": links,
        "offer": None,
        "touch": {"id": "sample", "purpose": purpose},
        **more,
    }


def _product(**more: object) -> dict[str, object]:
    empty: dict[str, object] = {key: [] for key in ("care", "setup", "tips", "access", "guides", "complements")}
    return {"title": "Yoga mat", "sku": "YM-1", "category": "fitness", **empty, **more}


def samples(purpose: str, about: str, language: str = "en") -> Iterator[tuple[str, dict[str, object]]]:
    """Yield (what it is, context) pairs that between them reach every branch a template has.

    Args:
        purpose: "transactional", "marketing" or "either"; the last yields both.
        about: "order" or "parcel"; a template about a parcel is never rendered without one.
        language: which money and dates are written in; a tag Babel knows.
    """
    purposes = ("transactional", "marketing") if purpose == "either" else (purpose,)
    reasons: tuple[str | None, ...] = (None, *PROBLEMS, *DELAYS) if about == "parcel" else (None,)
    mat = _line("YM-1", "Yoga mat", "fitness", "physical", language=language, quantity=2)
    course = _line("CLS-1", "Morning yoga: the course", "course", "digital", language=language)
    parcel = _parcel() if about == "parcel" else None
    for now in purposes:
        yield f"{now}, simple", _context(_order([mat], language), parcel, now)
        yield f"{now}, digital only", _context(_order([course], language), parcel, now)
        for reason in reasons:
            yield f"{now}, rich, reason {reason}", _rich([mat, course], now, reason, language)


def _rich(lines: list[dict[str, object]], purpose: str, reason: str | None, language: str) -> dict[str, object]:
    thursday = _day(11, 26, language)
    parcel = _parcel(
        estimated_delivery=thursday, previous_estimate=_day(11, 24, language), reason=reason, count=2, number=1
    )
    return _context(
        _order(lines, language, estimated_delivery=thursday, refunded=_euro("39.50", language)),
        parcel,
        purpose,
        customer={"first_name": "Ada", "buyer": "repeat"},
        segment={"first_time": False, "repeat": True, "categories": ["coffee", "course", "fitness"], "country": "DE"},
        products=[
            _product(
                care=["Wipe it down."],
                setup=["Unroll it."],
                tips=["Use the rough side."],
                guides=[{"title": "First week", "url": "https://shop.example/guides/first-week"}],
                complements=[{"title": "Cork block", "url": "https://shop.example/p/cork-block"}],
            ),
            _product(title="Morning yoga", sku="CLS-1", category="course", access=["Sign in."]),
        ],
        offer={"code": "HELLO-10", "text": "10% off", "expires_on": _day(12, 6, language)},
    )
