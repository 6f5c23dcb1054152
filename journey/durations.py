"""Lengths of time as marketers write them: `9d`, `12h`, `1d12h`, `90s`."""

import re
from datetime import timedelta

_UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_PART = re.compile(r"(\d+)([wdhms])")
_WHOLE = re.compile(r"(?:\d+[wdhms])+")


def parse_duration(text: str) -> timedelta:
    """Read `9d` or `1d12h` (units w d h m s, largest first or not, all added up).

    Raises:
        ValueError: the text is not a run of number and unit; the message says what is.
    """
    compact = text.strip().lower().replace(" ", "")
    if not _WHOLE.fullmatch(compact):
        raise ValueError(f"{text!r} is not a length of time: write number and unit, such as 9d, 12h or 1d12h")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(compact))
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError(f"{text!r} is longer than any calendar reaches") from None


def format_duration(span: timedelta) -> str:
    """Write a length of time the way `parse_duration` reads it; whole seconds, `0s` for none."""
    rest = int(span.total_seconds())
    if rest == 0:
        return "0s"
    sign, rest = ("-", -rest) if rest < 0 else ("", rest)
    parts = []
    for unit in ("d", "h", "m", "s"):
        number, rest = divmod(rest, _UNITS[unit])
        if number:
            parts.append(f"{number}{unit}")
    return sign + "".join(parts)
