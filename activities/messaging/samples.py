"""Made-up orders to try every template on, from next to nothing to everything, and what befalls their parcels.

They are the contract of a render: a template may use what stands here and nothing else.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from activities.messaging.language import day, locale_of, money
from activities.messaging.sums import PARTS

PROBLEMS = (
    *("address", "customs", "attempt_failed", "damaged", "returning", "refused", "payment", "pickup_waiting"),
    "other",
)
DELAYS = ("weather", "customs", "capacity", "no_scan", "stuck", "estimate_missed", "not_brought", "other")
REMEDIED = ("lost", "damaged", "returning", "severe_delay", "other")
"""Why a parcel is made good."""
_SIGNED_REMEDY = 120
"""About as long as a signed link to the choice of a remedy is with a host of ordinary length."""
_LINKS = {
    "order": "https://shop.example/orders/1001?key=sample",
    "unsubscribe": None,
    "preferences": None,
    "review": "https://shop.example/orders/1001/review?key=sample",
    "shop": "https://shop.example/",
    "returns_email": "mailto:returns@shop.example",
}


def _line(
    sku: str, title: str, category: str, kind: str, *, language: str, quantity: int = 1, **more: object
) -> dict[str, object]:
    return {
        "sku": sku,
        "title": title,
        "quantity": quantity,
        "unit_price": _euro("39.50", language),
        "line_total": _euro("79.00" if quantity > 1 else "39.50", language),
        "category": category,
        "kind": kind,
        "variant": None,
        "image_url": None,
        "product_url": None,
        "access_url": None,
        "access_key": None,
        "gift": False,
        "subscription": False,
        **more,
    }


_KNOWN_OF_GOODS = {
    "variant": "Blue / 180 cm",
    "image_url": "https://shop.example/mat.jpg",
    "product_url": "https://shop.example/p/mat",
    "gift": True,
    "subscription": True,
}
_POINT = {
    "title": "Click & collect",
    "address": ["Ada Lovelace", "Lindenweg 12", "10437 Berlin", "DE"],
    "pickup_point": {
        "name": "Store Mitte",
        "address": ["Torstraße 1", "10119 Berlin", "DE"],
        "opening_hours": ["Mo-Fr 10-19", "Sa 10-16"],
    },
}
_TRACED = {
    "tracking_url": "https://carrier.example/t/1",
    "co2": {"grams": "412", "source": "DHL"},
}
_ACCESS = (
    {"access_url": "https://shop.example/course/1"},
    {"access_key": "7QX2-KEY"},
    {"access_url": "https://shop.example/course/1", "access_key": "7QX2-KEY"},
)


def _euro(amount: str, language: str) -> str:
    return money(Decimal(amount), "EUR", locale_of("", language))


def _day(month: int, number: int, language: str) -> str:
    return day(date(2026, month, number), locale_of("", language))


def _order(lines: list[dict[str, object]], language: str, **more: object) -> dict[str, object]:
    return {
        "order_id": "1001",
        "number": "#1001",
        "shop": "acme",
        "placed_on": _day(11, 22, language),
        "total": _euro("79.00", language),
        "currency": "EUR",
        "lines": lines,
        "estimated_delivery": None,
        "handover": "sent" if any(line["kind"] == "physical" for line in lines) else "none",
        "awaits_dispatch": any(line["kind"] == "physical" for line in lines),
        "awaits_pickup": False,
        "digital": any(line["kind"] == "digital" for line in lines),
        "service": any(line["kind"] == "service" for line in lines),
        "physical": any(line["kind"] == "physical" for line in lines),
        "refunded": None,
        "sums": dict.fromkeys(PARTS, ""),
        "delivery": {"title": "", "address": [], "pickup_point": None},
        "promised": {"earliest": None, "latest": None},
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
        "pickup": False,
        "tracking_url": None,
        "co2": None,
        "count": 1,
        "number": 1,
        **more,
    }


def _remedy(language: str, **more: object) -> dict[str, object]:
    return {
        "reason": "lost",
        "options": ["replacement", "refund"],
        "amount": _euro("79.00", language),
        "choose_by": _day(11, 25, language),
        "choice": "",
        "reference": "",
        "coupon": "",
        "link": "https://shop.example/r/".ljust(_SIGNED_REMEDY, "x"),
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
        "parcels": [] if parcel is None else [parcel],
        "remedy": None,
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
        about: "order", "parcel" or "remedy"; a template about a parcel is never rendered without one, and one about a
            remedy never without it and its parcel.
        language: which money and dates are written in; a tag Babel knows.
    """
    purposes = ("transactional", "marketing") if purpose == "either" else (purpose,)
    reasons: tuple[str | None, ...] = (None, *PROBLEMS, *DELAYS) if about == "parcel" else (None,)
    mat = _line("YM-1", "Yoga mat", "fitness", "physical", language=language, quantity=2)
    course = _line("CLS-1", "Morning yoga: the course", "course", "digital", language=language)
    lesson = _line("LES-1", "A lesson in the studio", "course", "service", language=language)
    parcel = None if about == "order" else _parcel()
    remedy = _remedy(language) if about == "remedy" else None
    for now in purposes:
        yield f"{now}, simple", _context(_order([mat], language), parcel, now, remedy=remedy)
        yield f"{now}, digital only", _context(_order([course], language), parcel, now, remedy=remedy)
        yield f"{now}, a service", _context(_order([lesson], language), parcel, now, remedy=remedy)
        for way, waits in (("collected", True), ("till", False)):
            there = _order([mat], language, handover=way, awaits_dispatch=False, awaits_pickup=waits)
            yield f"{now}, {way}", _context(there, parcel, now, remedy=remedy)
        known = [mat | _KNOWN_OF_GOODS, *({**course, **access} for access in _ACCESS)]
        traced = None if parcel is None else {**parcel, **_TRACED}
        first, last = _day(11, 26, language), _day(11, 30, language)
        there = _order(known, language, delivery=_POINT, promised={"earliest": first, "latest": last})
        by = _order([mat], language, promised={"earliest": None, "latest": last})
        yield f"{now}, promised by a day", _context(by, parcel, now, remedy=remedy)
        for what, order in _with_sums(mat, language):
            yield f"{now}, {what}", _context(order, parcel, now, remedy=remedy)
        yield f"{now}, everything known of its lines and its way", _context(there, traced, now, remedy=remedy)
        for reason in reasons:
            rich = _rich([mat, course], now, reason, language)
            yield f"{now}, rich, reason {reason}", {**rich, "remedy": remedy}
            if about == "order":
                yield f"{now}, rich, of no parcel", {**rich, "parcel": None, "parcels": []}
        if about == "parcel":
            yield from _of_parcels([mat, course], now, language)
        if about == "remedy":
            yield from _of_remedies([mat, course], now, language)


def _with_sums(line: dict[str, object], language: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Every part of a total, with the tax on top and in it; and lines that nobody gave in the currency paid in."""
    parts = dict.fromkeys(PARTS, _euro("4.90", language))
    yield "tax on top", _order([line], language, sums={**parts, "tax_included": ""})
    yield "tax included", _order([line], language, sums={**parts, "tax": ""})
    yield "lines without prices", _order([line | {"unit_price": "", "line_total": ""}], language)


def _of_parcels(lines: list[dict[str, object]], purpose: str, language: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Two parcels of three, late ones that nobody has a day for, one in the store, and one without a number."""
    order = _order(lines, language)
    third = _parcel(tracking_number="1Z999AA10123456784", carrier="", number=3, count=3)
    first = _parcel(estimated_delivery=_day(11, 26, language), number=1, count=3)
    yield f"{purpose}, two parcels of three", _context(order, third, purpose, parcels=[third, first])
    for reason in DELAYS:
        nobody = _parcel(carrier="", reason=reason)
        yield f"{purpose}, nobody knows when, reason {reason}", _context(order, nobody, purpose)
    fetched = _order(lines, language, delivery=_POINT)
    ready = _parcel(tracking_number="pickup:acme:1001", carrier="", status="available_for_pickup", pickup=True)
    yield f"{purpose}, in the store", _context(order, ready, purpose)
    yield f"{purpose}, in a store with its hours", _context(fetched, ready, purpose)
    for carrier, count in (("", 1), ("DHL", 2)):
        bare = _parcel(tracking_number="", carrier=carrier, count=count)
        yield f"{purpose}, without a number, one of {count}", _context(order, bare, purpose)


def _of_remedies(
    lines: list[dict[str, object]], purpose: str, language: str
) -> Iterator[tuple[str, dict[str, object]]]:
    """Each reason, with and without a replacement to be had, and each choice."""
    order = _order(lines, language)
    parcel = _parcel(carrier="", number=2, count=2)
    for reason in REMEDIED:
        for options in (["replacement", "refund"], ["refund"]):
            remedy = _remedy(language, reason=reason, options=options)
            what = f"{purpose}, {reason}, {' or '.join(options)}"
            yield what, _context(order, parcel, purpose, remedy=remedy)
    for choice, reference in (("replacement", "1002"), ("replacement", ""), ("refund", "R-1")):
        for coupon in ("SORRY-7QX2", ""):
            remedy = _remedy(language, choice=choice, reference=reference, coupon=coupon)
            what = f"{purpose}, settled: {choice} {reference} {coupon}"
            yield what, _context(order, parcel, purpose, remedy=remedy)


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
