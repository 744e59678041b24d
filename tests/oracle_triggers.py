"""The trigger scanners: conditions, memory, severity, rank and risk, as the definitions write them."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from oracle_lists import Market, Settings, Spot, Truth, all_of, gates, ge, gt, le, lt, settings_of
from oracle_metrics import NAN, Bar, Minutes

SEVERITY_NEEDS = 20
STOP_ATR = 0.1

Ask = Callable[["Moment", Settings], Truth]
Level = Callable[["Moment", Settings], float]


class Runs(NamedTuple):
    """Where a close lies against vwap: since when each side has been running, before the bar of each minute."""

    below: Sequence[float]
    above: Sequence[float]


class Moment:
    """One symbol in one step, with its bar and what came before it."""

    __slots__ = ("bar", "runs", "spot")

    def __init__(self, spot: Spot, bar: Bar | None, runs: Runs) -> None:
        self.spot, self.bar, self.runs = spot, bar, runs

    def __call__(self, name: str, before: int = 0) -> float:
        """The metric, ``before`` steps ago."""
        return self.spot(name, before)

    def fact(self, name: str) -> Any:
        """The fact of this symbol."""
        return self.spot.fact(name)


class Rule(NamedTuple):
    """A trigger scanner's row in the table; ``fires`` is its trigger condition, ``selects`` its other conditions."""

    scanner: str
    fires: Ask
    level: Level
    selects: Ask
    defaults: Settings
    short: bool = False
    breaks: bool = False
    kind: str = "fired"
    score: str = "rvol_tod"


class Memory:
    """What is kept per scanner, kind and symbol."""

    __slots__ = ("condition", "k", "level")

    def __init__(self) -> None:
        self.condition: Truth = None
        self.k: int | None = None
        self.level = NAN


def triggers(
    market: Market, bars: Sequence[Minutes], overrides: Mapping[str, Any], scanners: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Every firing of the day, in order of k, scanner, symbol, kind."""
    rules = [rule for rule in RULES if scanners is None or rule.scanner in scanners]
    settings = {rule.scanner: settings_of(rule.scanner, TRIGGER_GATES | rule.defaults, overrides) for rule in rules}
    runs = [vwap_runs(own, market.metrics["vwap"][j]) for j, own in enumerate(bars)]
    memory = [[Memory() for _ in market.symbols] for _ in rules]
    fired: list[dict[str, Any]] = []
    for k in range(market.clock.minutes):
        moments = [Moment(Spot(market, k, j), own[k], runs[j]) for j, own in enumerate(bars)]
        for rule, memories in zip(rules, memory, strict=True):
            fired += _step(rule, settings[rule.scanner], moments, memories)
    return sorted(fired, key=lambda t: (t["k"], t["scanner"], t["symbol"], t["kind"]))


def vwap_runs(bars: Minutes, vwap: Sequence[float]) -> Runs:
    """The minute at which the run beyond vwap began, as it stood before the bar of each minute (NaN: no run)."""
    below_at: list[float] = []
    above_at: list[float] = []
    below = above = NAN
    for k, bar in enumerate(bars):
        below_at.append(below)
        above_at.append(above)
        if bar is None or math.isnan(vwap[k]):
            continue
        if bar.close < vwap[k]:
            below, above = (float(k) if math.isnan(below) else below), NAN
        elif bar.close > vwap[k]:
            above, below = (float(k) if math.isnan(above) else above), NAN
    return Runs(below_at, above_at)


def severity(score: float, j: int, rule: Rule, moments: Sequence[Moment]) -> float:
    """The share of the liquid symbols with a known score whose score is ≤ this one's, itself included, in percent."""
    if math.isnan(score):
        return NAN
    known = below = 0
    for other, moment in enumerate(moments):
        theirs = moment(rule.score)
        if math.isnan(theirs) or not (moment.fact("liquid") or other == j):
            continue
        known += 1
        below += theirs <= score
    return 100 * below / known if known >= SEVERITY_NEEDS else NAN


def risk(moment: Moment, price: float, level: float, side: int, dollars: float) -> tuple[float, float, float]:
    """Stop, distance and shares; all unknown without a bar, a level or an ATR, or with a stop on the wrong side."""
    atr = moment.fact("atr_14d")
    if moment.bar is None or math.isnan(level) or math.isnan(atr):
        return NAN, NAN, NAN
    below, above = min(level, moment.bar.low) - STOP_ATR * atr, max(level, moment.bar.high) + STOP_ATR * atr
    stop = below if side > 0 else above
    if (side > 0 and stop >= price) or (side < 0 and stop <= price):
        return NAN, NAN, NAN
    distance = abs(price - stop)
    return stop, distance, float(math.floor(dollars / distance))


def _step(rule: Rule, s: Settings, moments: Sequence[Moment], memories: Sequence[Memory]) -> list[dict[str, Any]]:
    fired = []
    for j, (moment, memory) in enumerate(zip(moments, memories, strict=True)):
        condition = rule.fires(moment, s)
        if condition is True:
            level = rule.level(moment, s)
            due = all_of((gates(moment.spot, s), rule.selects(moment, s)))
            if due is True and _fires(rule, s, memory, moment.spot.k, level):
                fired.append(_trigger(rule, s, j, moments, level))
                memory.k, memory.level = moment.spot.k, level
        if condition is not None:
            memory.condition = condition
    return fired


def _fires(rule: Rule, s: Settings, memory: Memory, k: int, level: float) -> bool:
    if memory.k is None:
        return True
    if memory.condition is not True and k - memory.k >= s["cooldown"]:
        return True
    if not rule.breaks or s["rearm_pct"] == 0:
        return False
    if rule.short:
        return bool(level <= memory.level * (1 - s["rearm_pct"] / 100))
    return bool(level >= memory.level * (1 + s["rearm_pct"] / 100))


def _trigger(rule: Rule, s: Settings, j: int, moments: Sequence[Moment], level: float) -> dict[str, Any]:
    moment = moments[j]
    spot, clock = moment.spot, moment.spot.market.clock
    side = -1 if rule.short or (rule.scanner == "unusual_volume" and moment("change_pct") < 0) else 1
    price, score = moment("last"), moment(rule.score)
    stop, distance, shares = risk(moment, price, level, side, s["risk"])
    return {
        "day": clock.day, "k": spot.k, "time": clock.end(spot.k), "session": spot.session, "symbol": spot.symbol,
        "scanner": rule.scanner, "kind": rule.kind, "side": side, "price": price, "level": level, "score": score,
        "severity": severity(score, j, rule, moments), "rank": _rank(rule, s, j, moments),
        "stop": stop, "distance": distance, "shares": shares,
    }  # fmt: skip


def _rank(rule: Rule, s: Settings, j: int, moments: Sequence[Moment]) -> int:
    order = []
    for other, moment in enumerate(moments):
        if all_of((gates(moment.spot, s), rule.selects(moment, s))) is True:
            score = moment(rule.score)
            order.append((math.isnan(score), 0.0 if math.isnan(score) else -score, moment.spot.symbol, other))
    return [entry[3] for entry in sorted(order)].index(j) + 1


def breaks_above(moment: Moment, s: Settings, level: float) -> Truth:
    """This bar's high (or close) strictly above the level as it stood before this bar."""
    if moment.bar is None:
        return None
    return gt(moment.bar.close if s["breakout"] == "close" else moment.bar.high, level)


def breaks_below(moment: Moment, s: Settings, level: float) -> Truth:
    """This bar's low (or close) strictly below the level as it stood before this bar."""
    if moment.bar is None:
        return None
    return lt(moment.bar.close if s["breakout"] == "close" else moment.bar.low, level)


def reclaims(moment: Moment, s: Settings) -> Truth:
    """This bar closes above vwap, and the run below began ``minutes`` or more ago."""
    if moment.bar is None or math.isnan(moment("vwap")):
        return None
    since = moment.runs.below[moment.spot.k]
    return moment.bar.close > moment("vwap") and not math.isnan(since) and moment.spot.k - since >= s["minutes"]


def loses(moment: Moment, s: Settings) -> Truth:
    """The mirror image of :func:`reclaims`."""
    if moment.bar is None or math.isnan(moment("vwap")):
        return None
    since = moment.runs.above[moment.spot.k]
    return moment.bar.close < moment("vwap") and not math.isnan(since) and moment.spot.k - since >= s["minutes"]


def bullish(moment: Moment) -> Truth:
    """The bar closed above its open and in the upper third of its range; unknown without a bar."""
    bar = moment.bar
    if bar is None:
        return None
    return bar.close > bar.open and bar.close >= bar.low + (2 / 3) * (bar.high - bar.low)


def _with_bar(moment: Moment, condition: Truth) -> Truth:
    return None if moment.bar is None else condition


def _turned(moment: Moment, value: float) -> Truth:
    now, before = moment("halt"), moment("halt", 1)
    return all_of((
        None if math.isnan(now) else now == value,
        None if math.isnan(before) else before != value,
    ))  # fmt: skip


def _metric_before(name: str) -> Level:
    return lambda m, s: m(name, 1)


def _fact(name: str) -> Level:
    return lambda m, s: float(m.fact(name))


def _orb(name: str) -> Level:
    return lambda m, s: m(f"{name}_{s['minutes']}", 1)


def _always(moment: Moment, s: Settings) -> Truth:
    return True


def _break(scanner: str, level: Level, down: bool = False, selects: Ask = _always, **defaults: Any) -> Rule:
    breaks = breaks_below if down else breaks_above
    own = {"min_rvol": 3.0, "breakout": "wick"} | defaults
    return Rule(scanner, lambda m, s: breaks(m, s, level(m, s)), level, selects, own, short=down, breaks=True)


def _unusual_level(moment: Moment, s: Settings) -> float:
    return moment("high_5m" if moment("change_pct") < 0 else "low_5m", 1)


def _strong(moment: Moment, s: Settings) -> Truth:
    return all_of((
        ge(moment("rsi_14"), s["min_rsi"]),
        gt(moment("last"), moment.fact("sma_20d")),
        moment.spot.k >= 335,
    ))  # fmt: skip


def _not_gapped_over(moment: Moment, s: Settings) -> Truth:
    return all_of((le(moment("rth_open"), moment.fact("high_20d")), bullish(moment)))


TRIGGER_GATES: Settings = {"sessions": ("REGULAR",), "risk": 100.0}

RULES: tuple[Rule, ...] = (
    _break("hod_break", _metric_before("hod")),
    _break("lod_break", _metric_before("lod"), down=True),
    _break("pmh_break", _metric_before("pmh")),
    _break("pml_break", _metric_before("pml"), down=True),
    _break("pdh_break", _fact("pdh"), selects=lambda m, s: le(m("rth_open"), m.fact("pdh"))),
    _break("pdl_break", _fact("pdl"), down=True, selects=lambda m, s: ge(m("rth_open"), m.fact("pdl"))),
    Rule("vwap_reclaim", reclaims, lambda m, s: m("vwap"), _always, {"min_rvol": 3.0, "minutes": 5}),
    Rule("vwap_loss", loses, lambda m, s: m("vwap"), _always, {"min_rvol": 3.0, "minutes": 5}, short=True),
    _break("orb_break_up", _orb("orb_high"), minutes=15, breakout="close"),
    _break("orb_break_down", _orb("orb_low"), down=True, minutes=15, breakout="close"),
    _break("gap_and_go", _metric_before("pmh"), selects=lambda m, s: ge(m("gap_pct"), s["min_gap"]), min_gap=4.0),
    Rule(
        "momentum",
        lambda m, s: _with_bar(m, ge(m("change_5m_pct"), s["min_change_5m"])),
        _metric_before("low_5m"),
        _strong,
        {"min_rsi": 70.0, "min_change_5m": 1.0, "min_rvol": 3.0},
    ),
    Rule(
        "unusual_volume",
        lambda m, s: _with_bar(m, ge(m("rvol_5m_tod"), s["min_rvol_5m"])),
        _unusual_level,
        lambda m, s: ge(abs(m("change_pct")), s["min_change"]),
        {"min_change": 1.0, "min_rvol_5m": 3.0, "min_rvol": 3.0, "cooldown": 60},
    ),
    _break("breakout_20d", _fact("high_20d"), selects=_not_gapped_over, min_rvol=2.0),
    *(
        Rule(
            "halt_resume",
            lambda m, s, value=value: _turned(m, value),  # type: ignore[misc]
            lambda m, s: NAN,
            _always,
            {"cooldown": 0},
            kind=kind,
            score="day_dollar_volume",
        )
        for kind, value in (("halted", 1.0), ("resumed", 2.0))
    ),
)
