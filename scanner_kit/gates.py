"""The gates: limits that every scanner has, as plain values, and the conditions they make.

Limits include their value, a limit of 0 is a limit, and what is unknown passes no gate. Junk never reaches a list that
somebody watches.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from scanner_kit import metrics as m
from scanner_kit.calendar import Session
from scanner_kit.circumstances import Depending
from scanner_kit.conditions import AllOf, Condition
from scanner_kit.snapshot import Snapshot

Limits = tuple[tuple[str, m.Metric, str], ...]

AT_LEAST: Limits = (
    ("min_price", m.Last(), ">="),
    ("min_volume", m.DayVolume(), ">="),
    ("min_volume_1m", m.Volume(minutes=1), ">="),
    ("min_change_pct", m.ChangePct(), ">="),
    ("min_rvol", m.RelativeVolume(), ">="),
    ("min_market_cap", m.Fact("market_cap"), ">="),
    ("min_avg_volume", m.Fact("avg_volume_30d"), ">="),
)
AT_MOST: Limits = (
    ("max_price", m.Last(), "<="),
    ("max_change_pct", m.ChangePct(), "<="),
    ("max_rvol", m.RelativeVolume(), "<="),
    ("max_spread_pct", m.SpreadPct(), "<="),
    ("max_market_cap", m.Fact("market_cap"), "<="),
    ("max_float", m.Fact("float_shares"), "<="),
)
AMONG = (
    ("sectors", "sector"),
    ("industries", "industry"),
    ("exchanges", "exchange"),
    ("kinds", "kind"),
    ("symbols", "symbol"),
)
DOLLARS = m.DayDollarVolume()
NO_CONDITION = ("top", "cooldown", "rearm_pct")
LOOSE_WHEN_NEGATED = ("sessions", "min_price", "max_price", "min_dollar_volume")


@dataclass(frozen=True)
class Gates:
    """The limits of one scanner; None is no limit. Words are frozensets, `min_dollar_volume` is (in PRE, after)."""

    sessions: tuple[Session, ...]
    min_price: float | None
    max_price: float | None
    min_dollar_volume: tuple[float, float] | None
    top: int
    cooldown: float
    rearm_pct: float
    sectors: frozenset[str] | None = None
    industries: frozenset[str] | None = None
    exchanges: frozenset[str] | None = None
    kinds: frozenset[str] | None = None
    min_market_cap: float | None = None
    max_market_cap: float | None = None
    max_float: float | None = None
    min_avg_volume: float | None = None
    min_volume: float | None = None
    min_volume_1m: float | None = None
    min_change_pct: float | None = None
    max_change_pct: float | None = None
    min_rvol: float | None = None
    max_rvol: float | None = None
    max_spread_pct: float | None = None
    symbols: frozenset[str] | None = None
    exclude: frozenset[str] | None = None

    def passed(self, now: Snapshot) -> AllOf:
        """Who passes all limits in force; found once for all scanners whose limits are equal."""
        key = ("gates", *(getattr(self, f.name) for f in fields(self) if f.name not in NO_CONDITION))
        known: AllOf | None = now.memo.get(key)
        if known is None:
            there = (now.in_universe,) if now.universe.away else ()
            known = now.memo[key] = AllOf((*there, *self._conditions(now)))
        return known

    def negatable(self, now: Snapshot) -> list[Condition]:
        """Those conditions that `~` negates: all but sessions, price and dollar volume."""
        return list(self._conditions(now, leave=LOOSE_WHEN_NEGATED))

    def _conditions(self, now: Snapshot, leave: tuple[str, ...] = ()) -> Iterator[Condition]:
        if "sessions" not in leave:
            yield now.in_sessions(self.sessions)
        for name, metric, op in (*AT_LEAST, *AT_MOST):
            limit = getattr(self, name)
            if limit is not None and name not in leave:
                yield now[metric] >= limit if op == ">=" else now[metric] <= limit
        if self.min_dollar_volume is not None and "min_dollar_volume" not in leave:
            yield self._dollars(now, self.min_dollar_volume)
        yield from self._words(now)

    def _dollars(self, now: Snapshot, least: tuple[float, float]) -> Condition:
        share = now.universe.share_of_market
        early, after = (now[DOLLARS] >= dollars * share for dollars in least)
        if least[0] == least[1]:
            return early
        return Depending(now.in_sessions((Session.PRE,)), early, after)

    def _words(self, now: Snapshot) -> Iterator[Condition]:
        for name, word in AMONG:
            allowed = getattr(self, name)
            if allowed is not None:
                yield now.one_of(word, allowed)
        if self.exclude:
            yield now.one_of("symbol", self.exclude, among=False)

    def metrics(self) -> tuple[m.Metric, ...]:
        """The metrics that the limits in force look at."""
        limits = tuple(metric for name, metric, _ in (*AT_LEAST, *AT_MOST) if getattr(self, name) is not None)
        return limits if self.min_dollar_volume is None else (*limits, DOLLARS)

    def stricter(self, other: "Gates") -> "Gates":
        """The stricter of each limit of two scanners."""
        return Gates(
            **{f.name: _stricter(f.name, getattr(self, f.name), getattr(other, f.name)) for f in fields(Gates)}
        )


def _stricter(name: str, a: Any, b: Any) -> Any:
    if a is None or b is None:
        return b if a is None else a
    return _rule(name)(a, b)


def _rule(name: str) -> Callable[[Any, Any], Any]:
    if name == "sessions":
        return lambda a, b: tuple(session for session in a if session in b)
    if name == "min_dollar_volume":
        return lambda a, b: tuple(map(max, a, b))
    if name == "rearm_pct":
        return lambda a, b: 0.0 if 0.0 in (a, b) else max(a, b)
    if name == "exclude":
        return frozenset.union
    if name in dict(AMONG):
        return frozenset.intersection
    return max if name == "cooldown" or name.startswith("min_") else min
