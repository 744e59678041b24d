"""The laws, over every exported metric and scanner: what is exported tomorrow is tested without a word here."""

import dataclasses
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from types import ModuleType
from typing import Any

import param
import pytest

from scanner_kit import metrics, scanners
from scanner_kit.bars import VendorHalt
from scanner_kit.composition import AnyScanner
from scanner_kit.conditions import Condition
from scanner_kit.metrics import HighOfDay, Level, Metric
from scanner_kit.scanner import EVERY_SESSION, Scanner
from scanner_kit.scanners import (
    Anomalies,
    GapAndGo,
    HaltResume,
    HighVolume,
    HodBreak,
    Momentum,
    UnusualVolume,
    VwapReclaim,
    Winners,
)
from scanner_kit.snapshot import Snapshot
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape
from scanner_kit.testing import (
    LAWS,
    HardlyTried,
    Law,
    check_metric,
    check_scanner,
    names_what_it_reads,
    no_look_ahead,
    one_engine,
    sample_tape,
    symbols_are_independent,
    touches_nothing,
    unknown_is_not_false,
)
from scanner_kit.testing._records import SELECTED, Case, Subject


def exported(module: ModuleType, base: type) -> list[Any]:
    """The classes that a module exports of a kind, the kind itself and what only lends it a name left out."""
    named = [getattr(module, name) for name in module.__all__]
    return [cls for cls in named if isinstance(cls, type) and issubclass(cls, base) and cls not in (Metric, Level)]


METRICS: list[type[Metric]] = exported(metrics, Metric)
SCANNERS: list[type[Scanner]] = exported(scanners, Scanner)


def other_value(field: dataclasses.Field[Any]) -> Any:
    """Another value for a parameter of a metric."""
    match field.default:
        case int():
            return field.default + 2 if field.default >= 0 else -field.default
        case float():
            return field.default / 2
        case str():
            return "pdh"
        case Level():
            return HighOfDay()
    raise AssertionError(
        f"No other value is known for the parameter {field.name} = {field.default!r} of a metric. Name one here."
    )


def other_metrics() -> list[Metric]:
    """Every metric that has parameters, each of them changed alone."""
    return [cls(**{field.name: other_value(field)}) for cls in METRICS for field in dataclasses.fields(cls)]


def other_threshold(parameter: Any) -> Any:
    """Another value for a parameter that a scanner declares itself."""
    if isinstance(parameter, param.Selector):
        return next(value for value in parameter.objects if value != parameter.default)
    return max(1, parameter.default // 3) if isinstance(parameter, param.Integer) else parameter.default / 3


def other_scanner(cls: type[Scanner]) -> Scanner:
    """The scanner under loose gates and other thresholds, so that it has much to say."""
    own = [name for name in cls.param if name not in Scanner.param]
    thresholds = {name: other_threshold(cls.param[name]) for name in own}
    gates: dict[str, Any] = {
        "sessions": EVERY_SESSION,
        "min_price": 0.5,
        "min_dollar_volume": 5_000,
        "cooldown": 4,
        "rearm_pct": 0.3,
        "top": 7,
    }
    made = cls()
    rvol = {"min_rvol": 0.4} if made.gates.min_rvol else {}
    return cls(name=f"other_{made.name}", **gates, **rvol, **thresholds)


def composed() -> list[AnyScanner]:
    """A few compositions."""
    return [
        (HodBreak() & Momentum()).named("both"),
        (GapAndGo() | UnusualVolume() | other_scanner(VwapReclaim)).named("either"),
        (other_scanner(HodBreak) & ~Anomalies()).named("without"),
        ((HighVolume() | Anomalies()) & ~(GapAndGo() | UnusualVolume())).named("list_without"),
    ]


GROUPS: dict[str, Callable[[], list[Any]]] = {
    "metrics": lambda: [*METRICS, *metrics.ALL],
    "metrics with other parameters": other_metrics,
    "loose scanners and compositions": lambda: [*map(other_scanner, SCANNERS), *composed()],
    "scanners": lambda: list(SCANNERS),
}
QUICK = (names_what_it_reads, no_look_ahead, symbols_are_independent, unknown_is_not_false)
"""Scanners are tried by every law where they have much to say; with their defaults by those that take whole days."""
TRIED = [(law, name) for name in GROUPS for law in (QUICK if name == "scanners" else LAWS)]


@cache
def group(name: str) -> Case:
    """A group on the sample tape; what was plainly said of it is found once for all laws."""
    return Case(Subject.of(GROUPS[name]()), sample_tape())


@pytest.mark.parametrize(("law", "name"), TRIED, ids=[f"{name}: {law.name}" for law, name in TRIED])
def test_everything_exported_keeps_every_law(law: Law, name: str) -> None:
    assert law.on(group(name)).compared > 0


@pytest.mark.parametrize("cls", [*METRICS, *SCANNERS])
def test_every_class_asks_nothing_of_the_outside(cls: type[Metric] | type[Scanner]) -> None:
    assert touches_nothing(cls).compared > 0


def test_live_equals_tuning_on_a_simulated_day() -> None:
    tape = simulated_tape(SimulatedMarket(symbols=12, seed=3))
    assert one_engine(*SCANNERS, tape=tape).compared > 0


def test_live_equals_tuning_where_a_vendor_halts() -> None:
    tape = sample_tape()
    halted, lifted = (VendorHalt("S00", halted=halted) for halted in (True, False))
    assert one_engine(HaltResume, tape=replace(tape, events={340: (halted,), 346: (lifted,)})).compared > 0


def test_every_scanner_has_something_to_say_on_the_sample_tape() -> None:
    case = group("loose scanners and compositions")
    selected = {who for (who, what), values in case.whole.columns.items() if what == SELECTED and (values == 1.0).any()}
    fired = {trigger.scanner for trigger in case.steps.triggers}
    assert selected == {scanner.name for scanner in case.subject.scanners}
    assert fired == {scanner.name for scanner in case.subject.scanners if scanner.triggers}


def test_every_metric_is_somewhere_known_on_the_sample_tape() -> None:
    case = group("metrics")
    unknown = {who for (who, _), values in case.whole.columns.items() if not (values == values).any()}
    reported = {who for who in unknown if who.startswith("Reported(")}  # nobody reports on this tape
    assert reported
    assert unknown - reported == {"SpreadPct()"}


def test_a_metric_is_checked_in_three_lines() -> None:
    report = check_metric(metrics.Rsi(period=5))
    assert str(report).startswith("Rsi(period=5) keeps 17 laws over 24 symbols × 400 minutes, known in ")


def test_a_scanner_is_checked_in_three_lines() -> None:
    report = check_scanner(HodBreak)
    assert len(report.tried) == len(LAWS)
    assert report.selected > report.fired > 0


class NeverOut(HodBreak):
    """Selects nobody."""

    min_price = 1e9


class NeverLoud(HodBreak):
    """Selects, and never fires."""

    def trigger(self, now: Snapshot) -> Condition:
        return now[metrics.Last()] < 0


@pytest.mark.parametrize(("scanner", "silent"), [(NeverOut, "never selected"), (NeverLoud, "never fired")])
def test_a_scanner_that_had_nothing_to_say_was_hardly_tried(scanner: type[Scanner], silent: str) -> None:
    with pytest.warns(
        HardlyTried, match=f"{scanner.__name__}.*: It was hardly tried: it {silent} on this tape. Loosen"
    ):
        report = check_scanner(scanner)
    assert len(report.tried) == len(LAWS)
    assert str(report).endswith("or give a tape on which it has something to say.")


def test_a_list_that_selects_is_tried_though_it_never_fires() -> None:
    report = check_scanner(Winners(min_change_pct=0.1, min_dollar_volume=0))
    assert (report.selected > 0, report.fired, report.remark) == (True, 0, "")
