"""Figures as the lab says them: short, with their sign, and weak where few results stand behind them."""

import math
from typing import Any

FEW = 20
"""Fewer results than this make no figure: it is shown pale, with its n."""
NONE = "–"


def r(value: Any) -> str:
    """A result in R.

    >>> r(0.124), r(-1.0), r(float("nan"))
    ('+0.12 R', '−1.00 R', '–')
    """
    return NONE if math.isnan(value) else f"{signed(value)} R"


def signed(value: Any) -> str:
    """A number with its sign.

    >>> signed(0.124), signed(-1.0), signed(0.001)
    ('+0.12', '−1.00', '0.00')
    """
    if math.isnan(value):
        return NONE
    text = f"{abs(value):.2f}"
    return text if not float(text) else f"{'+' if value > 0 else '−'}{text}"


def share(value: Any) -> str:
    """A part of a whole, in percent.

    >>> share(0.4567), share(1.0)
    ('45.7 %', '100 %')
    """
    return NONE if math.isnan(value) else f"{100 * value:.1f} %" if value < 0.9995 else "100 %"


def plain(value: Any) -> str:
    """A number.

    >>> plain(12.345), plain(0.5), plain(1234.5)
    ('12.3', '0.50', '1,234')
    """
    if math.isnan(value):
        return NONE
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def percent(value: Any) -> str:
    """A move in percent of the entry.

    >>> percent(1.234), percent(-0.5)
    ('+1.23 %', '−0.50 %')
    """
    return NONE if math.isnan(value) else f"{signed(value)} %"


def between(low: Any, high: Any, say: Any) -> str:
    """An interval, its unit said once.

    >>> between(0.41, 0.525, share), between(-0.12, 0.2, r), between(float("nan"), 1.0, r)
    ('41.0 … 52.5 %', '−0.12 … +0.20 R', '')
    """
    if math.isnan(low) or math.isnan(high):
        return ""
    first, last = say(low), say(high)
    return f"{first.split(' ')[0]} … {last}"


def tone(low: Any, high: Any, n: int, middle: float = 0.0) -> str:
    """Whether an interval lies above or below the middle: only then has a figure a colour.

    >>> tone(0.1, 0.3, 100), tone(-0.1, 0.3, 100), tone(-0.3, -0.1, 100), tone(0.1, 0.3, 3)
    ('up', '', 'down', '')
    """
    if n < FEW or math.isnan(low):
        return ""
    return "up" if low > middle else "down" if high < middle else ""
