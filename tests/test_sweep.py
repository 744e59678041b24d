"""Sweeps: every setting comes to what the engine gives for it; grids are checked first; a cluster changes nothing."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import param
import pytest
from days import LOW, history, made_up, tapes

from scanner_kit import metrics as m
from scanner_kit import scanners as s
from scanner_kit.columns import Column
from scanner_kit.composition import AnyScanner
from scanner_kit.conditions import Condition
from scanner_kit.engine import Engine
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.metrics import Metric
from scanner_kit.scanner import Scanner
from scanner_kit.snapshot import Snapshot
from scanner_kit.triggers import Trigger
from scanner_kit.tuning import cluster, pool
from scanner_kit.tuning.answer import answer, prices_of
from scanner_kit.tuning.cells import FIGURES
from scanner_kit.tuning.history import History
from scanner_kit.tuning.outcomes import outcomes
from scanner_kit.tuning.paths import HORIZONS, LOSS, OPEN, WIN
from scanner_kit.tuning.reads import Watch
from scanner_kit.tuning.shelf import Cache
from scanner_kit.tuning.sweep import Sweep, sweep

RVOLS = [0.5, 1.0, 1.5, 2.5, 4.0]
SWEPT: list[tuple[AnyScanner, dict[str, list[Any]]]] = [
    (s.HodBreak(**LOW), {"min_rvol": RVOLS, "cooldown": [0, 15], "rearm_pct": [0, 0.2, 1.0], "stop_atr": [0.1, 0.5]}),
    (s.GapAndGo(**LOW), {"min_gap": [0, 0.5, 1, 2], "min_rvol": RVOLS, "breakout": ["wick", "close"]}),
    (s.OrbBreakUp(**LOW), {"minutes": [5, 15, 30], "min_rvol": RVOLS, "min_price": [1, 20]}),
    (s.UnusualVolume(**LOW), {"min_rvol_5m": RVOLS, "min_change": [0, 0.5, 1], "cooldown": [0, 30]}),
    (s.Momentum(**LOW), {"min_change_5m": [0.2, 0.5, 1], "min_rsi": [50, 60, 70], "min_rvol": RVOLS}),
    (s.VwapLoss(**LOW), {"minutes": [1, 5, 20], "min_rvol": RVOLS, "max_price": [50, None]}),
    (s.HaltResume(), {"min_price": [None, 1, 20], "min_dollar_volume": [0, 100_000, (50_000, 1_000_000)]}),
    (s.HodBreak(**LOW) | s.LodBreak(**LOW), {"hod_break.min_rvol": RVOLS, "lod_break.cooldown": [0, 15, 60]}),
    (s.HodBreak(**LOW) & ~s.GappersUp(), {"hod_break.min_rvol": RVOLS, "gappers_up.min_gap": [0.5, 1, 2]}),
]
PAIRS = 200


# A sweep equals what the engine gives for each


@dataclass(frozen=True)
class Pair:
    """A setting of a sweep and a day, and the name under which the engine has it."""

    sweep: Sweep
    place: int
    day: int
    name: str


@pytest.fixture(scope="module")
def sweeps() -> list[Sweep]:
    return [sweep(history(), scanner, grid) for scanner, grid in SWEPT]


@pytest.fixture(scope="module")
def pairs(sweeps: list[Sweep]) -> list[Pair]:
    """Random pairs: each day has its settings."""
    rng, found = np.random.default_rng(4), []
    for number in range(PAIRS):
        one = sweeps[int(rng.integers(len(sweeps)))]
        found.append(Pair(one, int(rng.integers(len(one))), number % len(history()), f"pair_{number}"))
    return found


@pytest.fixture(scope="module")
def replayed(pairs: list[Pair]) -> dict[str, list[Trigger]]:
    """What the engine says step by step, each day under all of its settings at once."""
    said: dict[str, list[Trigger]] = {pair.name: [] for pair in pairs}
    for day, tape in enumerate(tapes()):
        engine = Engine(tape.universe, [named(pair) for pair in pairs if pair.day == day])
        for bars in tape:
            engine.step(bars)
        for trigger in engine.triggers:
            said[trigger.scanner].append(trigger)
    return said


def named(pair: Pair) -> AnyScanner:
    scanner = pair.sweep.scanner_of(pair.place)
    return scanner.with_settings(name=pair.name) if isinstance(scanner, Scanner) else scanner.named(pair.name)


def came_to(triggers: list[Trigger], day: int, horizon: str) -> dict[str, float]:
    """The figures of triggers of one day, from their outcomes."""
    rows = [history().days[day].universe.row(t.symbol) for t in triggers]
    columns = ([getattr(t, name) for t in triggers] for name in ("k", "side", "stop", "distance"))
    found = outcomes(prices_of(history().days[day]), rows, *columns)
    result, code = (getattr(found, name)[:, HORIZONS.index(horizon)].tolist() for name in ("result_r", "result"))
    known = [r for r in result if r == r]
    return {
        "triggers": len(triggers),
        "tradable": int(found.tradable.sum()),
        "wins": code.count(WIN),
        "n": sum(code.count(one) for one in (WIN, LOSS, OPEN)),
        "total": sum(known),
        "gained": sum(r for r in known if r > 0),
        "lost": sum(r for r in known if r < 0),
    }


def test_two_hundred_settings_and_days_are_what_a_full_replay_gives(
    pairs: list[Pair], replayed: dict[str, list[Trigger]]
) -> None:
    for pair in pairs:
        found = dict(zip(FIGURES, pair.sweep.by_day[pair.day, pair.place].tolist(), strict=True))
        assert found == came_to(replayed[pair.name], pair.day, pair.sweep.horizon), pair
    assert sum(map(bool, replayed.values())) > PAIRS / 2


def test_the_triggers_behind_a_figure_are_those_of_a_full_replay(
    pairs: list[Pair], replayed: dict[str, list[Trigger]]
) -> None:
    for pair in pairs[::4]:
        behind = pair.sweep.answer(pair.place).fired
        mine = [replace(t, scanner=pair.name) for t in behind.triggers(history()) if t.day == history().dates[pair.day]]
        assert [*map(repr, mine)] == [*map(repr, replayed[pair.name])]  # NaN is equal to itself in a text


@pytest.mark.parametrize("horizon", HORIZONS)
def test_every_figure_is_that_of_the_answer(horizon: str) -> None:
    found = sweep(history(), s.HodBreak(**LOW), {"min_rvol": RVOLS, "min_change_pct": [None, 0.5]}, horizon=horizon)
    at, table = HORIZONS.index(horizon), found.table()
    for i in range(len(found)):
        one = answer(history(), found.scanner_of(i))
        own = one.worth.own
        assert found.ids[i] == table.index[i] == one.settings_id
        row = table.iloc[i]
        assert (row.triggers, row.tradable, row.n) == (len(one), one.outcomes.tradable.sum(), own.mean_r.n[at])
        assert (row.win_rate, row.mean_r) == (own.win_rate.value[at], own.mean_r.value[at])
        assert row.profit_factor == own.profit_factor.value[at]
        for mine, its in zip((found.sums, found.counts), one.by_day(horizon), strict=True):
            np.testing.assert_array_equal(mine[:, i], its)


def test_intervals_are_those_of_the_answer() -> None:
    markets = History([*history().days, *history().days])
    found = sweep(markets, s.HodBreak(**LOW), {"min_rvol": RVOLS}, seed=7)
    for i in range(len(found)):
        figure = answer(markets, found.scanner_of(i), seed=7).worth.own.mean_r
        assert (found.interval[0][i], found.interval[1][i]) == pytest.approx((figure.low[2], figure.high[2]), rel=1e-12)


# Scanners of one's own


class Lazily(Scanner):
    """Reads its threshold when its column is made, in a function."""

    min_price, min_dollar_volume, min_rvol = None, None, None
    least = param.Number(1.0)
    change: Metric = m.ChangePct()
    low: Metric = m.RecentLow()

    def trigger(self, now: Snapshot) -> Condition:
        return self.spoken(now, Column.made("beyond", lambda values: values - self.least, now[self.change]) >= 0)

    def spoken(self, now: Snapshot, condition: Condition) -> Condition:
        """With a level, so that there is an R."""
        return condition.at(now[self.low])


class Beforehand(Lazily):
    """Works its threshold out when it is made."""

    def __init__(self, **thresholds: Any) -> None:
        super().__init__(**thresholds)
        self._line = self.least / 2

    def trigger(self, now: Snapshot) -> Condition:
        return self.spoken(now, now[self.change] >= self._line)


class ByParam(Lazily):
    """Reads its threshold off its Params."""

    def trigger(self, now: Snapshot) -> Condition:
        return self.spoken(now, now[self.change] >= self.param.values()["least"])


class OneDay(Lazily):
    """Looks on one day of the month only."""

    only = param.Integer(2)

    def select(self, now: Snapshot) -> list[Condition]:
        other = now.universe.day.date.day != self.only
        return [now[self.change] >= (1e9 if other else self.least)]


class Either(Lazily):
    """Which threshold its trigger reads, another decides."""

    which: Any = param.Selector(default="up", objects=["up", "down"])
    most = param.Number(-1.0)

    def trigger(self, now: Snapshot) -> Condition:
        change = now[self.change]
        return self.spoken(now, change >= self.least if self.which == "up" else change <= self.most)


class Across(Lazily):
    """Compares symbols of a minute with each other, which no law allows."""

    def select(self, now: Snapshot) -> list[Condition]:
        mean = np.nanmean(np.nan_to_num(now[self.change].values), axis=-1, keepdims=True)
        return [Column(now[self.change].values - mean, "more than the mean", now.memo) >= 0.1]


class OfShape(Lazily):
    """Can be asked of minutes × symbols alone."""

    def select(self, now: Snapshot) -> list[Condition]:
        minutes, symbols = now[self.change].values.shape
        return [Column(np.full((minutes, symbols), 1.0), "one", now.memo) >= self.least / 10]


class NowAndThen(Across):
    """Does so under a switch, or with a limit, and so may be asked of minutes that are picked out, or not."""

    across = param.Boolean(False)
    limit = param.Number(None, allow_None=True)

    def select(self, now: Snapshot) -> list[Condition]:
        alone = now[self.change] >= self.least / 2
        return [alone, *super().select(now)] if self.across or self.limit is not None else [alone]

    def trigger(self, now: Snapshot) -> Condition:
        return self.spoken(now, now[self.change] >= 0.2)


LEAST = [0.2, 0.6, 1.0, 2.0]
OWN: list[tuple[type[Scanner], dict[str, list[Any]]]] = [
    (Lazily, {"least": LEAST, "cooldown": [1, 15]}),
    (Beforehand, {"least": LEAST, "cooldown": [1, 15]}),
    (ByParam, {"least": LEAST, "cooldown": [1, 15]}),
    (Across, {"least": LEAST, "cooldown": [1, 15]}),
    (OfShape, {"least": LEAST, "cooldown": [1, 15]}),
    (NowAndThen, {"across": [False, True], "least": LEAST}),
    (NowAndThen, {"across": [True, False], "least": LEAST}),
    (NowAndThen, {"limit": [None, 1.0], "least": LEAST}),
    (OneDay, {"only": [1, 2, 7, 18], "least": LEAST}),
    (Either, {"most": [-0.5, -1.0], "which": ["up", "down"], "least": LEAST}),
]


@pytest.mark.parametrize(("cls", "grid"), OWN, ids=lambda it: getattr(it, "__name__", ""))
@pytest.mark.filterwarnings("ignore:Mean of empty slice")
def test_a_scanner_of_ones_own_comes_to_what_it_is_worth(cls: type[Scanner], grid: dict[str, list[Any]]) -> None:
    found = sweep(history(), cls(), grid)
    for i in range(len(found)):
        one = answer(history(), found.scanner_of(i))
        total, count = one.by_day("30m")
        fired = np.bincount(one.fired.day, minlength=len(history()))
        np.testing.assert_array_equal(found.by_day[:, i, 0], fired, err_msg=str(found.settings[i]))
        np.testing.assert_array_equal(found.counts[:, i], count, err_msg=str(found.settings[i]))
        np.testing.assert_array_equal(found.sums[:, i], total, err_msg=str(found.settings[i]))
    assert len({tuple(one) for one in found.counts.T}) > 2


def test_it_is_known_which_thresholds_a_trigger_hangs_on() -> None:
    def read(scanner: AnyScanner) -> set[str]:
        history().require(scanner.metrics())
        watch, now = Watch(scanner), history().days[0].snapshot
        watch.kinds(now, scanner.verdict(now))
        return watch.read

    assert read(s.GapAndGo()) == {"breakout"}
    assert read(s.OrbBreakUp()) == {"breakout", "minutes"}
    assert read(s.UnusualVolume()) == {"min_rvol_5m"}
    assert read(s.Momentum() & s.HodBreak()) == {"momentum.min_change_5m"}
    either = s.HodBreak() | s.LodBreak()
    assert read(either) == set(either.settings())
    assert read(Lazily()) == {"least"}
    assert read(Beforehand()) == read(ByParam()) == set(Lazily().settings())
    assert read(Either()) == {"which", "least"}


def test_most_settings_of_a_grid_are_judged_by_their_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    plain: Any = vars(pool)["look"]
    looked: list[int] = []

    def counting(days: Any, scanner: Any) -> Any:
        looked.append(len(days))
        return plain(days, scanner)

    monkeypatch.setattr(pool, "look", counting)
    sweep(history(), s.Momentum(**LOW), {"min_rsi": [50, 60], "min_change_5m": [0.5, 1.0], "min_rvol": RVOLS})
    assert sum(looked) == 2 * len(history())  # once for each value of min_change_5m, wherever it stands in the grid


# Grids


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({}, "A grid maps thresholds to their values; found {}."),
        ({"min_rvo": [1]}, "hod_break has no threshold 'min_rvo'. Did you mean 'min_rvol'?"),
        ({"min_rvol": 3}, "A grid has several values for each threshold; found min_rvol=3. Write [3]."),
        ({"breakout": "wick"}, "found breakout='wick'. Write ['wick']."),
        ({"min_rvol": []}, "found none for min_rvol. Leave it out."),
        ({"min_rvol": [3, 2, 3.0]}, "A grid has each value once; found min_rvol=3.0 twice. Leave one out."),
        (
            {"min_rvol": range(400), "min_price": range(1, 401)},
            "A grid has 100,000 settings at most; found 160,000. Take wider steps, or sk.search the space.",
        ),
        ({"min_price": [1, 2], "min_rvol": [1, -1]}, "Setting 1, min_price=1, min_rvol=-1: HodBreak: "),
        ({"min_price": [1, 2], "min_rvol": [1, True]}, "Setting 2, min_price=1, min_rvol=True: HodBreak.min_rvol is"),
    ],
)
def test_a_grid_that_does_not_fit_is_refused(grid: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(message)):
        sweep(history(), s.HodBreak(), grid)


def test_nothing_is_judged_before_the_whole_grid_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(*_: Any) -> None:
        raise AssertionError("it was judged")

    monkeypatch.setattr(pool.Pool, "judge", judge)
    with pytest.raises(InvalidInput, match="Setting 3, min_rsi=101: Momentum: "):
        sweep(history(), s.Momentum(), {"min_rsi": [50, 101, 60]})


def test_what_cannot_be_swept_is_refused() -> None:
    with pytest.raises(InvalidInput, match="winners ranks and never triggers"):
        sweep(history(), s.Winners(), {"min_price": [1, 2]})
    with pytest.raises(UnknownName, match="There is no horizon '20m'"):
        sweep(history(), s.HodBreak(), {"min_price": [1, 2]}, horizon="20m")
    with pytest.raises(InvalidInput, match="Costs are basis points"):
        sweep(history(), s.HodBreak(), {"min_price": [1, 2]}, cost_bps=-1)
    with pytest.raises(InvalidInput, match="A seed is a whole number, 0 or more; found -1"):
        sweep(history(), s.HodBreak(), {"min_price": [1, 2]}, seed=-1)


def test_a_grid_is_in_order_and_its_last_threshold_varies_fastest() -> None:
    found = sweep(history(), s.HodBreak(**LOW), {"min_rvol": np.array([2.0, 1.0]), "breakout": ["wick", "close"]})
    assert found.settings == tuple({"min_rvol": r, "breakout": b} for r in (1.0, 2.0) for b in ("wick", "close"))
    assert found.grid is not None
    assert found.grid.shape == (2, 2)
    assert repr(found) == "<Sweep of hod_break: 4 settings of min_rvol, breakout over 4 days>"
    assert found.table().columns.tolist() == [
        *("min_rvol", "breakout", "triggers", "tradable", "n"),
        *("win_rate", "mean_r", "low", "high", "profit_factor"),
    ]


def test_thresholds_of_a_composite_may_be_given_by_scanner() -> None:
    scanner = s.HodBreak(**LOW) & s.Momentum(**LOW)
    by_scanner = sweep(history(), scanner, {"hod_break": {"min_rvol": [1, 2]}, "momentum": {"min_rsi": [40, 50]}})
    dotted = sweep(history(), scanner, {"hod_break.min_rvol": [1, 2], "momentum.min_rsi": [40, 50]})
    pd.testing.assert_frame_equal(by_scanner.table(), dotted.table())


def test_every_setting_is_a_try_with_its_days() -> None:
    found = sweep(history(), s.HodBreak(**LOW), {"min_rvol": RVOLS}, horizon="60m")
    looked = list(found.looked())
    assert [(one.scanner, one.settings, one.horizon) for one in looked] == [("hod_break", i, "60m") for i in found.ids]
    assert len({one.settings for one in looked}) == len(RVOLS)
    assert all(isinstance(count, int) for one in looked for count in one.counts)
    np.testing.assert_array_equal(np.transpose([one.sums for one in looked]), found.sums)


def test_progress_is_told_up_to_the_end() -> None:
    heard: list[tuple[str, int, int]] = []
    sweep(history(), s.HodBreak(**LOW), {"min_rvol": RVOLS}, progress=lambda *now: heard.append(now))
    whole = heard[-1][2]
    assert whole % len(RVOLS) == 0
    assert {one[0] for one in heard} == {"judged"}
    assert max(one[1] for one in heard) == whole


def test_a_history_of_no_days_has_no_triggers() -> None:
    found = sweep(History([]), s.HodBreak(), {"min_rvol": [1, 2]})
    assert found.triggers.tolist() == [0, 0]
    assert np.isnan(found.mean_r).all()


def test_a_day_without_a_cell_is_a_day() -> None:
    days = made_up({"min_rvol": [1, 2]}, np.zeros(2), np.zeros(2), days=3).history
    found = sweep(days, s.HodBreak(), {"min_rvol": [1, 2], "cooldown": [0, 5]})
    assert found.by_day.shape == (3, 4, len(FIGURES))
    assert not found.by_day.any()


# On a cluster


class _Nowhere(dict[str, Any]):
    """The names of a module that nobody can import: a notebook's."""


def of_a_notebook() -> Scanner:
    names: Mapping[str, Any] = _Nowhere(__name__="__main__", Scanner=Scanner, param=param, m=m)
    exec(
        "class Mine(Scanner):\n"
        "    '''Of a notebook.'''\n"
        "    min_price, min_dollar_volume, min_rvol = None, None, None\n"
        "    least = param.Number(1.0)\n"
        "    change = m.ChangePct()\n"
        "    def trigger(self, now):\n"
        "        return now[self.change] >= self.least\n",
        names,  # type: ignore[arg-type]
    )
    scanner: Scanner = names["Mine"]()
    return scanner


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    distributed = pytest.importorskip("distributed", reason="no Dask: pip install 'scanner-kit[tuning]'")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster:
        yield cluster.scheduler_address


@pytest.mark.parametrize(("scanner", "grid"), [SWEPT[1], SWEPT[-2], (OneDay(), {"least": LEAST})])
def test_a_cluster_gives_the_same(address: str, scanner: AnyScanner, grid: dict[str, Any]) -> None:
    heard: list[tuple[str, int, int]] = []
    there = sweep(history(), scanner, grid, cluster=address, progress=lambda *now: heard.append(now))
    here = sweep(history(), scanner, grid)
    np.testing.assert_array_equal(there.by_day, here.by_day)
    pd.testing.assert_frame_equal(there.table(), here.table())
    assert heard[-1][1] == heard[-1][2]


def test_a_client_is_used_and_left_open(address: str) -> None:
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        there = sweep(history(), s.HodBreak(**LOW), {"min_rvol": RVOLS}, cluster=client)
        assert client.status == "running"
    np.testing.assert_array_equal(there.by_day, sweep(history(), s.HodBreak(**LOW), {"min_rvol": RVOLS}).by_day)


def test_a_scanner_of_a_notebook_goes_to_the_workers(address: str) -> None:
    scanner = of_a_notebook()
    there = sweep(history(), scanner, {"least": LEAST}, cluster=address)
    np.testing.assert_array_equal(there.by_day, sweep(history(), scanner, {"least": LEAST}).by_day)
    assert there.triggers.any()


def test_days_on_a_disk_are_read_there_by_the_workers(address: str, tmp_path: Path) -> None:
    kept = History.of_tapes(tapes(), cache=Cache(tmp_path))
    there = sweep(kept, s.HodBreak(**LOW), {"min_rvol": RVOLS}, cluster=address)
    np.testing.assert_array_equal(there.by_day, sweep(kept, s.HodBreak(**LOW), {"min_rvol": RVOLS}).by_day)


def test_days_that_a_worker_cannot_read_are_said(address: str, tmp_path: Path) -> None:
    kept = History.of_tapes(tapes()[:1], cache=Cache(tmp_path))
    sweep(kept, s.HodBreak(), {"min_rvol": [1]})
    for file in chain(tmp_path.glob("days/*/bars.npy")):
        file.unlink()
    with pytest.raises(InvalidInput, match=r"it found no .*/days/2025-06-18.* measure with cache=False"):
        sweep(kept, s.HodBreak(), {"min_rvol": [1]}, cluster=address)


def test_what_is_no_cluster_is_said() -> None:
    pytest.importorskip("distributed", reason="no Dask: pip install 'scanner-kit[tuning]'")
    with pytest.raises(InvalidInput, match="A cluster is the address of a Dask scheduler or a Client; found 3"):
        sweep(history(), s.HodBreak(), {"min_rvol": [1]}, cluster=3)


def test_a_history_goes_through_pickle_and_comes_back_the_same(tmp_path: Path) -> None:
    import pickle

    for kept in (History.of_tapes(tapes()[:2]), History.of_tapes(tapes()[:2], cache=Cache(tmp_path))):
        kept.require(s.HodBreak().metrics())
        there = pickle.loads(pickle.dumps(kept))
        assert there.dates == kept.dates
        assert not there.days[0].values
        np.testing.assert_array_equal(
            sweep(there, s.HodBreak(**LOW), {"min_rvol": RVOLS}).by_day,
            sweep(kept, s.HodBreak(**LOW), {"min_rvol": RVOLS}).by_day,
        )
    assert len(pickle.dumps(kept)) < 2_000_000  # what lies on a disk stays there


def test_a_scheduler_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="no Dask: pip install 'scanner-kit[tuning]'")
    monkeypatch.setattr(cluster, "WAIT", "0.3s")
    with pytest.raises(InvalidInput, match=r"There is no Dask scheduler to be reached at 'tcp://127\.0\.0\.1:9'"):
        sweep(history(), s.HodBreak(), {"min_rvol": [1]}, cluster="tcp://127.0.0.1:9")
