"""What the price did after each trigger: the definitions of outcomes read literally, bar by bar.

``outcomes`` takes triggers and the bars of their days and gives a row per trigger and horizon; ``interval`` the
bootstrap of a figure over days. Where the text leaves a choice, this is how it is read:

- the entry is the symbol's first bar after minute k, and it must lie in the session of minute k; an unknown ``halt``
  is not 1; the steps asked for it are k+1…k_entry-1, so a ``halted`` trigger whose next bar is at k+1 is tradable;
- R is told of every trigger that carried a distance, tradable or not; what needs an entry is unknown without one;
- the stop is the one that the trigger carried, the target lies one R beyond the *entry* (not beyond its price);
- an entry beyond the stop keeps its excursions, and costs are taken from its -1 too; ``beyond_stop`` is false, not
  unknown, where there is no entry or no R: it counts;
- the horizon of a random entry begins at its own minute, and no halt keeps it out; the bars it is drawn from number at
  least one, as the trigger's own entry is among them; an entry beyond its stop is compared with chance too;
- chance's win rate and mean are over the 20 draws as drawn, repeated ones as often as they come;
- triggers that are not tradable or have no R are in no figure.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple, TypeVar

import pandas as pd
from oracle_draws import Draws
from oracle_metrics import NAN, OPEN, Bar, Clock, Minutes, Series, halts, quotient, total

HORIZONS: Mapping[str, int | None] = {"5m": 5, "15m": 15, "30m": 30, "60m": 60, "end": None}
LATEST_ENTRY, CHANCES, CHANCE_MINUTES, RESAMPLES, FEWEST_DAYS = 5, 20, 30, 1_000, 5

Row = dict[str, Any]
Result = TypeVar("Result")


class Market(NamedTuple):
    """A day's bars and ``halt`` of every symbol, minute by minute."""

    clock: Clock
    bars: Mapping[str, Minutes]
    halt: Mapping[str, Series]

    def session_end(self, k: int) -> int:
        """The first minute after the session of the minute ``k``."""
        ends = {"PRE": OPEN, "REGULAR": self.clock.close, "POST": self.clock.minutes}
        return ends[self.clock.session(k)]


class Trade(NamedTuple):
    """An entry at the open of a bar: upwards (+1) or downwards (-1); stop and R are NaN where there are none."""

    k: int
    entry: float
    side: int
    stop: float
    r: float


class Outcome(NamedTuple):
    """What became of a trade: its class, and its result in R after costs."""

    result: str
    result_r: float


def market(clock: Clock, bars: Mapping[str, Minutes]) -> Market:
    """The day with ``halt`` worked out; all symbols of the day must be given."""
    symbols = list(bars)
    halt = halts([bars[symbol] for symbol in symbols], clock)
    return Market(clock, bars, dict(zip(symbols, halt, strict=True)))


def outcomes(
    triggers: pd.DataFrame, markets: Mapping[date, Market], seed: int = 0, cost_bps: float = 5.0, chance: bool = True
) -> list[Row]:
    """A row per trigger and horizon, in order of day, k, scanner, symbol, kind, horizon; ``chance`` costs the time."""
    rows: list[Row] = []
    for trigger in triggers.to_dict("records"):
        day = pd.Timestamp(trigger["day"]).date()
        rows += trigger_rows(
            {str(k): v for k, v in trigger.items()} | {"day": day}, markets[day], seed, cost_bps, chance
        )
    order = list(HORIZONS)
    keys = ("day", "k", "scanner", "symbol", "kind")
    return sorted(rows, key=lambda row: (*(row[name] for name in keys), order.index(row["horizon"])))


def trigger_rows(trigger: Row, there: Market, seed: int, cost_bps: float, chance: bool) -> list[Row]:
    """The rows of one trigger, one for each horizon."""
    bars = there.bars[trigger["symbol"]]
    k_entry = entry_minute(trigger["k"], bars, there.halt[trigger["symbol"]], there)
    draws = []
    if chance and k_entry is not None and not math.isnan(trigger["distance"]):
        draws = chance_trades(trigger, bar_at(bars, k_entry).open, bars, there, seed)
    rows = []
    for horizon, minutes in HORIZONS.items():
        row = {name: trigger[name] for name in ("day", "k", "symbol", "scanner", "kind")}
        row |= {"horizon": horizon, "tradable": k_entry is not None, "r": float(trigger["distance"])}
        row |= {"entry_k": NAN, "entry": NAN, "mfe_pct": NAN, "mae_pct": NAN, "mfe_r": NAN, "mae_r": NAN}
        row |= {"result": None, "result_r": NAN, "beyond_stop": False, "chance_win_rate": NAN, "chance_mean_r": NAN}
        if k_entry is not None:
            entry = bar_at(bars, k_entry).open
            trade = Trade(k_entry, entry, trigger["side"], trigger["stop"], trigger["distance"])
            row |= {"entry_k": k_entry, "entry": entry, **followed(trade, minutes, bars, there, cost_bps)}
        if draws:
            ends = [outcome(trade, horizon_bars(trade.k, minutes, bars, there), cost_bps) for trade in draws]
            row["chance_win_rate"] = win_rate(ends)
            row["chance_mean_r"] = mean_r(ends)
        rows.append(row)
    return rows


def followed(trade: Trade, minutes: int | None, bars: Minutes, there: Market, cost_bps: float) -> Row:
    """The figures of one trade over one horizon."""
    ahead = horizon_bars(trade.k, minutes, bars, there)
    favourable, adverse = excursions(trade, ahead)
    end = outcome(trade, ahead, cost_bps)
    return {
        "mfe_pct": 100 * favourable / trade.entry,
        "mae_pct": 100 * adverse / trade.entry,
        "mfe_r": quotient(favourable, trade.r),
        "mae_r": quotient(adverse, trade.r),
        "result": end.result,
        "result_r": end.result_r,
        "beyond_stop": is_beyond_stop(trade),
    }


def entry_minute(k: int, bars: Minutes, halt: Series, there: Market) -> int | None:
    """The minute of the symbol's next bar, if it is in the same session, not too late and not after a halt."""
    for later in range(k + 1, there.session_end(k)):
        if bars[later] is not None:
            return later if later <= k + LATEST_ENTRY else None
        if halt[later] == 1:
            return None
    return None


def horizon_bars(k: int, minutes: int | None, bars: Minutes, there: Market) -> list[Bar]:
    """The bars that start in [k, k + minutes), cut at the end of the session of the minute ``k``."""
    end = there.session_end(k)
    if minutes is not None:
        end = min(end, k + minutes)
    return [bar for bar in bars[k:end] if bar is not None]


def excursions(trade: Trade, ahead: Sequence[Bar]) -> tuple[float, float]:
    """The best and the worst the price did, in dollars from the entry: at least 0, at most 0."""
    favourable = adverse = 0.0
    for bar in ahead:
        if trade.side > 0:
            favourable, adverse = max(favourable, bar.high - trade.entry), min(adverse, bar.low - trade.entry)
        else:
            favourable, adverse = max(favourable, trade.entry - bar.low), min(adverse, trade.entry - bar.high)
    return favourable, adverse


def is_beyond_stop(trade: Trade) -> bool:
    """Whether the entry is at the stop or beyond it."""
    return trade.entry <= trade.stop if trade.side > 0 else trade.entry >= trade.stop


def outcome(trade: Trade, ahead: Sequence[Bar], cost_bps: float) -> Outcome:
    """The class before costs and the result in R after them; the first of the bars is the entry's."""
    if math.isnan(trade.r):
        return Outcome("no R", NAN)
    result, gross = before_costs(trade, ahead)
    return Outcome(result, gross - cost_bps / 10_000 * trade.entry / trade.r)


def before_costs(trade: Trade, ahead: Sequence[Bar]) -> tuple[str, float]:
    """Stop or target, whichever comes first, the stop in a bar with both; else what the last close makes of it."""
    if is_beyond_stop(trade):
        return "loss", -1.0
    for bar in ahead:
        if trade.side > 0:
            if bar.low <= trade.stop:
                return "loss", (min(trade.stop, bar.open) - trade.entry) / trade.r
            if bar.high >= trade.entry + trade.r:
                return "win", 1.0
        else:
            if bar.high >= trade.stop:
                return "loss", (trade.entry - max(trade.stop, bar.open)) / trade.r
            if bar.low <= trade.entry - trade.r:
                return "win", 1.0
    return "open", trade.side * (ahead[-1].close - trade.entry) / trade.r


def chance_trades(trigger: Row, entry: float, bars: Minutes, there: Market, seed: int) -> list[Trade]:
    """20 entries, drawn with replacement, at the opens of the symbol's bars of the next 30 minutes of the session."""
    k, symbol, day = trigger["k"], trigger["symbol"], trigger["day"]
    end = min(k + CHANCE_MINUTES + 1, there.session_end(k))
    places = [later for later in range(k + 1, end) if bars[later] is not None]
    key = [seed, day.year * 10_000 + day.month * 100 + day.day, k, *symbol.encode("utf-8")]
    trades = []
    for draw in Draws(key).integers(len(places), CHANCES):
        own = bar_at(bars, places[draw]).open
        r = own * (trigger["distance"] / entry)
        trades.append(Trade(places[draw], own, trigger["side"], own - trigger["side"] * r, r))
    return trades


def bar_at(bars: Minutes, k: int) -> Bar:
    """The bar of the minute ``k``, which must be there."""
    bar = bars[k]
    if bar is None:
        raise LookupError(f"no bar in minute {k}")
    return bar


# Figures, and how uncertain they are


def with_r(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those with an entry and an R."""
    return [own for own in outcomes if own.result in ("win", "loss", "open")]


def win_rate(outcomes: Sequence[Outcome]) -> float:
    """Wins ÷ all with an R; a share, not percent."""
    judged = with_r(outcomes)
    return quotient(float(sum(own.result == "win" for own in judged)), float(len(judged)))


def mean_r(outcomes: Sequence[Outcome]) -> float:
    """The mean result in R, after costs."""
    judged = with_r(outcomes)
    return quotient(total([own.result_r for own in judged]), float(len(judged)))


def profit_factor(outcomes: Sequence[Outcome]) -> float:
    """Σ positive ÷ |Σ negative| results after costs; unknown where nothing is negative."""
    results = [own.result_r for own in with_r(outcomes)]
    gains, losses = total([x for x in results if x > 0]), total([x for x in results if x < 0])
    return quotient(gains, abs(losses))


def interval(
    days: Sequence[Sequence[Result]], figure: Callable[[Sequence[Result]], float], seed: int = 0
) -> tuple[float, float]:
    """From 5 to 95 % of what a figure is over 1,000 resamples of the days; days without a trigger are empty lists."""
    if len(days) < FEWEST_DAYS:
        return NAN, NAN
    draws = Draws([seed])
    known = []
    for _ in range(RESAMPLES):
        pooled = [own for day in draws.integers(len(days), len(days)) for own in days[day]]
        value = figure(pooled)
        if not math.isnan(value):
            known.append(value)
    return quantile(known, 0.05), quantile(known, 0.95)


def quantile(values: Sequence[float], part: float) -> float:
    """By linear interpolation between the two values beside the place ``part`` of the way from first to last."""
    if not values:
        return NAN
    order = sorted(values)
    at = part * (len(order) - 1)
    below = math.floor(at)
    above = min(below + 1, len(order) - 1)
    return order[below] + (at - below) * (order[above] - order[below])
