"""Small days written as text, and what is worked out by hand beside them.

- `bars`: a line is `minute symbol prices xvolume [@vwap]`. The minute is that of the bar's start, New York, or a span
  `09:30..09:39` with a bar in every minute. Prices are `=10` (all four alike) or open high low close.
- `facts`: facts by symbol. `usual = n` is a usual volume of n shares by every minute, `usual_a_minute = n` of n shares
  in every minute.
- `scanners`: thresholds by name; `class` where the name is a variant's; `gates = "off"` lifts the price, dollar and
  volume gates; "none" is no limit. `events`: `minute halt|lift SYMBOL`, or `minute set SCANNER THRESHOLD value`.
- `metrics`: `minute symbol metric value`; `fires`: every trigger of the day, `minute symbol scanner [field=value …]`;
  `lists`: `minute list = SYMBOL[:score] …`. A value is a number, a fraction `10/3`, or `unknown`.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from scanner_kit import metrics as m
from scanner_kit import scanners
from scanner_kit.bars import FIELDS, PRICES, Event, SettingsChange, Tape, VendorHalt
from scanner_kit.calendar import TradingDay
from scanner_kit.composition import AnyScanner
from scanner_kit.engine import Engine, Scan
from scanner_kit.scanner import Scanner
from scanner_kit.universe import WORDS, Universe

OFF: dict[str, Any] = {"min_price": None, "min_dollar_volume": None, "min_rvol": None}
"""Thresholds that lift the gates which a small day would not pass."""
Facts = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Case:
    """A case as it is written."""

    name: str
    bars: str
    day: str = "2025-01-27"
    facts: Facts = field(default_factory=dict)
    scanners: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)
    events: str = ""
    metrics: str = ""
    fires: str | None = None
    lists: str = ""

    def tape(self) -> Tape:
        return tape_of(self.bars, self.facts, self.day, self.events, **self.source)

    def roster(self) -> list[Scanner]:
        return [_scanner(name, dict(own)) for name, own in self.scanners.items()]

    def measured(self) -> list[m.Metric]:
        return [m.by_name(words[2]) for words in lines(self.metrics)]

    def until(self) -> int:
        """A few minutes after the last that the case speaks of."""
        last = last_minute(self.bars, self.events, self.metrics, self.fires or "", self.lists)
        return min(last + 6, TradingDay.of(self.day).minutes)


def tape_of(bars: str, facts: Facts | None = None, day: str = "2025-01-27", events: str = "", **source: Any) -> Tape:
    """The tape of a day that is written as text."""
    universe = _universe(bars, facts or {}, TradingDay.of(day), source)
    shape = (universe.day.minutes, len(universe))
    columns: dict[str, Any] = {name: np.full(shape, 0.0 if name == "volume" else math.nan) for name in FIELDS}
    for span, symbol, *rest in lines(bars):
        first, _, last = span.partition("..")
        some = slice(minute(first), minute(last or first) + 1)
        for name, value in _columns(rest).items():
            columns[name][some, universe.row(symbol)] = value
    return Tape(universe, **columns, events=_events(events))


def scanned(
    tape: Tape, roster: Iterable[AnyScanner], until: int, metrics: Iterable[m.Metric] = ()
) -> tuple[Engine, list[Scan]]:
    """An engine after the first `until` minutes of a tape, with the scan of each."""
    engine = Engine(tape.universe, roster, metrics)
    return engine, [engine.step(tape.bars(k)) for k in range(until)]


def lines(text: str) -> list[list[str]]:
    """The words of each line; what follows a # is a remark."""
    return [words for line in text.splitlines() if (words := line.partition("#")[0].split())]


def minute(clock: str) -> int:
    """The k of a minute written as New York's clock."""
    hours, minutes = clock.split(":")
    return (int(hours) - 4) * 60 + int(minutes)


def clock(k: int) -> str:
    """The clock of a minute."""
    return f"{k // 60 + 4:02}:{k % 60:02}"


def last_minute(*texts: str) -> int:
    """The last minute that some texts speak of."""
    return max(minute(words[0].split("..")[-1]) for text in texts for words in lines(text))


def number(word: str) -> float:
    """A number, a fraction, or unknown."""
    return math.nan if word == "unknown" else float(Fraction(word))


def _universe(bars: str, facts: Facts, day: TradingDay, source: Mapping[str, Any]) -> Universe:
    symbols = sorted({words[1] for words in lines(bars)} | set(facts))
    names = {name for own in facts.values() for name in own} - {"usual", "usual_a_minute"}
    known: dict[str, Any] = {
        name: [facts.get(symbol, {}).get(name, None if name in WORDS else math.nan) for symbol in symbols]
        for name in names
    }
    usual = np.stack([_usual(facts.get(symbol, {}), day.minutes) for symbol in symbols], axis=1)
    return Universe.of(day, symbols, {**known, "usual_volume": usual}, **source)


def _usual(own: Mapping[str, Any], minutes: int) -> np.ndarray:
    if "usual_a_minute" in own:
        return np.arange(1.0, minutes + 1) * float(own["usual_a_minute"])
    return np.full(minutes, own.get("usual", math.nan))


def _columns(words: list[str]) -> dict[str, float]:
    prices = [words[0][1:]] * 4 if words[0].startswith("=") else words[:4]
    named = {"x": "volume", "@": "vwap"}
    return dict(zip(PRICES, map(float, prices), strict=True)) | {
        named[w[0]]: float(w[1:]) for w in words if w[0] in named
    }


def _events(text: str) -> dict[int, tuple[Event, ...]]:
    events: dict[int, tuple[Event, ...]] = {}
    for at, what, *rest in lines(text):
        events[minute(at)] = (*events.get(minute(at), ()), _event(what, rest))
    return events


def _event(what: str, rest: list[str]) -> Event:
    if what == "set":
        name, parameter, value = rest
        return SettingsChange.of(**{name: {parameter: _threshold(int(value) if value.isdigit() else value)}})
    return VendorHalt(rest[0], {"halt": True, "lift": False}[what])


def _scanner(name: str, own: dict[str, Any]) -> Scanner:
    made = scanners.CLASSES[own.pop("class", name)]
    lifted = OFF if own.pop("gates", "on") == "off" else {}
    return made(name=name, **{**lifted, **{key: _threshold(value) for key, value in own.items()}})


def _threshold(value: Any) -> Any:
    return None if value == "none" else value
