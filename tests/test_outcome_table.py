"""outcomes.parquet: a row for each trigger and horizon of a replay, the same as the outcomes of its triggers."""

import json
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from notation import minute, tape_of
from typer.testing import CliRunner

from scanner_kit.cli import app
from scanner_kit.errors import InvalidInput
from scanner_kit.meter import measure_day
from scanner_kit.metrics import Halt
from scanner_kit.replay import Folder, Replayed, Tables, Tapes, replay
from scanner_kit.scanners import HaltResume, HodBreak, LodBreak, UnusualVolume
from scanner_kit.seal import seal_of
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape
from scanner_kit.tuning.chance import chance
from scanner_kit.tuning.outcomes import HORIZONS, Prices, outcomes
from scanner_kit.tuning.table import OUTCOMES, OutcomeRows

LOOSE: dict[str, Any] = {"min_rvol": None, "min_dollar_volume": None, "min_price": None}
DAYS = (date(2024, 11, 27), date(2024, 11, 29))  # the second closes at 13:00


def roster() -> list[Any]:
    return [HodBreak(**LOOSE), LodBreak(**LOOSE), UnusualVolume(**LOOSE), HaltResume(**LOOSE)]


@pytest.fixture(scope="module")
def tapes() -> Tapes:
    return Tapes([simulated_tape(SimulatedMarket(symbols=40, day=day, seed=4)) for day in DAYS])


@pytest.fixture(scope="module")
def whole(tapes: Tapes) -> tuple[Replayed, Tables]:
    tables = Tables()
    return replay(tapes, tables, scanners=roster(), outcomes=OutcomeRows), tables


def test_every_trigger_has_a_row_for_each_horizon(whole: tuple[Replayed, Tables]) -> None:
    told, tables = whole
    triggers, rows = tables["triggers"].to_pylist(), tables["outcomes"].to_pylist()
    assert tables["outcomes"].schema == OUTCOMES
    assert tables["outcomes"].column_names == [
        *("day", "k", "symbol", "scanner", "kind", "horizon", "tradable", "entry_k", "entry", "r"),
        *("mfe_pct", "mae_pct", "mfe_r", "mae_r", "result", "result_r", "beyond_stop"),
        *("chance_win_rate", "chance_mean_r"),
    ]
    assert told.rows["outcomes"] == 5 * len(triggers) > 500
    names = ("day", "k", "scanner", "symbol", "kind")
    assert [(*(row[name] for name in names), row["horizon"]) for row in rows] == [
        (*(trigger[name] for name in names), horizon) for trigger in triggers for horizon in HORIZONS
    ]
    assert {row["result"] for row in rows} == {"win", "loss", "open", "no R", None}


def test_what_is_not_tradable_is_there_and_unknown(whole: tuple[Replayed, Tables]) -> None:
    rows = [row for row in whole[1]["outcomes"].to_pylist() if not row["tradable"]]
    assert rows
    for row in rows:
        assert (row["result"], row["beyond_stop"]) == (None, False)
        unknown = ("entry_k", "entry", "mfe_pct", "mae_pct", "mfe_r", "mae_r", "result_r", "chance_win_rate")
        assert np.isnan([row[name] for name in unknown]).all()


def test_rows_are_the_outcomes_of_the_triggers(tapes: Tapes, whole: tuple[Replayed, Tables]) -> None:
    for day in tapes.days:
        tape = tapes.tape(day)
        told = [row for row in whole[1]["triggers"].to_pylist() if row["day"] == day.date]
        rows = whole[1]["outcomes"].filter(pa.compute.equal(whole[1]["outcomes"]["day"], day.date))
        halt = measure_day(tape, [Halt()]).values[Halt()]
        prices = Prices(day, tape.open, tape.high, tape.low, tape.close, halt)
        column = [tape.universe.row(row["symbol"]) for row in told]
        k, side = [row["k"] for row in told], [row["side"] for row in told]
        found = outcomes(prices, column, k, side, *([row[name] for row in told] for name in ("stop", "distance")))
        random = chance(
            *(prices, column, k, side, found.entry, found.entry_k, found.r),
            symbols=[row["symbol"] for row in told],
            dates=[row["day"] for row in told],
        )
        expected = {
            **{name: getattr(found, name).ravel() for name in ("mfe_pct", "mae_pct", "mfe_r", "mae_r", "result_r")},
            **{name: np.repeat(getattr(found, name), 5) for name in ("tradable", "entry", "r", "beyond_stop")},
            "entry_k": np.repeat(np.where(found.tradable, found.entry_k, np.nan), 5),
            "chance_win_rate": random.win_rate.ravel(),
            "chance_mean_r": random.mean_r.ravel(),
        }
        for name, values in expected.items():
            np.testing.assert_array_equal(rows[name].to_numpy(), values, err_msg=name)


@pytest.mark.parametrize(
    ("resumes", "events", "tradable"),
    [("09:43", "", True), ("09:44", "", False), ("09:43", "09:41 halt A", False), ("09:41", "09:40 halt A", True)],
)
def test_a_halt_that_the_replay_saw_forbids_the_entry(resumes: str, events: str, tradable: bool) -> None:
    """The third silent minute, 09:43, is suspected. A vendor's halt of 09:41 stands until the next bar."""
    bars = f"""
    09:30..09:39 A =10 x100
    09:40 A 10 11 10 11 x100
    {resumes} A =11 x100
    09:30..09:50 B =10 x100
    """
    tables = Tables()
    replay(Tapes([tape_of(bars, events=events)]), tables, scanners=[HodBreak(**LOOSE)], outcomes=OutcomeRows)
    first = tables["outcomes"].to_pylist()[0]
    assert (first["k"], first["tradable"]) == (340, tradable)
    assert first["entry_k"] == minute(resumes) if tradable else np.isnan(first["entry_k"])


def test_costs_are_those_of_the_replay_for_triggers_and_random_entries_alike(
    tapes: Tapes, whole: tuple[Replayed, Tables]
) -> None:
    tables = Tables()
    told = replay(tapes, tables, scanners=roster(), outcomes=partial(OutcomeRows, cost_bps=0.0))
    dear, free = whole[1]["outcomes"], tables["outcomes"]
    costs = 0.0005 * dear["entry"].to_numpy() / dear["r"].to_numpy()
    for name in ("result_r", "chance_mean_r"):
        np.testing.assert_allclose(free[name].to_numpy() - dear[name].to_numpy(), costs, atol=1e-12, err_msg=name)
    assert dear["result"].equals(free["result"])
    assert {name for name in told.seal if told.seal[name] != whole[0].seal[name]} == {"outcomes"}


def test_outcomes_are_sealed_and_written_like_the_other_tables(
    tapes: Tapes, whole: tuple[Replayed, Tables], tmp_path: Path
) -> None:
    with Folder(tmp_path) as folder:
        replay(tapes, folder, scanners=roster(), outcomes=OutcomeRows)
    seal = json.loads((tmp_path / "seal.json").read_text())
    assert seal == whole[0].seal
    assert seal["outcomes"] == seal_of(pq.read_table(tmp_path / "outcomes.parquet")) == seal_of(whole[1]["outcomes"])
    assert seal["outcomes"] == seal_of(pq.read_table(tmp_path / "outcomes.parquet").to_pandas())
    with Folder(tmp_path) as folder:
        replay(tapes, folder, scanners=roster())
    assert not (tmp_path / "outcomes.parquet").exists()


def test_a_replay_without_a_trigger_has_an_empty_table() -> None:
    tables = Tables()
    tape = tape_of("09:30 A =10 x100")
    told = replay(Tapes([tape]), tables, scanners=[HodBreak()], outcomes=OutcomeRows)
    assert (told.rows["outcomes"], tables["outcomes"].schema) == (0, OUTCOMES)


def test_costs_that_are_none_are_refused_before_the_day() -> None:
    with pytest.raises(InvalidInput, match=r"Costs are basis points of the entry, 0 or more; found inf\."):
        OutcomeRows(cost_bps=float("inf"))


def test_the_command_writes_outcomes(tmp_path: Path) -> None:
    market = SimulatedMarket(symbols=5, day=DAYS[0])
    market.frame().to_parquet(tmp_path / "bars.parquet")
    market.daily().to_csv(tmp_path / "daily.csv", index=False)
    common = ["replay", str(tmp_path / "bars.parquet"), "--daily", str(tmp_path / "daily.csv"), "--outcomes"]
    common += ["--set", "hod_break.min_rvol=none", "hod_break.min_dollar_volume=none", "--out"]
    for folder, options in (("a", []), ("b", ["--cost-bps", "0", "--seed", "1"])):
        result = CliRunner().invoke(app, [*common, str(tmp_path / folder), *options])
        assert (result.exit_code, result.stderr) == (0, "")
        assert "outcomes " in result.stdout
    a, b = (pq.read_table(tmp_path / folder / "outcomes.parquet") for folder in "ab")
    assert a.num_rows == 5 * pq.read_metadata(tmp_path / "a" / "triggers.parquet").num_rows > 0
    assert np.nansum(b["result_r"].to_numpy() - a["result_r"].to_numpy()) > 0
    assert (b["chance_win_rate"].to_numpy() - a["chance_win_rate"].to_numpy() > 0.04).any()
