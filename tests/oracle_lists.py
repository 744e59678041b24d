"""Three-valued conditions, the gates, the eleven categories and ``hot``, as the definitions write them."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from oracle_metrics import NAN, Clock, Source

Truth = bool | None
Settings = dict[str, Any]
ListRow = tuple[int, str, int, str, float]

GATES: Settings = {
    "sessions": ("PRE", "REGULAR", "POST"),
    "min_price": 1.0,
    "max_price": None,
    "min_dollar_volume": (100_000.0, 1_000_000.0),
    "top": 20,
    "cooldown": 15,
    "rearm_pct": 1.0,
    "sectors": None,
    "industries": None,
    "exchanges": None,
    "kinds": None,
    "min_market_cap": None,
    "max_market_cap": None,
    "max_float": None,
    "min_avg_volume": None,
    "min_volume": None,
    "min_volume_1m": None,
    "min_change_pct": None,
    "max_change_pct": None,
    "min_rvol": None,
    "max_rvol": None,
    "max_spread_pct": None,
    "symbols": None,
    "exclude": None,
}


class Market(NamedTuple):
    """A measured day: ``metrics[name][j][k]`` and ``facts[name][j]`` of the symbol j in the minute k."""

    symbols: Sequence[str]
    metrics: Mapping[str, Sequence[Sequence[float]]]
    facts: Mapping[str, Sequence[Any]]
    clock: Clock
    source: Source

    @property
    def day(self) -> date:
        """The trading day."""
        return self.clock.day


class Spot:
    """One symbol in one step: ``spot("hod")``, ``spot("hod", 1)`` one step before, ``spot.fact("pdh")``."""

    __slots__ = ("j", "k", "market", "symbol")

    def __init__(self, market: Market, k: int, j: int) -> None:
        self.market, self.k, self.j, self.symbol = market, k, j, market.symbols[j]

    def __call__(self, name: str, before: int = 0) -> float:
        """The metric, ``before`` steps ago; unknown before 04:00."""
        return self.market.metrics[name][self.j][self.k - before] if self.k >= before else NAN

    def fact(self, name: str) -> Any:
        """The fact of this symbol."""
        return self.market.facts[name][self.j]

    @property
    def session(self) -> str:
        """The session of this step."""
        return self.market.clock.session(self.k)


class Category(NamedTuple):
    """A list: what it asks beyond the gates, the metric it ranks by, and whether the smallest comes first."""

    asks: Callable[[Spot, Settings], Truth]
    score: str
    ascending: bool
    settings: Settings
    then: str | None = None
    absolute: bool = False


def ge(a: float, b: float) -> Truth:
    """a ≥ b, unknown where either is."""
    return None if math.isnan(a) or math.isnan(b) else a >= b


def le(a: float, b: float) -> Truth:
    """a ≤ b, unknown where either is."""
    return None if math.isnan(a) or math.isnan(b) else a <= b


def gt(a: float, b: float) -> Truth:
    """a > b, unknown where either is."""
    return None if math.isnan(a) or math.isnan(b) else a > b


def lt(a: float, b: float) -> Truth:
    """a < b, unknown where either is."""
    return None if math.isnan(a) or math.isnan(b) else a < b


def all_of(parts: Iterable[Truth]) -> Truth:
    """False where a part is false, else unknown where a part is unknown, else true."""
    result: Truth = True
    for part in parts:
        if part is False:
            return False
        if part is None:
            result = None
    return result


def any_of(parts: Iterable[Truth]) -> Truth:
    """True where a part is true, else unknown where a part is unknown, else false."""
    result: Truth = False
    for part in parts:
        if part is True:
            return True
        if part is None:
            result = None
    return result


def gates(spot: Spot, s: Settings) -> Truth:
    """Every gate that is set."""
    return all_of(_gates(spot, s))


def settings_of(name: str, defaults: Settings, overrides: Mapping[str, Any]) -> Settings:
    """The gates, the scanner's own defaults over them, and over those what ``overrides`` says of ``name.threshold``."""
    settings = GATES | defaults
    for key, value in overrides.items():
        scanner, _, threshold = key.partition(".")
        if scanner != name:
            continue
        if threshold not in settings:
            raise KeyError(f"{name} has no threshold {threshold!r}; it has {', '.join(sorted(settings))}.")
        settings[threshold] = value
    return settings


def lists(market: Market, overrides: Mapping[str, Any], scanners: Sequence[str] | None = None) -> list[ListRow]:
    """The rows (k, list, rank, symbol, score) of every category and of ``hot`` over the whole day."""
    wanted = [name for name in CATEGORIES if scanners is None or name in scanners]
    settings = {name: settings_of(name, CATEGORIES[name].settings, overrides) for name in wanted}
    hot = Hot(market, settings_of("hot", HOT, overrides)) if scanners is None or "hot" in scanners else None
    rows: list[ListRow] = []
    for k in range(market.clock.minutes):
        spots = [Spot(market, k, j) for j in range(len(market.symbols))]
        for name in wanted:
            rows += _ranked(name, CATEGORIES[name], spots, settings[name], k)
        if hot is not None:
            rows += [(k, "hot", rank, symbol, s) for rank, (symbol, s) in enumerate(hot.step(spots), 1)]
    return rows


class Hot:
    """The sticky list, one step after the other."""

    def __init__(self, market: Market, settings: Settings) -> None:
        self.settings = settings
        self.s: dict[str, float] = {}
        self.count: dict[str, int] = dict.fromkeys(market.symbols, 0)
        self.members: list[str] = []

    def step(self, spots: Sequence[Spot]) -> list[tuple[str, float]]:
        """Steps (1) to (5) of the definition; the members with their s, in order."""
        for spot in spots:
            self._smooth(spot.symbol, hot_score(spot, self.settings))
        eligible = [spot.symbol for spot in spots if spot.symbol in self.s and gates(spot, self.settings) is True]
        self.members = [symbol for symbol in self.members if symbol in eligible]
        outsiders = self._in_order([symbol for symbol in eligible if symbol not in self.members])
        while outsiders and len(self.members) < self.settings["top"]:
            self.members.append(outsiders.pop(0))
        self._count(outsiders)
        self._replace(outsiders)
        return [(symbol, self.s[symbol]) for symbol in self._in_order(self.members)]

    def _smooth(self, symbol: str, score: float) -> None:
        if math.isnan(score):
            return
        half_life = self.settings["half_life"]
        if symbol not in self.s or half_life == 0:
            self.s[symbol] = score
        else:
            s = self.s[symbol]
            self.s[symbol] = s + (1 - 2 ** (-1 / half_life)) * (score - s)

    def _in_order(self, symbols: Sequence[str]) -> list[str]:
        return sorted(symbols, key=lambda symbol: (-self.s[symbol], symbol))

    def _exceeds_the_weakest(self, symbol: str) -> bool:
        if not self.members:
            return False
        weakest = self._in_order(self.members)[-1]
        return bool(self.s[symbol] > self.s[weakest] * (1 + self.settings["margin"] / 100))

    def _count(self, outsiders: Sequence[str]) -> None:
        counts = {symbol: self.count[symbol] + 1 for symbol in outsiders if self._exceeds_the_weakest(symbol)}
        self.count = dict.fromkeys(self.count, 0) | counts

    def _replace(self, outsiders: Sequence[str]) -> None:
        for symbol in outsiders:
            if self.count[symbol] >= self.settings["steps"] and self._exceeds_the_weakest(symbol):
                self.members = [*self._in_order(self.members)[:-1], symbol]


def hot_score(spot: Spot, s: Settings) -> float:
    """rvol_weight · rvol_tod + day_weight · rvol_day; an unknown part counts 0, both unknown is no score."""
    tod, day = spot("rvol_tod"), spot("rvol_day")
    if math.isnan(tod) and math.isnan(day):
        return NAN
    tod_part = 0.0 if math.isnan(tod) else s["rvol_weight"] * min(tod, 100.0)
    day_part = 0.0 if math.isnan(day) else s["day_weight"] * day
    return float(tod_part + day_part)


def _gates(spot: Spot, s: Settings) -> Iterable[Truth]:
    yield spot.session in s["sessions"]
    floor = s["min_dollar_volume"]
    if floor is not None:
        floor = floor if isinstance(floor, (int, float)) else floor[0 if spot.session == "PRE" else 1]
        yield ge(spot("day_dollar_volume"), floor * spot.market.source.share)
    for gate, metric in (
        ("min_price", "last"), ("min_volume", "day_volume"), ("min_volume_1m", "volume_1m"),
        ("min_change_pct", "change_pct"), ("min_rvol", "rvol_tod"),
    ):  # fmt: skip
        if s[gate] is not None:
            yield ge(spot(metric), s[gate])
    for gate, metric in (("max_price", "last"), ("max_change_pct", "change_pct"), ("max_rvol", "rvol_tod")):
        if s[gate] is not None:
            yield le(spot(metric), s[gate])
    yield from _fact_gates(spot, s)
    if s["max_spread_pct"] is not None:
        yield None


def _fact_gates(spot: Spot, s: Settings) -> Iterable[Truth]:
    for gate, fact in (("min_market_cap", "market_cap"), ("min_avg_volume", "avg_volume_30d")):
        if s[gate] is not None:
            yield ge(spot.fact(fact), s[gate])
    for gate, fact in (("max_market_cap", "market_cap"), ("max_float", "float_shares")):
        if s[gate] is not None:
            yield le(spot.fact(fact), s[gate])
    for gate, fact in (("sectors", "sector"), ("industries", "industry"), ("exchanges", "exchange"), ("kinds", "kind")):
        if s[gate] is not None:
            yield None if spot.fact(fact) is None else spot.fact(fact) in s[gate]
    if s["symbols"] is not None:
        yield spot.symbol in s["symbols"]
    if s["exclude"] is not None:
        yield spot.symbol not in s["exclude"]


def _ranked(name: str, category: Category, spots: Sequence[Spot], s: Settings, k: int) -> list[ListRow]:
    entries = []
    for spot in spots:
        score = abs(spot(category.score)) if category.absolute else spot(category.score)
        if math.isnan(score) or all_of((gates(spot, s), category.asks(spot, s))) is not True:
            continue
        then = -spot(category.then) if category.then else 0.0
        entries.append((score if category.ascending else -score, then, spot.symbol, score))
    entries.sort()
    return [(k, name, rank, entry[2], entry[3]) for rank, entry in enumerate(entries[: s["top"]], 1)]


def _momentum_time(spot: Spot) -> Truth:
    return spot.k >= 335


def _new_high(spot: Spot, s: Settings) -> Truth:
    return all_of((
        le(spot("hod_distance_pct"), s["max_distance"]),
        le(spot("minutes_since_hod"), s["max_minutes"]),
        lt(spot("hod_distance_pct"), spot("lod_distance_pct")),
    ))  # fmt: skip


def _new_low(spot: Spot, s: Settings) -> Truth:
    return all_of((
        le(spot("lod_distance_pct"), s["max_distance"]),
        le(spot("minutes_since_lod"), s["max_minutes"]),
        lt(spot("lod_distance_pct"), spot("hod_distance_pct")),
    ))  # fmt: skip


def _reversal(spot: Spot, s: Settings) -> Truth:
    gap, move = spot("gap_pct"), spot("from_open_pct")
    return any_of((
        all_of((ge(gap, s["min_gap"]), le(move, -s["min_reversal"]))),
        all_of((le(gap, -s["min_gap"]), ge(move, s["min_reversal"]))),
    ))  # fmt: skip


def _always(spot: Spot, s: Settings) -> Truth:
    return True


_REGULAR = ("REGULAR",)

CATEGORIES: dict[str, Category] = {
    "gappers_up": Category(lambda m, s: ge(m("gap_pct"), s["min_gap"]), "gap_pct", False, {"min_gap": 2.0}),
    "gappers_down": Category(lambda m, s: le(m("gap_pct"), -s["min_gap"]), "gap_pct", True, {"min_gap": 2.0}),
    "momentum_up": Category(
        lambda m, s: all_of((_momentum_time(m), ge(m("change_5m_pct"), s["min_change_5m"]))),
        "change_5m_pct", False, {"min_change_5m": 1.0, "sessions": _REGULAR},
    ),
    "momentum_down": Category(
        lambda m, s: all_of((_momentum_time(m), le(m("change_5m_pct"), -s["min_change_5m"]))),
        "change_5m_pct", True, {"min_change_5m": 1.0, "sessions": _REGULAR},
    ),
    "winners": Category(_always, "change_pct", False, {"min_change_pct": 5.0}),
    "losers": Category(_always, "change_pct", True, {"max_change_pct": -5.0}),
    "anomalies": Category(
        lambda m, s: ge(m("rvol_5m_tod"), s["min_rvol_5m"]), "rvol_5m_tod", False, {"min_rvol_5m": 3.0}
    ),
    "high_volume": Category(_always, "day_dollar_volume", False, {"min_rvol": 2.0}),
    "new_highs": Category(
        _new_high, "hod_distance_pct", True, {"max_distance": 0.5, "max_minutes": 5}, then="day_dollar_volume"
    ),
    "new_lows": Category(
        _new_low, "lod_distance_pct", True, {"max_distance": 0.5, "max_minutes": 5}, then="day_dollar_volume"
    ),
    "reversals": Category(
        _reversal, "from_open_pct", False, {"min_gap": 2.0, "min_reversal": 1.0}, absolute=True
    ),
}  # fmt: skip

HOT: Settings = {"top": 5, "rvol_weight": 10.0, "day_weight": 5.0, "half_life": 3.0, "margin": 10.0, "steps": 2}
