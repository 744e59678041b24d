"""Histories: days measured once and side by side, kept on shelves, and judged as the engine judges them."""

import datetime as dt
import os
import pickle
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from notation import tape_of

from scanner_kit import metrics as m
from scanner_kit import scanners as built_in
from scanner_kit.bars import Event, LateBars, Tape, VendorHalt
from scanner_kit.calendar import TradingDay
from scanner_kit.columns import Column
from scanner_kit.composition import AnyScanner
from scanner_kit.conditions import Condition
from scanner_kit.engine import Engine
from scanner_kit.errors import InvalidInput
from scanner_kit.meter import measure_day
from scanner_kit.metrics import Metric, Moment
from scanner_kit.scanner import Scanner
from scanner_kit.snapshot import Snapshot
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape
from scanner_kit.triggers import Trigger
from scanner_kit.tuning import history as h
from scanner_kit.tuning.fingerprint import fingerprint
from scanner_kit.tuning.history import History, measured, name_of
from scanner_kit.tuning.judging import judge
from scanner_kit.tuning.shelf import Cache, DiskShelf
from scanner_kit.universe import Floats

DATES = ("2025-06-18", "2025-07-02", "2025-07-03", "2025-07-07")  # the third closes early
TAPES = [
    simulated_tape(SimulatedMarket(symbols=40, seed=i, day=dt.date.fromisoformat(date))) for i, date in enumerate(DATES)
]
LOW = {"min_dollar_volume": 10_000, "min_rvol": 1.0}
SCANNERS: list[AnyScanner] = [
    *(type(scanner)(**LOW) for scanner in built_in.roster() if scanner.triggers),
    built_in.HodBreak(**LOW) | built_in.LodBreak(**LOW),
    built_in.HodBreak(**LOW) & ~built_in.GappersUp(),
    built_in.UnusualVolume(name="any_volume", **{**LOW, "cooldown": 0, "min_rvol_5m": 1.0}),
    built_in.HodBreak(name="often", **{**LOW, "rearm_pct": 0.1, "cooldown": 1}),
]


class Days:
    """A source that counts how often it is read."""

    def __init__(self, tapes: list[Tape]) -> None:
        self.tapes, self.read = {tape.universe.day: tape for tape in tapes}, 0

    def tape(self, day: TradingDay) -> Tape:
        self.read += 1
        return self.tapes[day]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, set[Metric]]]:
    """The jobs that were measured: how many days, and what."""
    jobs: list[tuple[int, set[Metric]]] = []
    plain = h._measure_beside

    def counting(days: Any, metrics: Any) -> int:
        jobs.append((len(days), set(metrics)))
        return plain(days, metrics)

    monkeypatch.setattr(h, "_measure_beside", counting)
    return jobs


def engine_says(tape: Tape, *scanners: AnyScanner) -> list[Trigger]:
    engine = Engine(tape.universe, scanners)
    for bars in tape:
        engine.step(bars)
    return engine.triggers


@pytest.fixture(scope="module")
def stepped() -> list[Trigger]:
    """What the engine says of all days under all scanners at once."""
    return [trigger for tape in TAPES for trigger in engine_says(tape, *SCANNERS)]


@pytest.fixture(scope="module")
def judged() -> History:
    """The history of all days."""
    return History.of_tapes(TAPES)


def alike(a: Trigger, b: Trigger) -> bool:
    return repr(a) == repr(b)  # NaN is equal to itself in a text


def test_days_side_by_side_are_measured_as_each_alone() -> None:
    history = History.of_tapes(TAPES, m.ALL)
    assert [day.day.minutes for day in history.days] == [960, 960, 780, 960]
    for day, tape in zip(history.days, TAPES, strict=True):
        alone = measure_day(tape, m.ALL)
        for metric in m.ALL:
            np.testing.assert_array_equal(day.values[metric], alone.values[metric], err_msg=metric.name)
            np.testing.assert_array_equal(day.before[metric], alone.before_values[metric], err_msg=metric.name)


@pytest.mark.parametrize("scanner", SCANNERS, ids=lambda scanner: scanner.name)
def test_a_history_is_judged_as_the_engine_judges_step_by_step(
    scanner: AnyScanner, stepped: list[Trigger], judged: History
) -> None:
    fired = judge(judged, scanner)
    expected = [trigger for trigger in stepped if trigger.scanner == scanner.name]
    found = list(fired.triggers(judged))
    assert len(found) == len(expected)
    assert all(map(alike, found, expected))
    assert fired.symbols(judged) == [trigger.symbol for trigger in expected]
    assert expected or scanner.name == "halt_resume"


def test_one_threshold_after_the_other_is_judged_as_if_it_were_the_first() -> None:
    history = History.of_tapes(TAPES[:2])
    for turn in range(16):
        scanner = built_in.HodBreak(min_dollar_volume=10_000, min_rvol=0.5 + 0.1 * (turn % 14))
        again, fresh = judge(history, scanner), judge(History.of_tapes(TAPES[:2]), scanner)
        assert list(map(repr, again.triggers(history))) == list(map(repr, fresh.triggers(history)))
    kept = [made for made in history.days[0].snapshot.memo.values() if isinstance(made, Condition)]
    assert len(kept) < 45  # sixteen settings leave far more behind


def test_a_vendors_halts_are_in_a_history() -> None:
    symbol = TAPES[0].universe.symbols[0]
    events: dict[int, tuple[Event, ...]] = {400: (VendorHalt(symbol, True),), 500: (VendorHalt(symbol, False),)}
    halted, scanner = replace(TAPES[0], events=events), built_in.HaltResume(min_price=None, min_dollar_volume=None)
    history = History.of_tapes([halted])
    found, expected = list(judge(history, scanner).triggers(history)), engine_says(halted, scanner)
    assert list(map(repr, found)) == list(map(repr, expected))
    assert any(trigger.kind == "halted" and trigger.symbol == symbol for trigger in found)


def test_a_category_has_no_triggers_to_judge() -> None:
    with pytest.raises(InvalidInput, match="winners ranks and never triggers"):
        judge(History.of_tapes(TAPES[:1]), built_in.Winners())


def test_late_bars_have_no_place_in_a_history() -> None:
    one, price = np.array([5]), np.array([10.0])
    late = LateBars(one, np.array([0]), price, price, price, price, price, price)
    with pytest.raises(InvalidInput, match="late bars in the tape of 2025-06-18"):
        History.of_tapes([replace(TAPES[0], late={9: late})])


# What is kept


def test_what_is_on_the_shelf_is_neither_read_nor_measured_again(tmp_path: Path, counted: list[Any]) -> None:
    source, metrics = Days(TAPES), built_in.HodBreak().metrics()
    first = measured(source, source.tapes, metrics, Cache(tmp_path), key="a")
    assert (source.read, sum(days for days, _ in counted)) == (4, 4)
    again = measured(source, source.tapes, metrics, Cache(tmp_path), key="a")
    assert (source.read, sum(days for days, _ in counted)) == (4, 4)
    for day, kept in zip(first.days, again.days, strict=True):
        assert kept.universe.symbols == day.universe.symbols
        for metric in metrics:
            np.testing.assert_array_equal(kept.values[metric], day.values[metric])
    scanner = built_in.HodBreak(**LOW)
    assert list(map(repr, judge(first, scanner).triggers(first))) == list(
        map(repr, judge(again, scanner).triggers(again))
    )


def test_a_day_that_changed_is_measured_again_and_the_others_are_not(tmp_path: Path, counted: list[Any]) -> None:
    metrics = (m.Last(),)
    measured(Days(TAPES), Days(TAPES).tapes, metrics, Cache(tmp_path), key="a")
    changed = replace(TAPES[1], close=TAPES[1].close + 1.0)
    source = Days([TAPES[0], changed, *TAPES[2:]])
    counted.clear()
    history = measured(source, source.tapes, metrics, Cache(tmp_path), key="b")
    assert counted == [(1, {m.Last()})]
    np.testing.assert_array_equal(history.days[1].values[m.Last()], measure_day(changed, metrics).values[m.Last()])


def test_only_a_metric_that_is_new_is_measured(tmp_path: Path, counted: list[Any]) -> None:
    source = Days(TAPES[:1])
    measured(source, source.tapes, [m.Last(), m.HighOfDay()], Cache(tmp_path), key="a")
    counted.clear()
    measured(source, source.tapes, [m.Last(), m.HighOfDay(), m.Vwap()], Cache(tmp_path), key="a")
    assert [metrics for _, metrics in counted] == [{m.DayDollarVolume(), m.DayVolume(), m.Vwap()}]


def test_a_broken_file_is_measured_again(tmp_path: Path) -> None:
    source = Days(TAPES[:1])
    measured(source, source.tapes, [m.Last()], Cache(tmp_path), key="a")
    for name in ("last-*.npy", "bars.npy"):
        (file,) = tmp_path.glob(f"days/*/{name}")
        file.write_bytes(file.read_bytes()[:40])
        history = measured(source, source.tapes, [m.Last()], Cache(tmp_path), key="a")
        np.testing.assert_array_equal(
            history.days[0].values[m.Last()], measure_day(TAPES[0], [m.Last()]).values[m.Last()]
        )


def test_a_history_goes_on_when_its_folder_is_deleted(tmp_path: Path) -> None:
    source, scanner = Days(TAPES[:1]), built_in.HodBreak(**LOW)
    cache = Cache(tmp_path / "cache")
    for _ in ("as it was written", "as it was found"):
        history = measured(source, source.tapes, [m.Last()], cache, key="a")
        shutil.copytree(tmp_path / "cache", tmp_path / "kept", dirs_exist_ok=True)
        shutil.rmtree(tmp_path / "cache")
        fired = list(judge(history, scanner).triggers(history))
        assert fired
        assert all(map(alike, fired, engine_says(TAPES[0], scanner)))
        shutil.rmtree(tmp_path / "cache")
        (tmp_path / "kept").rename(tmp_path / "cache")
    again = measured(source, source.tapes, [m.Last()], Cache(tmp_path / "cache"), key="a")
    np.testing.assert_array_equal(again.days[0].tape.close, TAPES[0].close)


def test_days_that_are_gone_where_they_are_looked_for_are_said(tmp_path: Path) -> None:
    source = Days(TAPES[:1])
    told = pickle.dumps(measured(source, source.tapes, [m.Last()], Cache(tmp_path / "cache"), key="a"))
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(InvalidInput, match=r"A measured day is read from where it lies; found no .*2025-06-18"):
        judge(pickle.loads(told), built_in.HodBreak(**LOW))


@pytest.mark.parametrize("file", ["days/*/head.json", "sources/a.json"])
@pytest.mark.parametrize("text", ["{}", "[1]", "half of i"])
def test_notes_that_say_nothing_are_written_again(tmp_path: Path, file: str, text: str) -> None:
    source = Days(TAPES[:1])
    measured(source, source.tapes, [m.Last()], Cache(tmp_path), key="a")
    (note,) = tmp_path.glob(file)
    right = note.read_text()
    note.write_text(text)
    assert measured(source, source.tapes, [m.Last()], Cache(tmp_path), key="a").symbols == len(TAPES[0].universe)
    assert note.read_text() == right


def test_the_days_that_were_used_longest_ago_are_given_up_first(tmp_path: Path) -> None:
    source = Days(TAPES[:3])
    history = measured(source, source.tapes, [m.Last()], Cache(tmp_path), key="a")
    shelves = [day.shelf.path for day in history.days if isinstance(day.shelf, DiskShelf)]
    for age, path in enumerate(shelves):
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    size = sum(file.stat().st_size for file in shelves[0].glob("*.npy"))
    Cache(tmp_path).prune(1.5 * size)
    assert [path.exists() for path in shelves] == [True, False, False]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "days").write_text("a file")
    with pytest.raises(InvalidInput, match=r"cannot be written.*cache=False"):
        measured(Days(TAPES[:1]), Days(TAPES[:1]).tapes, [], Cache(tmp_path))


def test_several_may_measure_into_one_folder_at_once(tmp_path: Path) -> None:
    faults: list[BaseException] = []

    def work() -> None:
        try:
            source = Days(TAPES[:2])
            history = measured(source, source.tapes, [m.Vwap(), m.Rsi()], Cache(tmp_path), key="a")
            for day, tape in zip(history.days, TAPES, strict=False):
                np.testing.assert_array_equal(day.values[m.Rsi()], measure_day(tape, [m.Rsi()]).values[m.Rsi()])
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert not list(tmp_path.glob("**/.part-*"))


# Fingerprints


def twice(values: Floats) -> Floats:
    return np.asarray(values * 2)


def thrice(values: Floats) -> Floats:
    return np.asarray(values * 3)


def variant(helper: Any, factor: float = 1.0) -> Metric:
    @dataclass(frozen=True, repr=False)
    class Mine(Metric):
        """Mine. Unknown: never."""

        times: float = factor

        def needs(self) -> tuple[Metric, ...]:
            return (m.Last(),)

        def measure(self, now: Moment) -> Floats:
            if helper is twice:
                return np.asarray(twice(now[m.Last()]))
            return np.asarray(thrice(now[m.Last()]))

    return Mine()


def metrics_that_differ() -> Iterator[Metric]:
    yield from m.ALL

    @dataclass(frozen=True, repr=False)
    class Mine(Metric):
        def measure(self, now: Moment) -> Floats:
            return twice(now.close)

    yield Mine()

    @dataclass(frozen=True, repr=False)
    class Mine(Metric):  # type: ignore[no-redef]
        def measure(self, now: Moment) -> Floats:
            return thrice(now.close)

    yield Mine()

    @dataclass(frozen=True, repr=False)
    class Mine(Metric):  # type: ignore[no-redef]
        unit = "$"

        def measure(self, now: Moment) -> Floats:
            return thrice(now.close)

    yield Mine()


def test_metrics_that_differ_have_fingerprints_that_differ() -> None:
    names = [name_of(metric) for metric in metrics_that_differ()]
    assert len(set(names)) == len(names)


def test_a_fingerprint_stays_and_changes_with_a_function_that_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = variant(twice)
    before = fingerprint(mine)
    assert fingerprint(variant(twice)) == before != fingerprint(variant(twice, 2.0))
    monkeypatch.setitem(globals(), "twice", thrice)
    assert fingerprint(mine) != before


def test_a_users_metric_sees_its_own_day() -> None:
    @dataclass(frozen=True, repr=False)
    class DayOfMonth(Metric):
        """The day of the month. Unknown: never."""

        def measure(self, now: Moment) -> Floats:
            return np.full(len(now.universe), float(now.universe.day.date.day), dtype=np.float64)

    history = History.of_tapes(TAPES, [DayOfMonth()])
    assert [float(day.values[DayOfMonth()][0, 0]) for day in history.days] == [18, 2, 3, 7]


def test_a_scanner_of_ones_own_is_judged_on_metrics_of_ones_own() -> None:
    mine = variant(thrice)

    class Above(Scanner):
        """Thrice its price is above a line."""

        min_price, min_dollar_volume = None, None
        line: Metric = mine

        def rank(self, now: Snapshot) -> Column:
            return now[self.line]

        def trigger(self, now: Snapshot) -> Condition:
            return now[self.line] > 60.0

    history = History.of_tapes(TAPES[:1])
    found = list(judge(history, Above()).triggers(history))
    assert found
    assert list(map(repr, found)) == list(map(repr, engine_says(TAPES[0], Above())))


def test_a_day_without_anything_is_a_day() -> None:
    empty = tape_of("09:30 A =10 x100")
    history = History.of_tapes([empty])
    assert len(judge(history, built_in.HodBreak())) == 0
    assert repr(history) == "<History of 1 days, 2025-01-27 to 2025-01-27, 1 symbols>"
