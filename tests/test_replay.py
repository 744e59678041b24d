"""Replays: tables, files and seals of small days; what makes no difference, and what does."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from scanner_kit import metrics as m
from scanner_kit.bars import Tape
from scanner_kit.calendar import TradingDay
from scanner_kit.engine import Engine, Scan
from scanner_kit.errors import InvalidInput
from scanner_kit.replay import Folder, Replayed, Source, Tables, Tapes, Unkept, replay
from scanner_kit.scanner import Scanner
from scanner_kit.scanners import GappersDown, GappersUp, HodBreak, Hot, LodBreak, Winners
from scanner_kit.seal import seal_of
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import TapeSource, simulated_tape
from scanner_kit.tables import METRICS, TRIGGERS

DAYS = (date(2025, 6, 17), date(2025, 6, 18))
LOOSE = {"min_rvol": None, "min_dollar_volume": None}


def bars_of(day: date) -> pd.DataFrame:
    return SimulatedMarket(symbols=6, seed=3, day=day).frame()


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    """Two days of six symbols, and a bar that is refused."""
    frame = pd.concat(map(bars_of, DAYS), ignore_index=True)
    refused = frame.iloc[[0]].assign(close=-1.0)
    return pd.concat([frame, refused], ignore_index=True)


@pytest.fixture(scope="module")
def daily() -> pd.DataFrame:
    return SimulatedMarket(symbols=6, seed=3, day=DAYS[0]).daily()


@pytest.fixture(scope="module")
def source(bars: pd.DataFrame, daily: pd.DataFrame) -> TapeSource:
    return TapeSource(bars, daily=daily)


def roster() -> list[Scanner]:
    return [HodBreak(**LOOSE), LodBreak(**LOOSE), Winners(min_change_pct=0, min_dollar_volume=None), Hot()]


def replayed(source: Source, days: Sequence[date] | None = None, **options: Any) -> tuple[Replayed, Tables]:
    tables = Tables()
    return replay(source, tables, days, options.pop("scanners", roster()), **options), tables


@pytest.fixture(scope="module")
def whole(source: TapeSource) -> tuple[Replayed, Tables]:
    return replayed(source, metrics=True)


def rows(table: pa.Table, *names: str) -> list[tuple[Any, ...]]:
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def test_tables_have_their_columns_in_order(whole: tuple[Replayed, Tables]) -> None:
    tables = whole[1]
    assert tables["triggers"].column_names == [
        *("day", "k", "time", "session", "symbol", "scanner", "kind", "side", "price", "level", "score", "severity"),
        *("rank", "stop", "distance", "shares", "settings", "metrics"),
    ]  # fmt: skip
    assert tables["lists"].column_names == ["day", "k", "list", "rank", "symbol", "score"]
    assert tables["metrics"].column_names == ["day", "k", "symbol", *(metric.name for metric in m.ALL)]
    assert tables["triggers"].schema == TRIGGERS
    assert tables["metrics"].schema == METRICS
    assert str(tables["triggers"].schema.field("time").type) == "timestamp[us, tz=UTC]"


def test_rows_stand_in_order(whole: tuple[Replayed, Tables]) -> None:
    told, tables = whole
    for name, order in (
        ("triggers", ("day", "k", "scanner", "symbol", "kind")),
        ("lists", ("day", "k", "list", "rank")),
        ("metrics", ("day", "k", "symbol")),
    ):
        found = rows(tables[name], *order)
        assert len(found) == told.rows[name] > 0
        assert found == sorted(set(found)), name


def test_triggers_are_those_of_the_engine(source: TapeSource, whole: tuple[Replayed, Tables]) -> None:
    engine = Engine(source.tape(DAYS[1]).universe, roster())
    for step in source.tape(DAYS[1]):
        engine.step(step)
    found = [row for row in whole[1]["triggers"].to_pylist() if row["day"] == DAYS[1]]
    assert [(row["k"], row["symbol"], row["scanner"], row["time"], row["price"], row["settings"]) for row in found] == [
        (t.k, t.symbol, t.scanner, t.time, t.price, t.settings) for t in engine.triggers
    ]
    assert json.loads(found[0]["metrics"]).keys() == engine.triggers[0].metrics.keys()
    assert json.loads(found[0]["metrics"])["rvol_tod"] is None


def test_lists_are_cut_at_their_top_and_ranked_from_1(source: TapeSource) -> None:
    lists = replayed(source, scanners=[Winners(min_change_pct=-100, min_dollar_volume=None, top=2)])[1]["lists"]
    by_step = pd.DataFrame(lists.to_pydict()).groupby(["day", "k"])
    assert all(ranks.tolist() == list(range(1, len(ranks) + 1)) for _, ranks in by_step["rank"])
    assert by_step.size().max() == 2


def test_metrics_hold_every_symbol_in_every_step(source: TapeSource, whole: tuple[Replayed, Tables]) -> None:
    table = whole[1]["metrics"]
    assert table.num_rows == 2 * 960 * 6
    last = table["last"].to_numpy().reshape(2, 960, 6)
    assert np.isnan(last[0, 0]).any()
    np.testing.assert_array_equal(last[1, 959], _last_closes(source.tape(DAYS[1])))


def _last_closes(tape: Tape) -> np.ndarray:
    closes: np.ndarray = pd.DataFrame(tape.close).ffill().to_numpy()[-1]
    return closes


def test_only_the_scanners_asked_for_have_rows(source: TapeSource) -> None:
    told, tables = replayed(source, [DAYS[0]], scanners=[GappersUp(), GappersDown()])
    assert set(tables["lists"]["list"].to_pylist()) <= {"gappers_up", "gappers_down"}
    assert (told.triggers, tables["triggers"].num_rows, "metrics" in tables) == ({}, 0, False)


def test_days_are_replayed_apart(source: TapeSource, whole: tuple[Replayed, Tables]) -> None:
    told, tables = replayed(source, [DAYS[1]], metrics=True)
    assert [day.date for day in told.days] == [DAYS[1]]
    for name, table in tables.items():
        both = whole[1][name]
        assert seal_of(table) == seal_of(both.filter(pc.equal(both["day"], DAYS[1]))), name


def test_days_come_once_and_oldest_first(source: TapeSource) -> None:
    told = replay(source, Unkept(), [*reversed(DAYS), TradingDay.of(DAYS[0])], [GappersUp()])
    assert [day.date for day in told.days] == list(DAYS)
    assert (told.steps, told.symbols) == (1920, 6)


def test_report_has_the_kinds_that_occurred(whole: tuple[Replayed, Tables]) -> None:
    assert whole[0].report == {"bad_price": 1}


def test_seal_is_that_of_the_tables(whole: tuple[Replayed, Tables]) -> None:
    told, tables = whole
    assert list(told.seal) == ["triggers", "lists", "metrics", "data", "settings"]
    assert {name: seal_of(table) for name, table in tables.items()} == {name: told.seal[name] for name in tables}


@pytest.mark.parametrize("rows_at_once", [50, 1000, 10**9])
def test_seal_is_the_same_in_parts_of_any_size(
    source: TapeSource, whole: tuple[Replayed, Tables], rows_at_once: int
) -> None:
    assert replayed(source, metrics=True, rows_at_once=rows_at_once)[0].seal == whole[0].seal


def shuffled(bars: pd.DataFrame, folder: Path) -> pd.DataFrame:
    return bars.sample(frac=1, random_state=1)


def csv(bars: pd.DataFrame, folder: Path) -> Path:
    bars.to_csv(folder / "bars.csv", index=False)
    return folder / "bars.csv"


def parquet(bars: pd.DataFrame, folder: Path) -> Path:
    bars.to_parquet(folder / "bars.parquet", row_group_size=100)
    return folder / "bars.parquet"


def several(bars: pd.DataFrame, folder: Path) -> list[Any]:
    return [bars.iloc[2000:], parquet(bars.iloc[:2000], folder)]


@pytest.mark.parametrize("form", [shuffled, csv, parquet, several])
def test_seal_is_the_same_for_the_same_values_in_another_form(
    bars: pd.DataFrame, daily: pd.DataFrame, whole: tuple[Replayed, Tables], tmp_path: Path, form: Any
) -> None:
    again = replayed(TapeSource(form(bars, tmp_path), daily=daily), metrics=True)[0]
    assert again.seal == whole[0].seal


def test_seal_tells_data_and_settings_apart(source: TapeSource, bars: pd.DataFrame) -> None:
    def seal(source: TapeSource, top: int = 20) -> Replayed:
        return replay(source, Unkept(), [DAYS[0]], [GappersUp(top=top)])

    base, other_settings = seal(source).seal, seal(source, top=3).seal
    other_share = seal(TapeSource(bars, daily=source.daily, share_of_market=0.5)).seal
    other_data = seal(TapeSource(bars.iloc[1:], daily=source.daily)).seal
    assert (base["data"] == other_settings["data"], base["settings"] == other_settings["settings"]) == (True, False)
    assert (base["data"] == other_share["data"], base["settings"] == other_share["settings"]) == (True, False)
    assert (base["data"] == other_data["data"], base["settings"] == other_data["settings"]) == (False, True)


def test_a_simulated_day_is_replayed_like_any_other() -> None:
    market = SimulatedMarket(symbols=5)
    source = Tapes([simulated_tape(market)])
    seen: list[Scan] = []
    told = replay(source, Unkept(), scanners=[Hot()], watch=seen.append)
    assert (told.steps, len(seen), told.report) == (960, 960, {})
    assert told.seal == replay(Tapes([simulated_tape(market)]), Unkept(), scanners=[Hot()]).seal


def test_a_folder_holds_what_was_replayed(source: TapeSource, whole: tuple[Replayed, Tables], tmp_path: Path) -> None:
    with Folder(tmp_path / "a" / "b") as folder:
        replay(source, folder, None, roster(), metrics=True, rows_at_once=999)
    found = {path.name for path in (tmp_path / "a" / "b").iterdir()}
    assert found == {"triggers.parquet", "lists.parquet", "metrics.parquet", "report.json", "seal.json"}
    for name, table in whole[1].items():
        assert seal_of(pq.read_table(folder.path / f"{name}.parquet")) == seal_of(table), name
    assert json.loads((folder.path / "report.json").read_text()) == {"bad_price": 1}
    assert json.loads((folder.path / "seal.json").read_text()) == whole[0].seal


def test_a_folder_holds_one_replay(source: TapeSource, tmp_path: Path) -> None:
    for metrics in (True, False):
        with Folder(tmp_path) as folder:
            replay(source, folder, [DAYS[0]], [GappersUp()], metrics=metrics)
    assert not (tmp_path / "metrics.parquet").exists()


def test_a_replay_that_breaks_leaves_what_was_there(source: TapeSource, tmp_path: Path) -> None:
    (tmp_path / "lists.parquet").write_text("of before")

    def stop(scan: Scan) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Folder(tmp_path) as folder:
        replay(source, folder, [DAYS[0]], [GappersUp()], watch=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["lists.parquet"]
    assert (tmp_path / "lists.parquet").read_text() == "of before"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match=r"file' cannot be written: File exists\. Name another\."):
        Folder(tmp_path / "file").__enter__()


def test_a_replay_without_a_day_is_refused(bars: pd.DataFrame) -> None:
    with pytest.raises(InvalidInput, match=r"needs a day with bars; found none, and on entry bad_price 1 was counted"):
        replay(TapeSource(bars.tail(1)), Unkept())
