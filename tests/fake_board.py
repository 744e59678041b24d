"""Random scans in the shapes of the engine, for tests of the screens; run it to look at the page in a browser."""

import datetime as dt
import math
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import param

from scanner_kit.calendar import TradingDay
from scanner_kit.errors import InvalidInput
from scanner_kit.reason import Reason
from scanner_kit.views import Board

DAY = TradingDay.of("2025-01-27")
CATEGORIES = (
    "gappers_up",
    "gappers_down",
    "momentum_up",
    "momentum_down",
    "winners",
    "losers",
    "anomalies",
    "high_volume",
    "new_highs",
    "new_lows",
    "reversals",
)
SCANNERS = (
    "hod_break",
    "pmh_break",
    "vwap_reclaim",
    "orb_break_up",
    "gap_and_go",
    "momentum",
    "unusual_volume",
    "breakout_20d",
    "halt_resume",
)


class FakeScanner(param.Parameterized):
    """What every fake scanner has: the gates."""

    triggers = True
    min_price = param.Number(1.0, bounds=(0, None), doc="The last price is at least this.", metadata={"unit": "$"})
    min_rvol = param.Number(
        3.0, bounds=(0, None), allow_None=True, doc="Relative volume for the time of day.", metadata={"unit": "×"}
    )
    cooldown = param.Integer(15, bounds=(0, 960), doc="Minutes between two firings.", metadata={"unit": "min"})
    min_dollar_volume = param.NumericTuple(
        (100_000.0, 1_000_000.0), doc="Dollars traded today: in premarket, and after.", metadata={"unit": "$"}
    )
    symbols = param.List(None, allow_None=True, doc="Only these symbols.")


class GapScanner(FakeScanner):
    """Gapped, and through the premarket high."""

    min_gap = param.Number(4.0, bounds=(0, 100), doc="Percent above the previous close.", metadata={"unit": "%"})
    breakout: Any = param.Selector(default="wick", objects=["wick", "close"], doc="What has to be beyond the level.")


class ListScanner(GapScanner):
    """A list that ranks and never triggers."""

    triggers = False


@dataclass(frozen=True)
class Row:
    symbol: str
    score: float
    figures: dict[str, float]


@dataclass(frozen=True)
class Trigger:
    time: dt.datetime
    session: str
    symbol: str
    scanner: str
    kind: str = "fired"
    side: int = 1
    price: float = 10.0
    level: float = 9.9
    severity: float = 99.0
    stop: float = 9.5


@dataclass(frozen=True)
class Health:
    subject: str
    state: str
    colour: str
    reason: str
    since: dt.datetime | None = None
    figures: dict[str, float] = field(default_factory=dict)


def roster() -> list[FakeScanner]:
    return [ListScanner(name=name) for name in (*CATEGORIES, "hot")] + [GapScanner(name=name) for name in SCANNERS]


class Market:
    """A made-up market: random walks of `symbols`, a step at a time."""

    def __init__(self, symbols: int = 120, seed: int = 7, k: int = 330) -> None:
        self.rng = np.random.default_rng(seed)
        letters = np.array(list("ABCDEFGHIKLMNOPRSTUVWXYZ"))
        names = {"".join(self.rng.choice(letters, self.rng.integers(2, 5))) for _ in range(symbols * 2)}
        self.symbols = sorted(names)[:symbols]
        self.symbols[0], self.symbols[1] = "BRK.B", "NVDA"
        self.before = np.round(np.exp(self.rng.normal(2.6, 1.1, symbols)), 2)
        self.k = 0
        self.close = np.full((960, symbols), np.nan)
        self.volume = np.zeros((960, symbols))
        self.drift = self.rng.normal(0, 0.0009, symbols)
        gap = np.where(
            self.rng.random(symbols) < 0.4, self.rng.normal(0, 0.05, symbols), self.rng.normal(0, 0.01, symbols)
        )
        self.close[0] = self.before * (1 + gap)
        self.busy = np.exp(self.rng.normal(8, 1.4, symbols))
        for _ in range(k):
            self.step()

    def step(self) -> None:
        self.k += 1
        n = len(self.symbols)
        pace = 1.0 if self.k >= 330 else 0.35
        self.close[self.k] = self.close[self.k - 1] * np.exp(self.drift * pace + self.rng.normal(0, 0.0032 * pace, n))
        self.volume[self.k] = np.rint(self.busy * pace * self.rng.gamma(1.2, 1.0, n))

    def figures(self, i: int) -> dict[str, float]:
        close, day_volume = self.close[self.k, i], float(self.volume[: self.k + 1, i].sum())
        opened = self.close[min(self.k, 330), i]
        return {
            "last": float(close),
            "change_pct": 100 * (close / self.before[i] - 1),
            "gap_pct": 100 * (opened / self.before[i] - 1),
            "rvol_tod": float(np.clip(self.volume[self.k - 20 : self.k + 1, i].mean() / 5_000, 0, 100))
            if i % 17
            else math.nan,
            "day_volume": day_volume,
            "day_dollar_volume": day_volume * float(close),
        }

    def lists(self) -> dict[str, Any]:
        figures = {symbol: self.figures(i) for i, symbol in enumerate(self.symbols)}
        change5 = {s: 100 * (self.close[self.k, i] / self.close[self.k - 5, i] - 1) for i, s in enumerate(self.symbols)}
        by = {
            name: {s: f[name] for s, f in figures.items()}
            for name in ("change_pct", "gap_pct", "rvol_tod", "day_dollar_volume")
        }
        off = {
            s: 100 * (1 - self.close[self.k, i] / np.nanmax(self.close[: self.k + 1, i]))
            for i, s in enumerate(self.symbols)
        }
        up = {
            s: 100 * (self.close[self.k, i] / np.nanmin(self.close[: self.k + 1, i]) - 1)
            for i, s in enumerate(self.symbols)
        }
        chosen = {
            "hot": _top(by["rvol_tod"], 5, floor=0, scale=10),
            "gappers_up": _top(by["gap_pct"], floor=2),
            "gappers_down": _top(by["gap_pct"], sign=-1, floor=2),
            "momentum_up": _top(change5, floor=1),
            "momentum_down": _top(change5, sign=-1, floor=1),
            "winners": _top(by["change_pct"], floor=5),
            "losers": _top(by["change_pct"], sign=-1, floor=5),
            "anomalies": _top(by["rvol_tod"], floor=3),
            "high_volume": _top(by["day_dollar_volume"], floor=1e6),
            "new_highs": _top(off, sign=-1, ceiling=0.5),
            "new_lows": _top(up, sign=-1, ceiling=0.5),
            "reversals": [],
        }
        return {name: SimpleNamespace(rows=[Row(s, x, figures[s]) for s, x in rows]) for name, rows in chosen.items()}

    def triggers(self, count: int = 3) -> list[Any]:
        made: list[Trigger] = []
        for _ in range(self.rng.integers(0, count + 1)):
            i, price_side = int(self.rng.integers(len(self.symbols))), 1 if self.rng.random() < 0.7 else -1
            price = float(self.close[self.k, i])
            base = Trigger(
                DAY.time(self.k),
                str(DAY.session(self.k)),
                self.symbols[i],
                "hod_break",
                side=price_side,
                price=price,
                level=price * (1 - 0.002 * price_side),
                stop=price * (1 - 0.012 * price_side),
            )
            for scanner in self.rng.choice(SCANNERS[:-1], self.rng.integers(1, 4), replace=False):
                severity = float(100 - self.rng.exponential(2.5)) if self.rng.random() > 0.06 else math.nan
                made.append(replace(base, scanner=str(scanner), severity=severity))
        if self.rng.random() < 0.03:
            made.append(
                replace(
                    Trigger(DAY.time(self.k), "REGULAR", self.symbols[3], "halt_resume", kind="halted", severity=88.0),
                    price=12.0,
                )
            )
        return made

    def scan(self, forming: bool = False) -> Any:
        k = self.k
        return SimpleNamespace(
            day=DAY.date,
            k=k,
            time=DAY.time(k),
            session=str(DAY.session(k)),
            forming=forming,
            lists=self.lists(),
            triggers=tuple(self.triggers()),
        )

    def closes(self, symbols: Any) -> Any:
        rows = [self.symbols.index(symbol) for symbol in symbols]
        return self.close[max(0, self.k - 29) : self.k + 1, rows]

    def history(self, symbol: str) -> dict[str, Any]:
        if symbol not in self.symbols:
            raise InvalidInput(f"The universe of {DAY.date} has no symbol {symbol!r}. Look for one that is on a list.")
        i = self.symbols.index(symbol)
        k = np.arange(1, self.k + 1)
        k = k[(k >= 330) | (k % 4 == 0)]
        close, opened = self.close[k, i], self.close[k - 1, i]
        wick = 0.0018 * close * (0.3 + (k * 7919 + i) % 10 / 10)
        high, low = np.maximum(close, opened) + wick, np.minimum(close, opened) - wick
        volume = self.volume[k, i]
        pre = k < 330
        levels = {"HOD": high.max(), "PMH": high[pre].max(), "PDH": self.before[i] * 1.02, "PDC": self.before[i]}
        if self.k >= 345:
            opening = (k >= 330) & (k < 345)
            levels |= {"OR high": high[opening].max(), "OR low": low[opening].min()}
        return {
            "day": DAY,
            "k": k,
            "open": opened,
            "high": high,
            "low": low,
            "close": close,
            "volume": volume,
            "name": f"{symbol.title()} Industries Inc.",
            "vwap": np.cumsum(close * volume) / np.maximum(np.cumsum(volume), 1),
            "levels": levels,
            "prev_close": float(self.before[i]),
        }

    def explain(self, symbol: str) -> list[dict[str, Any]]:
        f = self.figures(self.symbols.index(symbol))
        lists = self.lists()
        answers: list[dict[str, Any]] = []
        for name in (*CATEGORIES, *SCANNERS):
            on = (
                [row.symbol for row in lists[name].rows].index(symbol) + 1
                if name in lists and symbol in [r.symbol for r in lists[name].rows]
                else None
            )
            reasons = [
                Reason("last", ">=", f["last"], 1.0, f["last"] - 1.0, f["last"] >= 1.0, unit="$"),
                Reason("rvol_tod", ">=", f["rvol_tod"], 3.0, f["rvol_tod"] - 3, f["rvol_tod"] >= 3, unit="×")
                if math.isfinite(f["rvol_tod"])
                else Reason("rvol_tod", ">=", math.nan, 3.0, None, None, "fewer than 5 sessions of usual volume", "×"),
                Reason("gap_pct", ">=", f["gap_pct"], 2.0, f["gap_pct"] - 2.0, f["gap_pct"] >= 2.0, unit="%"),
                Reason(
                    "day_dollar_volume",
                    ">=",
                    f["day_dollar_volume"],
                    1e6,
                    f["day_dollar_volume"] - 1e6,
                    f["day_dollar_volume"] >= 1e6,
                    unit="$",
                ),
            ]
            held = [reason.holds for reason in reasons]
            holds = bool(on) if name in CATEGORIES else None if None in held else all(held)
            answers.append(
                {"scanner": name, "category": name in CATEGORIES, "holds": holds, "rank": on, "conditions": reasons}
            )
        answers[len(CATEGORIES)] |= {"fired": DAY.time(self.k - 4), "blocked": "in cooldown until 11:02"}
        return answers


def _top(
    values: dict[str, float],
    top: int = 20,
    *,
    sign: int = 1,
    floor: float = -math.inf,
    ceiling: float = math.inf,
    scale: float = 1,
) -> Any:
    known = [
        (s, x * scale)
        for s, x in values.items()
        if math.isfinite(x) and sign * x >= (floor if math.isinf(ceiling) else -math.inf) and x <= ceiling
    ]
    return sorted(known, key=lambda pair: (-sign * pair[1], pair[0]))[:top]


def health(k: int = 0) -> list[Health]:
    since = DAY.time(335)
    return [
        Health("facts", "WARMING", "amber", "usual_volume is unknown for 61 % of the symbols with a bar", since),
        Health("feed iex", "LIVE", "green", "a bar 2 s ago", since),
        Health("engine", "LIVE", "green", "step 1.9 ms", since),
    ]


def make_board(market: Market, **more: Any) -> Board:
    """A board over a made-up market, with thresholds that can be changed."""
    held = {scanner.name: scanner for scanner in roster()}

    def change(name: str, values: dict[str, Any]) -> None:
        try:
            type(held[name])(**{**held[name].param.values(), **values})
        except (ValueError, TypeError) as error:
            raise InvalidInput(f"{error} Still {held[name].param.values()[next(iter(values))]}.") from None
        held[name].param.update(**values)
        board.configure(held.values())

    given = {
        "on_change": change,
        "explain": market.explain,
        "history": market.history,
        "closes": market.closes,
        "label": "simulated",
    }
    board = Board(held.values(), **{**given, **more})
    for k in range(331, market.k):
        market_then = market.rng.random()
        if market_then < 0.4:
            board.remember([replace(t, time=DAY.time(k), session="REGULAR") for t in market.triggers(2)])
    board.report(health())
    board.publish(market.scan())
    return board


def main() -> None:
    """Serve the page with a step every 2 seconds: `python tests/fake_board.py [port]`."""
    import sys

    from tornado.ioloop import PeriodicCallback

    from scanner_kit import views

    market = Market(k=470)
    board = make_board(market)

    def step() -> None:
        market.step()
        board.publish(market.scan())

    PeriodicCallback(step, 2000).start()
    views.serve(board, port=int(sys.argv[1]) if len(sys.argv) > 1 else 5007)


if __name__ == "__main__":
    main()
