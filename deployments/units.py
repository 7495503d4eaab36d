"""How times, rates and shares are written for people. Plain functions over plain data."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_UNITS = {1: "day", 7: "week", 30.44: "month"}


def duration(seconds: float | None) -> str:
    """Return a time in the two units that matter: `3 h 12 min`, `2.4 days`."""
    if seconds is None:
        return "–"
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < _DAY:
        hours, minutes = divmod(round(seconds / _MINUTE), 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days = seconds / _DAY
    return f"{days:.1f} days" if days < 10 else f"{days:.0f} days"


def signed_duration(seconds: float) -> str:
    """Return how much longer or shorter something took: `+3 h 12 min`, `−2.4 days`."""
    if abs(seconds) < 0.5:
        return "±0"
    return f"{'+' if seconds > 0 else '−'}{duration(abs(seconds))}"


def frequency(per_day: float | None, like: float | None = None) -> str:
    """Return a rate in the unit in which it is easy to read.

    What stands beside another rate, `like`, has the unit of that, unless it would read as none there.
    """
    if per_day is None:
        return "–"
    days = _days_of(per_day if like is None else like)
    if per_day * days < 0.05:
        days = _days_of(per_day)
    number = per_day * days
    return f"{number:.1f} a {_UNITS[days]}" if number < 100 else f"{number:,.0f} a {_UNITS[days]}"


def _days_of(per_day: float) -> float:
    """Return of how many days the unit is in which a rate is easy to read."""
    return next((days for days in _UNITS if per_day * days >= 1), 30.44)


def percent(share: float | None) -> str:
    """Return a share of 0 to 1 as a percentage, with a decimal where it would else read as none or all."""
    if share is None:
        return "–"
    number = share * 100
    if 0 < number < 1 or 99 < number < 100:
        return f"{number:.1f} %"
    return f"{number:.0f} %"


def many(count: int, noun: str) -> str:
    """Return how many there are of something: `1 change`, `1,234 changes`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def ordinal(number: int) -> str:
    """Return a place in an order: `1st`, `22nd`, `113th`."""
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"
