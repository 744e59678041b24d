"""The lists as screens show them: their titles, what their score is, and the figures beside it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from scanner_kit.universe import Floats
from scanner_kit.views.deltas import State, number

FIGURES = {"last": 4, "change_pct": 2, "gap_pct": 2, "rvol_tod": 2, "day_volume": 0, "day_dollar_volume": 0}
"""The figures of a row, in order, and the decimals that are sent."""

INITIALS = {"hod", "lod", "pmh", "pml", "pdh", "pdl", "vwap", "orb", "rvol", "rsi", "atr"}
SPARK_LEVELS = "0123456789abcdefghijklmnopqrstuvwxyz"
Closes = Callable[[Sequence[str]], Floats]


class Row(Protocol):
    """A row of a ranking."""

    symbol: str
    score: float
    figures: Mapping[str, float]


class Ranking(Protocol):
    """A list in order."""

    rows: Sequence[Row]


@dataclass(frozen=True)
class Heading:
    """How a list is called, and what its score measures.

    `unit` is %, ×, $, nothing, or off (a distance in %); `short` is for narrow tabs.
    """

    title: str
    score: str = "Score"
    unit: str = ""
    short: str = ""


HEADINGS = {
    "gappers_up": Heading("Gappers ▲", "Gap", "%", "Gap ▲"),
    "gappers_down": Heading("Gappers ▼", "Gap", "%", "Gap ▼"),
    "momentum_up": Heading("Momentum ▲", "5 min", "%", "Mom ▲"),
    "momentum_down": Heading("Momentum ▼", "5 min", "%", "Mom ▼"),
    "winners": Heading("Winners", "Change", "%"),
    "losers": Heading("Losers", "Change", "%"),
    "new_highs": Heading("New highs", "Off high", "off", "Highs"),
    "new_lows": Heading("New lows", "Off low", "off", "Lows"),
    "anomalies": Heading("Anomalies", "5 min RVOL", "×"),
    "high_volume": Heading("High volume", "Dollars", "$", "Volume"),
    "reversals": Heading("Reversals", "From open", "%"),
    "hot": Heading("Hot", "Heat"),
}


def heading(name: str) -> Heading:
    """The heading of a list; that of a user's own is its name.

    >>> heading("my_idea").title
    'My idea'
    """
    return HEADINGS.get(name) or Heading(title(name))


def title(name: str) -> str:
    """A name in code for people: `hod_break` is "HOD break"."""
    words = [word.upper() if word in INITIALS else word for word in name.split("_")]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])


def in_order(names: Iterable[str]) -> list[str]:
    """Names of lists in the order of the screen: the known ones first, a user's own after them."""
    known = list(HEADINGS)
    return sorted(names, key=lambda name: (known.index(name) if name in known else len(known), name))


def state(rankings: Mapping[str, Ranking], closes: Closes | None = None) -> State:
    """Lists as a keyed state: `lists` are symbols and scores in order, `figures` are said once for each symbol."""
    rows = {row.symbol: row for ranking in rankings.values() for row in ranking.rows}
    sparks = _sparks(sorted(rows), closes)
    return {
        "headings": {name: [i, *_words(heading(name))] for i, name in enumerate(in_order(rankings))},
        "lists": {
            name: [[row.symbol, number(row.score)] for row in ranking.rows] for name, ranking in rankings.items()
        },
        "figures": {symbol: [*_figures(row), sparks.get(symbol, "")] for symbol, row in rows.items()},
    }


def spark(closes: Floats) -> str:
    """Closes as a word, one character a close, from 0 at the lowest to z at the highest; unknown closes are left out.

    >>> spark(np.array([1.0, np.nan, 2.0, 1.5]))
    '0zi'
    """
    known = closes[np.isfinite(closes)]
    if len(known) < 2:
        return ""
    low, high = known.min(), known.max()
    top = len(SPARK_LEVELS) - 1
    heights = np.rint((known - low) / (high - low) * top) if high > low else np.full(len(known), top // 2)
    return "".join(SPARK_LEVELS[int(height)] for height in heights)


def _sparks(symbols: list[str], closes: Closes | None) -> dict[str, str]:
    if closes is None or not symbols:
        return {}
    columns = np.asarray(closes(symbols), dtype=np.float64)
    return {symbol: spark(columns[:, i]) for i, symbol in enumerate(symbols)}


def _figures(row: Row) -> list[Any]:
    return [number(row.figures.get(name), decimals) for name, decimals in FIGURES.items()]


def _words(shown: Heading) -> list[str]:
    return [shown.title, shown.score, shown.unit, shown.short or shown.title]
