"""A snapshot: what is known at one instant, or over a whole day; where every subtle comparison lives.

Arrays are `(symbols,)` at one instant and `(minutes, symbols)` over a day; scanners are written once for both.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scanner_kit.arithmetic import compiled
from scanner_kit.calendar import Session
from scanner_kit.circumstances import Chosen, InSession, InUniverse, Known, OneOf, WasNot, Within
from scanner_kit.columns import Column, Comparison, Memo, OfEach
from scanner_kit.conditions import AllOf, Condition, Spoken
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.metrics import Fact, Level, Metric, MinutesBeyond
from scanner_kit.universe import FACTS, WORDS, Bools, Floats, Rows, Universe

WICK, CLOSE = "wick", "close"


@dataclass(frozen=True, eq=False, repr=False)
class Snapshot:
    """What is known of every symbol at minute `k`; over a day, `k` is `(minutes, 1)`.

    `values` and `before` are the metrics of this step and of step k−1. The bar's columns are NaN without a bar, and
    `close` is so too while the bar is `forming`.
    """

    universe: Universe
    k: Any
    open: Floats
    high: Floats
    low: Floats
    close_so_far: Floats
    values: Mapping[Metric, Floats]
    before_values: Mapping[Metric, Floats]
    forming: bool = False
    memo: Memo = field(default_factory=Memo, init=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of every column."""
        shape: tuple[int, ...] = self.close_so_far.shape
        return shape

    def __len__(self) -> int:
        return len(self.universe)

    def __repr__(self) -> str:
        return f"<Snapshot of {self.universe.day.date}, {len(self)} symbols, {len(self.values)} metrics>"

    def __getitem__(self, metric: Metric) -> Column:
        return self._column(metric, metric.name, lambda now: now._measured(metric, now.values), metric)

    def before(self, metric: Metric) -> Column:
        """The metric as it stood at step k−1, before this bar."""
        return self._column(("before", metric), f"{metric.name} before", lambda now: now._before(metric), metric)

    def _column(
        self,
        key: object,
        label: str,
        read: "Callable[[Snapshot], Floats]",
        metric: Metric | None = None,
        *,
        of_bar: bool = False,
    ) -> Column:
        """The column that is read from a snapshot, the same object for all who ask: `Standing` reads it later."""
        column: Column | None = self.memo.get(key)
        if column is None:
            column = self.memo[key] = Column(self._read(read), label, self.memo, metric, of_bar=of_bar)
        return column

    def of_each(self, column: Column) -> Column:
        """The column with a number for each symbol, also where it is one for all, as `minute` is."""
        if column.metric is not None:
            return column
        known: Column | None = self.memo.get(("each", column))
        if known is None:
            known = self.memo["each", column] = OfEach(column, self.shape, self.memo)
        return known

    def _read(self, read: "Callable[[Snapshot], Floats]") -> "Floats | Callable[[], Floats]":
        return read(self)

    def _like(self, fact: Floats) -> Floats:
        """A number for each symbol, over a whole day in every minute."""
        return fact if fact.shape == self.shape else np.broadcast_to(fact, self.shape)

    def _measured(self, metric: Metric, values: Mapping[Metric, Floats]) -> Floats:
        try:
            return values[metric]
        except KeyError:
            raise InvalidInput(
                f"{metric!r} was not measured. Make it an attribute of the scanner that asks for "
                f"it, or name it to the engine."
            ) from None

    def _before(self, metric: Metric) -> Floats:
        if isinstance(metric, Fact):
            return self._measured(metric, self.values)
        if self.before_values:
            return self._measured(metric, self.before_values)
        return np.full(self.shape, np.nan)

    @property
    def bar_open(self) -> Column:
        """The open of this minute's bar."""
        return self._column("open", "open", lambda now: now.open, of_bar=True)

    @property
    def bar_high(self) -> Column:
        """The high of this minute's bar."""
        return self._column("high", "high", lambda now: now.high, of_bar=True)

    @property
    def bar_low(self) -> Column:
        """The low of this minute's bar."""
        return self._column("low", "low", lambda now: now.low, of_bar=True)

    @property
    def bar_close(self) -> Column:
        """The close of this minute's bar; unknown while it is forming."""
        return self._column("close", "close", _close, of_bar=True)

    @property
    def minute(self) -> Column:
        """k, minutes since 04:00 of the bar's start; 335 is 09:35."""
        return self._column("k", "k", lambda now: np.asarray(now.k, dtype=np.float64))

    @property
    def traded(self) -> Condition:
        """Whether there is a bar in this minute."""
        known: Condition | None = self.memo.get("traded")
        if known is None:
            price = self._column("close so far", "close so far", lambda now: now.close_so_far, of_bar=True)
            known = self.memo["traded"] = Known(price)
        return known

    @property
    def has_bar(self) -> Bools:
        """Who traded in this minute."""
        return self.traded.true

    def fact(self, name: str) -> Column:
        """A number that was known before the day."""
        if name not in FACTS or name in (*WORDS, "usual_volume"):
            raise UnknownName.of("There is no numeric fact", name, set(FACTS) - {*WORDS, "usual_volume"})
        return self._column(("fact", name), name, lambda now: now._like(getattr(now.universe.facts, name)))

    def one_of(self, word: str, allowed: Iterable[str], among: bool = True) -> Condition:
        """Whether the symbol's `sector`, `industry`, `exchange`, `kind`, or the `symbol` itself is among some."""
        key = (word, frozenset(allowed), among)
        if key not in self.memo:
            words = (
                np.array(self.universe.symbols, dtype=object)
                if word == "symbol"
                else getattr(self.universe.facts, word)
            )
            self.memo[key] = OneOf(words, word, key[1], among)
        condition: Condition = self.memo[key]
        return condition

    @property
    def session(self) -> Session:
        """The session of this minute; `InvalidInput` over a whole day, which has several."""
        if self.whole_day:
            raise InvalidInput(
                "A session is of one minute; found a whole day. Ask now.in_sessions((Session.PRE,)), a condition."
            )
        return self.universe.day.session(int(self.k))

    @property
    def in_universe(self) -> Condition:
        """Whether the symbol is of the universe: it may join later, or have left."""
        known: Condition | None = self.memo.get("in universe")
        if known is None:
            there = self._column("universe", "universe", lambda now: now.universe.there(now.k).astype(np.float64))
            known = self.memo["in universe"] = InUniverse(there, self.universe, self.minute)
        return known

    def of_those_there(self, scores: Floats) -> Floats:
        """Scores, unknown of whom is not of the universe."""
        return np.where(self.universe.there(self.k), scores, np.nan) if self.universe.away else scores

    def in_sessions(self, sessions: tuple[Session, ...]) -> Condition:
        """Whether the minute belongs to one of the sessions."""
        key = ("sessions", sessions)
        condition: Condition | None = self.memo.get(key)
        if condition is None:
            condition = self.memo[key] = InSession(self.minute, self.universe.day, sessions)
        return condition

    def severity(self, score: Column) -> "Severity":
        """How scores compare with those of the liquid symbols of this instant; sorted once for equal scores."""
        key = ("severity", score)
        known: Severity | None = self.memo.get(key)
        if known is None:
            known = self.memo[key] = Severity(self.of_those_there(score.values), self.universe.liquid)
        return known

    @property
    def whole_day(self) -> bool:
        """Whether the arrays have a row for each minute."""
        return np.ndim(self.k) > 0

    def at(self, k: int) -> "Snapshot":
        """Minute `k` of a day's snapshot."""
        values, before = (
            {metric: column[k] for metric, column in columns.items()} for columns in (self.values, self.before_values)
        )
        return Snapshot(self.universe, k, self.open[k], self.high[k], self.low[k], self.close_so_far[k], values, before)

    def only_with_bar(self, condition: Condition) -> Condition:
        """The condition, unknown for whom there is no bar in this minute; one about the bar is so by itself."""
        plain = condition.condition if isinstance(condition, Spoken) else condition
        if isinstance(plain, Comparison) and plain.left.of_bar:
            return condition
        return Within(condition, self.traded, "no bar in this minute")

    def regular_from(self, minute: int) -> Condition:
        """From the k-th minute of the day on: `regular_from(335)` is 09:35."""
        return self.minute >= minute

    def breaks_above(self, level: Level, by: str = WICK) -> Condition:
        """The bar's high (or, `by="close"`, its close) strictly above the level as it stood before this bar."""
        return self._breaks(self.bar_high if by == WICK else self.bar_close, level, 1)

    def breaks_below(self, level: Level, by: str = WICK) -> Condition:
        """The bar's low (or its close) strictly below the level as it stood before this bar."""
        return self._breaks(self.bar_low if by == WICK else self.bar_close, level, -1)

    def _breaks(self, price: Column, level: Level, side: int) -> Condition:
        stood = self.before(level)
        return (price > stood if side > 0 else price < stood).breaking(stood, side)

    def reclaims(self, beyond: MinutesBeyond, minutes: int) -> Condition:
        """The bar closes on the other side of the level, beyond which the closes had been for `minutes` or more."""
        level = self[beyond.level]
        back = self.bar_close > level if beyond.side < 0 else self.bar_close < level
        return AllOf((back, self.before(beyond) >= minutes)).at(level)

    def enters(self, metric: Metric, value: float) -> Condition:
        """The metric is this value and was not in the step before; before anything was known it was not."""
        return AllOf((self[metric].equals(value), WasNot(self.before(metric), value)))

    def choose(self, where: Condition, then: "Column | float", otherwise: "Column | float") -> Column:
        """A column that is `then` where a condition holds, `otherwise` where it does not, and unknown where it is."""
        return Chosen(where, then, otherwise, self.memo)


def _close(now: Snapshot) -> Floats:
    return np.full(now.shape, np.nan) if now.forming else now.close_so_far


class Severity:
    """Severity, 0–100: 100 · (liquid symbols with a known score ≤ this one's) ÷ (all such), itself included in both."""

    fewest = 20

    def __init__(self, scores: Floats, liquid: Bools) -> None:
        self.scores, self.liquid = scores, liquid
        peers = np.sort(scores[liquid])  # the unknown come last
        self.peers = peers[: peers.size - np.count_nonzero(np.isnan(peers))]

    def of(self, rows: Rows) -> Floats:
        """The severity of the symbols in some rows, 0–100; NaN with fewer than 20 to compare, or an unknown score."""
        return _severity(self.peers, self.scores[rows], self.liquid[rows], self.fewest)


@compiled
def _severity(peers: Floats, scores: Floats, liquid: Bools, fewest: int) -> Floats:
    severity, below = np.empty(scores.size), np.searchsorted(peers, scores, side="right")
    for i in range(scores.size):
        itself = 0 if liquid[i] else 1
        count = peers.size + itself
        known = not np.isnan(scores[i]) and count >= fewest
        severity[i] = 100.0 * (below[i] + itself) / count if known else np.nan
    return severity
