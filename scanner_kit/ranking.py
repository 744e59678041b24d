"""Rankings: lists in order, and how one version of a list becomes the next.

>>> old = Published.of("winners", {"AAPL": {"last": 10.0}, "NVDA": {"last": 5.0}})
>>> new = Published.of("winners", {"NVDA": {"last": 5.5}, "TSLA": {"last": 1.0}})
>>> changes = diff(old, new)
>>> [(c.seq, c.what, c.symbol) for c in changes]
[(1, 'removed', 'AAPL'), (2, 'updated', 'NVDA'), (3, 'added', 'TSLA')]
>>> apply(old, changes).symbols
('NVDA', 'TSLA')
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from scanner_kit.arithmetic import compiled
from scanner_kit.errors import InvalidInput
from scanner_kit.metrics import Metric
from scanner_kit.scanner import Verdict
from scanner_kit.snapshot import Snapshot
from scanner_kit.universe import Floats, Rows

Figures = Mapping[str, float]
WORTH_SENDING = {"$": 0.01, "shares": 1000.0, "%": 0.01, "×": 0.05}
"""By how much a figure of a unit must have moved from what was last published to be sent again."""
UNITS = {
    "last": "$",
    "change_pct": "%",
    "gap_pct": "%",
    "rvol_tod": "×",
    "rvol_5m_tod": "×",
    "day_volume": "shares",
    "day_dollar_volume": "$",
}


@dataclass(frozen=True)
class Ranking:
    """A list of one step: its symbols in order with their scores."""

    name: str
    symbols: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.symbols)

    def __iter__(self) -> Iterator[tuple[int, str, float]]:
        """Rank from 1, symbol and score, in order."""
        return iter(zip(range(1, len(self) + 1), self.symbols, self.scores, strict=True))


@dataclass(frozen=True)
class Row:
    """A row of a list as screens show it."""

    symbol: str
    score: float
    figures: Figures


@dataclass(frozen=True)
class Published:
    """A version of a list as its readers have it: the figures of each symbol, in order.

    `seq` is that of its last change.
    """

    name: str
    seq: int
    rows: tuple[tuple[str, tuple[tuple[str, float], ...]], ...]

    @classmethod
    def of(cls, name: str, rows: Mapping[str, Figures], seq: int = 0) -> "Published":
        """A version from figures by symbol, in order."""
        return cls(name, seq, tuple((symbol, tuple(figures.items())) for symbol, figures in rows.items()))

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols in order."""
        return tuple(symbol for symbol, _ in self.rows)


@dataclass(frozen=True)
class Change:
    """One step from a version of a list to the next.

    A symbol is added at, moved to or removed from a rank (from 1), or has new figures.
    """

    name: str
    seq: int
    what: Literal["added", "removed", "moved", "updated"]
    symbol: str
    rank: int
    figures: tuple[tuple[str, float], ...] = ()


def ordered(verdict: Verdict, now: Snapshot, top: int) -> tuple[Rows, np.ndarray]:
    """The selected rows of a snapshot in order, and their scores; who has an unknown score is on no list."""
    rows = verdict.selected.rows(len(now))
    keys = np.empty((len(verdict.keys), rows.size))
    for key, (column, largest) in zip(keys, verdict.keys, strict=True):
        key[:] = -column.at(rows) if largest else column.at(rows)
    first = rows[_first(keys, top)]
    return first, verdict.score.at(first)


@compiled
def _first(keys: Floats, top: int) -> Rows:
    """The places of the first `top` in order of the keys `(keys, rows)`, then of place; those with no first key out.

    The smallest first, the unknown last. Each is compared with the last of those that lead, which few come before.
    """
    lead, count = np.empty(top + 1, dtype=np.intp), 0
    for i in range(keys.shape[1]):
        if np.isnan(keys[0, i]) or (count == top and keys[0, i] > keys[0, lead[top - 1]]):
            continue
        at = count
        while at > 0 and _before(keys, i, lead[at - 1]):
            lead[at] = lead[at - 1]
            at -= 1
        lead[at] = i
        count = min(count + 1, top)
    return lead[:count]


@compiled
def _before(keys: Floats, a: int, b: int) -> bool:
    """Whether one comes before another by the first key in which they differ."""
    for key in keys:
        if key[a] < key[b] or (np.isnan(key[b]) and not np.isnan(key[a])):
            return True
        if key[a] > key[b] or (np.isnan(key[a]) and not np.isnan(key[b])):
            return False
    return False


def rows_of(ranking: Ranking, now: Snapshot, figures: Iterable[Metric]) -> tuple[Row, ...]:
    """A list with figures beside each score."""
    rows = [now.universe.row(symbol) for symbol in ranking.symbols]
    columns = {metric.name: now[metric].values[rows].tolist() for metric in figures}
    told = ({name: column[i] for name, column in columns.items()} for i in range(len(rows)))
    return tuple(Row(symbol, score, shown) for (_, symbol, score), shown in zip(ranking, told, strict=True))


def diff(published: Published, new: Published) -> tuple[Change, ...]:
    """What readers of `published` must be told to have the symbols and ranks of `new`.

    A figure that hardly moved is not sent.
    """
    changes: list[Change] = []
    wanted, figures_now = new.symbols, dict(new.rows)
    known = dict(published.rows)
    line = [symbol for symbol in published.symbols if symbol in figures_now]
    for rank, symbol in enumerate(published.symbols, start=1):
        if symbol not in figures_now:
            changes.append(_change(new, "removed", symbol, rank))
    for rank, symbol in enumerate(wanted, start=1):
        if symbol not in known:
            line.insert(rank - 1, symbol)
            changes.append(_change(new, "added", symbol, rank, figures_now[symbol]))
        elif line[rank - 1] != symbol:
            line.remove(symbol)
            line.insert(rank - 1, symbol)
            changes.append(_change(new, "moved", symbol, rank, figures_now[symbol]))
        elif _worth_sending(dict(known[symbol]), dict(figures_now[symbol])):
            changes.append(_change(new, "updated", symbol, rank, figures_now[symbol]))
    return tuple(replace(change, seq=published.seq + i) for i, change in enumerate(changes, start=1))


def apply(published: Published, changes: Iterable[Change]) -> Published:
    """The version that the changes lead to.

    `InvalidInput` on a gap in the sequence, when a reader must take the whole list.
    """
    line, figures, seq = list(published.symbols), dict(published.rows), published.seq
    for change in changes:
        if change.name != published.name or change.seq != seq + 1:
            raise InvalidInput(
                f"{published.name} is at {seq} and expects change {seq + 1}; found {change.name} "
                f"{change.seq}. Take the whole list."
            )
        seq = change.seq
        if change.what in ("removed", "moved"):
            line.remove(change.symbol)
        if change.what in ("added", "moved"):
            line.insert(change.rank - 1, change.symbol)
        if change.what != "removed":
            figures[change.symbol] = change.figures
    return Published(published.name, seq, tuple((symbol, figures[symbol]) for symbol in line))


def _change(
    new: Published,
    what: Literal["added", "removed", "moved", "updated"],
    symbol: str,
    rank: int,
    figures: tuple[tuple[str, float], ...] = (),
) -> Change:
    return Change(new.name, 0, what, symbol, rank, figures)


def _worth_sending(old: Figures, new: Figures) -> bool:
    return any(
        _differs(old.get(name, math.nan), value, WORTH_SENDING.get(UNITS.get(name, ""), 0.0))
        for name, value in new.items()
    )


def _differs(old: float, new: float, threshold: float) -> bool:
    if math.isnan(old) or math.isnan(new):
        return math.isnan(old) != math.isnan(new)
    return abs(new - old) > threshold
