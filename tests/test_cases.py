"""Cases worked out by hand, kept as data in `tests/cases/*.toml`, each run through the engine step by step.

The answers come from the definitions, never from the code; the working stands beside each in a comment. The notation:

- `bars`: a line is `minute symbol prices xvolume [@vwap]`. The minute is that of the bar's start, New York, or a span
  `09:30..09:39` with a bar in every minute. Prices are `=10` (all four alike) or open high low close.
- `facts.SYMBOL`: facts of a symbol. `usual = n` is a usual volume of n shares by every minute, `usual_a_minute = n`
  of n shares in every minute.
- `scanners.NAME`: thresholds; `class` where the name is a variant's; `gates = "off"` lifts the price, dollar and volume
  gates; "none" is no limit. `events`: `minute halt|lift SYMBOL`, or `minute set SCANNER THRESHOLD value`.
- `metrics`: `minute symbol metric value`; `fires`: every trigger of the day, `minute symbol scanner [field=value …]`;
  `lists`: `minute list = SYMBOL[:score] …`. A value is a number, a fraction `10/3`, or `unknown`.
"""

import math
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scanner_kit import metrics as m
from scanner_kit import scanners
from scanner_kit.bars import PRICES, Event, SettingsChange, Tape, VendorHalt
from scanner_kit.calendar import TradingDay
from scanner_kit.engine import Engine, Scan
from scanner_kit.scanner import Scanner
from scanner_kit.triggers import Trigger
from scanner_kit.universe import WORDS, Universe

FOLDER = Path(__file__).parent / "cases"
OFF = {"min_price": None, "min_dollar_volume": None, "min_rvol": None}


def lines(text: str) -> list[list[str]]:
    """The words of each line; what follows a # is a remark."""
    return [words for line in text.splitlines() if (words := line.partition("#")[0].split())]


def minute(clock: str) -> int:
    hours, minutes = clock.split(":")
    return (int(hours) - 4) * 60 + int(minutes)


def number(word: str) -> float:
    return math.nan if word == "unknown" else float(Fraction(word))


def threshold(value: Any) -> Any:
    if value == "none":
        return None
    return int(value) if isinstance(value, str) and value.isdigit() else value


@dataclass(frozen=True)
class Case:
    """A case as it is written."""

    name: str
    bars: str
    day: str = "2025-01-27"
    facts: dict[str, dict[str, Any]] | None = None
    scanners: dict[str, dict[str, Any]] | None = None
    source: dict[str, Any] | None = None
    events: str = ""
    metrics: str = ""
    fires: str | None = None
    lists: str = ""

    def tape(self) -> Tape:
        tape = Tape.empty(self.universe())
        for span, symbol, *rest in lines(self.bars):
            first, _, last = span.partition("..")
            prices = [rest[0][1:]] * 4 if rest[0].startswith("=") else rest[:4]
            columns = dict(zip(PRICES, map(float, prices), strict=True))
            columns |= {"volume": float(word[1:]) for word in rest if word.startswith("x")}
            columns |= {"vwap": float(word[1:]) for word in rest if word.startswith("@")}
            for name, value in columns.items():
                getattr(tape, name)[minute(first) : minute(last or first) + 1, tape.universe.row(symbol)] = value
        return replace(tape, events=self._events())

    def universe(self) -> Universe:
        facts, day = self.facts or {}, TradingDay.of(self.day)
        symbols = sorted({words[1] for words in lines(self.bars)} | set(facts))
        names = {name for own in facts.values() for name in own} - {"usual", "usual_a_minute"}
        known: dict[str, Any] = {
            name: np.array([facts.get(s, {}).get(name, None if name in WORDS else math.nan) for s in symbols]) for name in names
        }
        usual = [_usual(facts.get(symbol, {}), day.minutes) for symbol in symbols]
        return Universe.of(day, symbols, {**known, "usual_volume": np.array(usual).T}, **(self.source or {}))

    def roster(self) -> list[Scanner]:
        return [_scanner(name, dict(own)) for name, own in (self.scanners or {}).items()]

    def measured(self) -> list[m.Metric]:
        return [m.by_name(words[2]) for words in lines(self.metrics)]

    def until(self) -> int:
        """A few minutes after the last that the case speaks of."""
        texts = (self.bars, self.events, self.metrics, self.fires or "", self.lists)
        last = max(minute(words[0].split("..")[-1]) for text in texts for words in lines(text))
        return min(last + 6, TradingDay.of(self.day).minutes)

    def _events(self) -> dict[int, tuple[Event, ...]]:
        events: dict[int, tuple[Event, ...]] = {}
        for clock, what, *rest in lines(self.events):
            k = minute(clock)
            events[k] = (*events.get(k, ()), _event(what, rest))
        return events


def _event(what: str, rest: list[str]) -> Event:
    if what == "set":
        name, parameter, value = rest
        return SettingsChange.of(**{name: {parameter: threshold(value)}})
    return VendorHalt(rest[0], {"halt": True, "lift": False}[what])


def _usual(own: dict[str, Any], minutes: int) -> np.ndarray:
    return np.full(minutes, own.get("usual", math.nan)) if "usual_a_minute" not in own else own["usual_a_minute"] * np.arange(1.0, minutes + 1)


def _scanner(name: str, own: dict[str, Any]) -> Scanner:
    made = scanners.CLASSES[own.pop("class", name)]
    lifted = OFF if own.pop("gates", "on") == "off" else {}
    return made(name=name, **{**lifted, **{key: threshold(value) for key, value in own.items()}})


def cases() -> Iterator[Any]:
    for path in sorted(FOLDER.glob("*.toml")):
        for case in tomllib.loads(path.read_text())["case"]:
            yield pytest.param(Case(**case), id=f"{path.stem}: {case['name']}")


@pytest.mark.parametrize("case", list(cases()))
def test_the_engine_gives_the_answer_that_was_worked_out_by_hand(case: Case) -> None:
    tape = case.tape()
    engine = Engine(tape.universe, case.roster(), case.measured())
    scans = [engine.step(tape.bars(k)) for k in range(case.until())]
    for clock, symbol, metric, expected in lines(case.metrics):
        found = scans[minute(clock)].snapshot[m.by_name(metric)].values[tape.universe.row(symbol)]
        assert found == approx(expected), f"{metric} of {symbol} at {clock}"
    for clock, name, _, *expected_rows in lines(case.lists):
        assert _same_list(scans[minute(clock)], name, expected_rows), f"{name} at {clock}: {scans[minute(clock)].lists[name]}"
    if case.fires is not None:
        _check_triggers(engine.triggers, case)


def approx(word: str) -> Any:
    return pytest.approx(number(word), rel=1e-12, abs=1e-12, nan_ok=True)


def _same_list(scan: Scan, name: str, expected: list[str]) -> bool:
    ranking = scan.lists[name]
    told = [word.partition(":") for word in expected]
    scores = zip(ranking.scores, told, strict=False)
    return [symbol for symbol, _, _ in told] == list(ranking.symbols) and all(
        not score or found == approx(score) for found, (_, _, score) in scores
    )


def _check_triggers(found: list[Trigger], case: Case) -> None:
    expected = sorted(lines(case.fires or ""), key=lambda words: (minute(words[0]), words[2], words[1]))
    assert [f"{t.k // 60 + 4:02}:{t.k % 60:02} {t.symbol} {t.scanner}" for t in found] == [" ".join(words[:3]) for words in expected]
    for trigger, words in zip(found, expected, strict=True):
        for name, value in (word.split("=") for word in words[3:]):
            said = getattr(trigger, name)
            assert said == (value if isinstance(said, str) else approx(value)), f"{name} of {' '.join(words[:3])}"


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.values[0].name for case in cases()]
    assert len(names) == len(set(names))
    assert all(name[0].isupper() or name.startswith("`") for name in names)
