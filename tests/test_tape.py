"""Tapes from files and frames: formats that say the same give the same, and what is wrong is said in a sentence."""

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner_kit.bars import FIELDS, Tape
from scanner_kit.calendar import TradingDay
from scanner_kit.errors import InvalidInput
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import TapeSource, simulated_tape
from scanner_kit.universe import FACTS

NAN = float("nan")
MONDAY = pd.Timestamp("2025-01-27 09:30", tz="America/New_York")


def some_bars() -> pd.DataFrame:
    """Three symbols on two days, in disorder, one without a VWAP in one minute."""
    rows = [("B", 2, 5.0, 40, NAN), ("A", 0, 10.0, 100, 10.1), ("NA", 1440, 7.5, 0, 7.5), ("A", 1440, 11.0, 7, 11.0)]
    ts = [MONDAY.tz_convert("UTC") + pd.Timedelta(minutes=row[1]) for row in rows]
    close = [row[2] for row in rows]
    prices = {"open": close, "high": [c + 0.5 for c in close], "low": [c - 0.5 for c in close], "close": close}
    tail = {"volume": [row[3] for row in rows], "vwap": [row[4] for row in rows]}
    return pd.DataFrame({"symbol": [row[0] for row in rows], "ts": ts, **prices, **tail})


def some_daily() -> pd.DataFrame:
    dates = [dt.date(2025, 1, 23), dt.date(2025, 1, 24)]
    return pd.DataFrame(
        {"symbol": ["A", "D"], "date": dates, "open": 9.0, "high": 9.5, "low": 8.5, "close": 9.0, "volume": 50}
    )


def same(found: Tape, expected: Tape) -> bool:
    assert found.universe.symbols == expected.universe.symbols
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    for name in FACTS:
        np.testing.assert_array_equal(getattr(found.universe.facts, name), getattr(expected.universe.facts, name))
    return True


def parquet(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_parquet(folder / "bars.parquet")
    return folder / "bars.parquet"


def parquet_of_dictionaries(frame: pd.DataFrame, folder: Path) -> Path:
    return parquet(frame.assign(symbol=frame["symbol"].astype("category")), folder)


def parquet_of_large_strings(frame: pd.DataFrame, folder: Path) -> Path:
    table = pa.Table.from_pandas(frame)
    at = table.schema.get_field_index("symbol")
    pq.write_table(table.set_column(at, "symbol", table["symbol"].cast(pa.large_string())), folder / "large.parquet")
    return folder / "large.parquet"


def csv(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_csv(folder / "bars.csv", index=False)
    return folder / "bars.csv"


def csv_of_new_york(frame: pd.DataFrame, folder: Path) -> Path:
    return csv(frame.assign(ts=frame["ts"].dt.tz_convert("America/New_York")), folder)


def csv_of_naive_times_with_seconds(frame: pd.DataFrame, folder: Path) -> Path:
    return csv(frame.assign(ts=(frame["ts"] + pd.Timedelta(seconds=59)).dt.tz_localize(None)), folder)


def csv_with_columns_of_its_own(frame: pd.DataFrame, folder: Path) -> Path:
    return csv(frame[frame.columns[::-1]].assign(note=["x", "", "7", "2025-01-01"]), folder)


def csv_packed(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_csv(folder / "bars.csv.gz", index=False)
    return folder / "bars.csv.gz"


def frame_of_naive_times(frame: pd.DataFrame, folder: Path) -> pd.DataFrame:
    return frame.assign(ts=frame["ts"].dt.tz_localize(None))


def frame_of_categories_and_small_numbers(frame: pd.DataFrame, folder: Path) -> pd.DataFrame:
    small = {name: frame[name].astype("float32") for name in ("open", "high", "low", "close")}
    return frame.assign(symbol=frame["symbol"].astype("category"), volume=frame["volume"].astype("int32"), **small)


def frame_of_objects_and_text(frame: pd.DataFrame, folder: Path) -> pd.DataFrame:
    text = {"ts": frame["ts"].map(lambda t: t.isoformat()), "close": frame["close"].map(str)}
    return frame.assign(**text, symbol=frame["symbol"].astype(object), volume=frame["volume"].astype(object))


def frame_with_an_index(frame: pd.DataFrame, folder: Path) -> pd.DataFrame:
    return frame.set_index(["symbol", "ts"])


def several_of_several_kinds(frame: pd.DataFrame, folder: Path) -> list[Any]:
    return [frame.iloc[:1], parquet(frame.iloc[1:2], folder), csv(frame.iloc[2:], folder)]


FORMS = [
    parquet,
    parquet_of_dictionaries,
    parquet_of_large_strings,
    csv,
    csv_of_new_york,
    csv_of_naive_times_with_seconds,
    csv_with_columns_of_its_own,
    csv_packed,
    frame_of_naive_times,
    frame_of_categories_and_small_numbers,
    frame_of_objects_and_text,
    frame_with_an_index,
    several_of_several_kinds,
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_the_same_values_in_another_form_are_the_same_tape(form: Callable[..., Any], tmp_path: Path) -> None:
    expected, found = TapeSource(some_bars()), TapeSource(form(some_bars(), tmp_path))
    assert [day.date.isoformat() for day in found.days] == ["2025-01-27", "2025-01-28"]
    assert all(same(found.tape(day), expected.tape(day)) for day in expected.days)
    assert (found.report, found.seal) == (expected.report, expected.seal)


def test_a_tape_has_each_bar_in_its_minute_and_nothing_elsewhere() -> None:
    tape = TapeSource(some_bars(), daily=some_daily()).tape("2025-01-27")
    assert tape.universe.symbols == ("A", "B", "D")  # NA has its first bar on Tuesday
    assert (tape.close[330, 0], tape.volume[330, 0], tape.vwap[330, 0], tape.high[332, 1]) == (10.0, 100.0, 10.1, 5.5)
    assert np.isnan(tape.vwap[332, 1])
    assert (np.isfinite(tape.close).sum(), tape.volume.sum()) == (2, 140.0)
    np.testing.assert_array_equal(tape.universe.facts.prev_close, [9.0, NAN, 9.0])


def test_every_symbol_with_a_past_is_of_the_universe() -> None:
    tape = TapeSource(some_bars()).tape(TradingDay.of("2025-01-28"))
    assert tape.universe.symbols == ("A", "B", "NA")
    np.testing.assert_array_equal(tape.universe.facts.prev_close, [10.0, 5.0, NAN])


def test_what_a_source_says_of_itself_is_at_the_head_of_its_tapes() -> None:
    universe = (
        TapeSource(some_bars(), share_of_market=0.03, daily_same_source=True, label="IEX").tape("2025-01-27").universe
    )
    assert (universe.share_of_market, universe.daily_same_source, universe.label) == (0.03, True, "IEX")
    plain = TapeSource(some_bars()).tape("2025-01-27").universe
    assert (plain.share_of_market, plain.daily_same_source, plain.label) == (1.0, False, "")


def test_of_two_files_the_later_has_arrived_later() -> None:
    corrected = some_bars().assign(close=some_bars()["close"] + 0.25)
    source = TapeSource([some_bars(), corrected.iloc[:2], some_bars().iloc[:1]])
    assert source.tape("2025-01-27").close[[330, 332], [0, 1]].tolist() == [10.25, 5.0]
    assert source.report["replaced"] == 3


def test_filled_minutes_are_dropped_where_the_source_says_so() -> None:
    assert [str(day.date) for day in TapeSource(some_bars(), fills=True).days] == ["2025-01-27", "2025-01-28"]
    assert TapeSource(some_bars(), fills=True).report["filled"] == 1
    assert "NA" not in TapeSource(some_bars(), fills=True).tape("2025-01-28").universe.symbols


def test_single_numbers_and_times_that_are_none_are_counted(tmp_path: Path) -> None:
    lines = csv(some_bars(), tmp_path).read_text().splitlines()
    lines[1] = lines[1].replace(",5.0,", ",n/a,", 1)
    lines[2] = "A,soon" + lines[2][lines[2].index(",", 2) :]
    lines[3] = ",".join([*lines[3].split(",")[:6], "", ""])
    (tmp_path / "bars.csv").write_text("\n".join([*lines, lines[4].replace("A", "", 1)]))
    counts = TapeSource(tmp_path / "bars.csv").report
    assert {kind: n for kind, n in counts.items() if n} == {
        "no_symbol": 1,
        "outside_day": 1,
        "bad_price": 1,
        "nan_volume": 1,
    }


def test_commas_that_group_thousands_are_unknown_unless_the_reader_takes_them_out(tmp_path: Path) -> None:
    lines = [
        "symbol,ts,open,high,low,close,volume",
        'A,2025-01-27T14:30Z,10,11,9,10,"1,000"',
        'A,2025-01-27T14:31Z,10,11,9,"1,010.5",700',
        "A,2025-01-27T14:32Z,10,11,9,10,$5",
    ]
    path = write(tmp_path / "bars.csv", "\n".join(lines))
    source = TapeSource(path)
    tape = source.tape("2025-01-27")
    assert {kind: n for kind, n in source.report.items() if n} == {"bad_price": 1, "nan_volume": 2}
    assert tape.volume[330:333, 0].tolist() == [0, 0, 0]
    read = TapeSource(pd.read_csv(path, thousands=",", nrows=2))
    assert read.tape("2025-01-27").volume[330:332, 0].tolist() == [1000, 700]
    assert read.tape("2025-01-27").high[331, 0] == 1010.5


def test_symbols_are_taken_as_spelled(tmp_path: Path) -> None:
    names = ["TRUE", "NAN", "BRK/B", "007"]
    path = csv(some_bars().assign(symbol=names, ts=some_bars()["ts"].iloc[0]), tmp_path)
    assert TapeSource(path).tape("2025-01-27").universe.symbols == ("007", "BRK/B", "NAN", "TRUE")


@pytest.mark.parametrize(
    "dates",
    [
        ["2025-01-23", "2025-01-24"],
        ["20250123", "20250124"],
        pd.to_datetime(["2025-01-23", "2025-01-24"]),
        pd.to_datetime(["2025-01-23", "2025-01-24"]).tz_localize("America/New_York"),
        ["2025-01-23T00:00:00-05:00", "2025-01-24T00:00:00-05:00"],
    ],
)
def test_daily_dates_are_those_that_are_written(dates: Any, tmp_path: Path) -> None:
    expected = TapeSource(some_bars(), daily=some_daily())
    for daily in (some_daily().assign(date=dates), parquet(some_daily().assign(date=dates), tmp_path)):
        found = TapeSource(some_bars(), daily=daily)
        assert same(found.tape("2025-01-27"), expected.tape("2025-01-27"))
        assert found.seal == expected.seal


def test_a_reference_may_have_any_of_the_facts_and_columns_of_its_own(tmp_path: Path) -> None:
    dates = [dt.date(2025, 1, 24), dt.date(2025, 1, 27), dt.date(2024, 1, 2)]
    frame = pd.DataFrame(
        {
            "symbol": ["A", "A", "Z"],
            "as_of": dates,
            "sector": ["Energy", "", ""],
            "beta": 1.0,
            "market_cap": [5e9, 0, 1],
        }
    )
    for reference in (frame, parquet(frame, tmp_path), csv(frame, tmp_path), frame.rename(columns={"as_of": "date"})):
        source = TapeSource(some_bars(), reference=reference)
        monday, tuesday = (source.tape(day).universe for day in source.days)
        assert (monday.facts.sector[0], monday.facts.market_cap[0], monday.facts.name[0]) == ("Energy", 5e9, None)
        assert tuesday.facts.sector[0] is None
        assert np.isnan(tuesday.facts.market_cap[0])
        assert "Z" not in tuesday.symbols


distinct = st.lists(
    st.tuples(
        st.sampled_from(["A", "B", "C"]), st.integers(0, 2000), st.sampled_from([NAN, 5.0, 6.0]), st.integers(0, 9)
    ),
    min_size=1,
    max_size=25,
    unique_by=lambda bar: bar[:2],
)


def frame_of(rows: list[Any]) -> pd.DataFrame:
    symbol, minute, price, volume = zip(*rows, strict=True)
    start = pd.Timestamp("2025-01-27 09:00", tz="UTC")
    prices = dict.fromkeys(("open", "high", "low", "close"), price)
    return pd.DataFrame(
        {"symbol": symbol, "ts": [start + pd.Timedelta(minutes=m) for m in minute], **prices, "volume": volume}
    )


@given(distinct, st.data())
def test_the_order_of_distinct_rows_is_no_matter_and_repeated_rows_are_counted(
    rows: list[Any], data: st.DataObject
) -> None:
    more = data.draw(st.lists(st.sampled_from(rows), max_size=5))
    expected, found = TapeSource(frame_of(rows)), TapeSource(frame_of(data.draw(st.permutations([*rows, *more]))))
    assert found.days == expected.days
    assert all(same(found.tape(day), expected.tape(day)) for day in expected.days)
    assert found.seal == expected.seal
    both = {kind: n for kind, n in found.report.items() if kind not in ("repeated", "bad_price", "outside_day")}
    assert all(n == expected.report[kind] for kind, n in both.items())
    assert sum(found.report.values()) == sum(expected.report.values()) + len(more)


def test_the_seal_changes_with_every_value_that_counts() -> None:
    bars, daily = some_bars(), some_daily()
    reference = pd.DataFrame({"symbol": ["A"], "date": ["2025-01-24"], "sector": ["Energy"]})
    seals = {
        TapeSource(bars).seal,
        TapeSource(bars.assign(vwap=NAN)).seal,
        TapeSource(bars.assign(symbol=["B", "A", "NA", "AA"])).seal,
        TapeSource(bars.assign(ts=bars["ts"] + pd.Timedelta(minutes=1))).seal,
        TapeSource(bars, daily=daily).seal,
        TapeSource(bars, daily=daily.assign(close=9.25)).seal,
        TapeSource(bars, reference=reference).seal,
        TapeSource(bars, reference=reference.assign(sector="Tech")).seal,
    }
    assert len(seals) == 8
    refused = pd.concat([bars, bars.iloc[:1].assign(open=-1.0)])
    assert TapeSource(refused).seal == TapeSource(bars).seal


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (
            lambda at: TapeSource(at / "none.parquet"),
            r"There is no file '.*none\.parquet'\. Check the path, from '.*'\.",
        ),
        (
            lambda at: TapeSource(some_bars(), daily=at / "none.csv"),
            r"There is no file '.*none\.csv'\. Check the path, .*",
        ),
        (
            lambda at: TapeSource("bars.xlsx"),
            r"Files of bars end in \.parquet, \.pq, \.csv, \.csv\.gz; found 'bars\.xlsx'\. Convert it to .*\.",
        ),
        (
            lambda at: TapeSource([]),
            r"TapeSource needs minute bars; found an empty list\. Give a path or a DataFrame\.",
        ),
        (
            lambda at: TapeSource(write(at / "bars.parquet", "no parquet at all")).days,
            r"'bars\.parquet' cannot be read as minute bars: .*\. Check that the file is whole\.",
        ),
        (
            lambda at: TapeSource(write(at / "bars.csv", "")).days,
            r"'bars\.csv' cannot be read as minute bars: Empty CSV file\. Check that the file is whole\.",
        ),
        (
            lambda at: TapeSource(write(at / "bars.csv", "symbol,ts,open,high,low,close,volume\n")).days,
            r"'.*bars\.csv' holds no minute bars; found 0 rows\. Check how it was written\.",
        ),
        (
            lambda at: TapeSource(some_bars().iloc[:0]).days,
            r"DataFrame of 0 rows holds no minute bars; found 0 rows\. Check how it was written\.",
        ),
        (
            lambda at: TapeSource(csv(some_bars().rename(columns={"ts": "time"}), at)).days,
            r"'bars\.csv': minute bars have the columns symbol, ts, open, high, low, close, volume; missing ts, "
            r"found symbol, time, open, high, low, close, volume, vwap\. Rename or add them\.",
        ),
        (
            lambda at: TapeSource(some_bars(), daily=some_bars()).tape("2025-01-27"),
            r"DataFrame of 4 rows: daily rows have the columns symbol, date, .*; missing date, found .*\. Rename .*",
        ),
        (
            lambda at: TapeSource(some_bars(), reference=pd.DataFrame({"symbol": ["A"]})).tape("2025-01-27"),
            r"DataFrame of 1 rows: reference rows have the columns symbol; missing date \(or as_of\), found symbol.*",
        ),
        (
            lambda at: TapeSource(csv(some_bars().assign(low="cheap"), at)).days,
            r"'bars\.csv': the column 'low' of minute bars has numbers like 12\.5; found 'cheap'\. Mend or .*",
        ),
        (
            lambda at: TapeSource(some_bars().assign(volume=True)).days,
            r"DataFrame of 4 rows: the column 'volume' of minute bars has numbers like 12\.5; found bool\. .*",
        ),
        (
            lambda at: TapeSource(some_bars().assign(ts=1_737_988_200)).days,
            r"DataFrame of 4 rows: the column 'ts' of minute bars has times like 2025-01-27T14:30Z; found int64\. "
            r"Numbers become times by pd\.to_datetime\(ts, unit='s', utc=True\)\.",
        ),
        (
            lambda at: TapeSource(some_bars().assign(ts="soon")).days,
            r"DataFrame of 4 rows: the column 'ts' of minute bars has times like 2025-01-27T14:30Z; found 'soon'\. .*",
        ),
        (
            lambda at: TapeSource(some_bars(), daily=some_daily().assign(date=["2025-01-23", "24/1/25"])).tape(
                "2025-01-27"
            ),
            r"DataFrame of 2 rows: the column 'date' of daily rows has dates like 2025-01-27; found '24/1/25'\. .*",
        ),
        (
            lambda at: TapeSource(some_bars(), daily=some_daily().assign(date=20250124)).tape("2025-01-27"),
            r"DataFrame of 2 rows: the column 'date' of daily rows has dates like 2025-01-27; found int64\. Write .*",
        ),
        (
            lambda at: TapeSource(some_bars()).tape("2025-03-03"),
            r"DataFrame of 4 rows has no bars on 2025-03-03\. It has 2 days from 2025-01-27 to 2025-01-28; "
            r"the nearest is 2025-01-28\.",
        ),
        (lambda at: TapeSource(some_bars()).tape("2025-01-26"), r"2025-01-26 is no trading day of XNYS .*"),
        (
            lambda at: TapeSource(some_bars().assign(close=0.0)).tape("2025-01-27"),
            r"DataFrame of 4 rows has no bar that could be admitted: bad_price 4\. .*",
        ),
        (
            lambda at: TapeSource(pd.concat([some_bars(), some_bars()[["open"]]], axis=1)).days,
            r"DataFrame of 4 rows: a column stands once; found open twice\. Drop or rename one\.",
        ),
        (
            lambda at: TapeSource(write(at / "bars.csv", "symbol,ts,open,open,high,low,close,volume\n")).days,
            r"'bars\.csv': a column stands once; found open twice\. Drop or rename one\.",
        ),
        (
            lambda at: TapeSource(cast(Any, 5)),
            r"Bars and rows are a path or a pandas DataFrame; found int\. Convert it\.",
        ),
        (lambda at: TapeSource(some_bars(), fils=True), r"TapeSource has no parameter 'fils'\. Did you mean 'fills'\?"),
        (
            lambda at: TapeSource(some_bars(), fills="yes"),
            r"fills is True or False; found 'yes'\. Say which the source is\.",
        ),
        (
            lambda at: TapeSource(some_bars(), share_of_market=1.5),
            r"share_of_market is above 0 and at most 1; found 1\.5\. IEX alone is 0\.03\.",
        ),
        (
            lambda at: TapeSource(some_bars(), share_of_market=0),
            r"share_of_market is above 0 and at most 1; found 0\. .*",
        ),
        (
            lambda at: TapeSource(some_bars(), share_of_market=NAN),
            r"share_of_market is above 0 and at most 1; found nan\. .*",
        ),
    ],
)
def test_what_is_wrong_is_said(ask: Callable[[Path], Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        ask(tmp_path)
    assert re.fullmatch(sentence, str(caught.value)), str(caught.value)


def test_repr_is_short_and_shows_what_was_said(tmp_path: Path) -> None:
    path = csv(some_bars(), tmp_path)
    assert repr(TapeSource(some_bars())) == "TapeSource(DataFrame of 4 rows)"
    assert repr(TapeSource([path], fills=True, daily=some_daily())) == (
        f"TapeSource(['{path}'], daily=DataFrame of 2 rows, fills=True)"
    )


def test_a_tape_shares_no_memory_with_what_was_given() -> None:
    frame = some_bars()
    source = TapeSource(frame)
    tape = source.tape("2025-01-27")
    tape.close[330, 0] = 99.0
    assert frame["close"].tolist() == some_bars()["close"].tolist()
    assert source.tape("2025-01-27").close[330, 0] == 10.0


def test_a_simulated_market_is_a_tape_with_a_past() -> None:
    market = SimulatedMarket(symbols=40, day=dt.date(2025, 6, 18))
    tape = simulated_tape(market)
    from_rows = TapeSource(market.frame(), daily=market.daily(), reference=market.reference()).tape("2025-06-18")
    assert (tape.universe.label, tape.universe.symbols) == ("simulated", tuple(market.names()))
    rows = np.array([tape.universe.row(symbol) for symbol in from_rows.universe.symbols])
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(tape, name)[:, rows], getattr(from_rows, name), err_msg=name)
    for name in set(FACTS) - {"usual_volume"}:
        np.testing.assert_array_equal(getattr(tape.universe.facts, name)[rows], getattr(from_rows.universe.facts, name))
    usual = tape.universe.facts.usual_volume[-1]
    known = np.isfinite(usual)
    assert known.mean() > 0.8
    assert 0.5 < np.median(tape.universe.facts.avg_volume_30d[known] / usual[known]) < 2


GAPS = [("2025-01-27", "NVDA", -12.5), ("2025-02-04", "PLTR", 22.8), ("2025-01-22", "NFLX", 14.8)]


@pytest.fixture(scope="module")
def real(data: Path) -> TapeSource:
    name = "us99_ext_2025.parquet"
    return TapeSource(data / "bars_1m" / name, daily=data / "bars_1d" / name, reference=data / "metadata.parquet")


@pytest.mark.parametrize(("day", "symbol", "gap"), GAPS)
def test_gaps_that_were_in_the_news(real: TapeSource, day: str, symbol: str, gap: float) -> None:
    tape = real.tape(day)
    row = tape.universe.row(symbol)
    assert round(100 * (tape.open[330, row] / tape.universe.facts.prev_close[row] - 1), 1) == gap


def test_all_real_bars_stand_and_each_is_on_its_tape(real: TapeSource) -> None:
    assert len(real.days) == 25
    assert sum(real.report.values()) == 0
    assert sum(int(np.isfinite(real.tape(day).close).sum()) for day in real.days[:3]) == len(
        real.admitted.before(real.days[3].date)
    )


def test_a_source_that_fills_empty_minutes(data: Path) -> None:
    path = data / "bars_1m" / "aapl_ext_2025_ibkr.parquet"
    volume = pq.read_table(path, columns=["volume"])["volume"].to_numpy()
    source = TapeSource(path, fills=True)
    assert source.report["filled"] == (volume == 0).sum() > 0
    assert len(source.admitted) == (volume > 0).sum()
