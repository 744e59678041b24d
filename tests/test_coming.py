"""The universe of a day that comes: the same facts from archived days as from files of their bars."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scanner_kit.bars import LateBars
from scanner_kit.bus.entries import encode
from scanner_kit.bus.heads import Head, encode_head
from scanner_kit.calendar import TradingDay
from scanner_kit.errors import InvalidInput
from scanner_kit.live.archive import Archive
from scanner_kit.live.feed.coming import universe_of
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import TapeSource, simulated_tape
from scanner_kit.universe import FACTS

DAYS = TradingDay.before("2025-07-10", 8)
NEXT = TradingDay.of("2025-07-10")


def entries(day: TradingDay) -> Iterator[tuple[str, dict[bytes, bytes]]]:
    """A simulated day as it would stand on a tape, with a late bar."""
    tape = simulated_tape(SimulatedMarket(symbols=7, seed=5, day=day.date))
    price = np.array([7.5])
    late = LateBars(np.array([400]), np.array([1]), price, price, price, price, np.array([5e5]), price)
    for i, part in enumerate(encode_head(Head(tape.universe))):
        yield f"0-{i + 1}", part
    for bars in tape:
        more = {b"late": encode(type(bars)(**{**vars(bars), "late": late}))[b"late"]} if bars.k == 450 else {}
        yield f"1-{bars.k}", {**encode(bars), **more}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Eight days of seven symbols, one of which closed early."""
    there = Archive(tmp_path_factory.mktemp("tape"))
    for day in DAYS:
        there.put(list(entries(day)))
    return there


def assert_same_facts(archive: Archive, **given: object) -> None:
    files = TapeSource([archive.bars(date) for date in archive.dates], **given)
    expected = files.past
    found = universe_of(NEXT, archive, **given)  # type: ignore[arg-type]
    assert found.symbols == expected.symbols(NEXT)
    facts = expected.facts(NEXT, found.symbols)
    for name in FACTS:
        np.testing.assert_array_equal(getattr(found.facts, name), getattr(facts, name), name)
    assert np.isfinite(found.facts.usual_volume).any()
    assert np.isfinite(found.facts.prev_close).all()


def test_facts_of_archived_days_are_those_of_their_bars(archive: Archive) -> None:
    assert_same_facts(archive)


def test_daily_and_reference_rows_of_files_count_beside_them(archive: Archive, tmp_path: Path) -> None:
    market = SimulatedMarket(symbols=7, seed=5, day=DAYS[3].date)
    market.daily().to_parquet(tmp_path / "daily.parquet")
    market.reference().to_parquet(tmp_path / "reference.parquet")
    assert_same_facts(archive, daily=tmp_path / "daily.parquet", reference=tmp_path / "reference.parquet")
    found = universe_of(NEXT, archive, tmp_path / "daily.parquet", tmp_path / "reference.parquet")
    assert np.isfinite(found.facts.atr_14d).any()
    assert any(found.facts.name)


def test_files_alone_will_do(tmp_path: Path) -> None:
    daily = SimulatedMarket(symbols=7, seed=5, day=NEXT.date).daily()
    found = universe_of(NEXT, daily=daily, share_of_market=0.03, label="IEX")
    assert (len(found), found.share_of_market, found.label) == (7, 0.03, "IEX")
    assert np.isnan(found.facts.usual_volume).all()


def test_where_nothing_is_known_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="Nothing is known of any symbol before 2025-07-10"):
        universe_of(NEXT, Archive(tmp_path))
    with pytest.raises(InvalidInput, match="Nothing is known"):
        universe_of(NEXT, daily=pd.DataFrame({"symbol": [], "date": [], "open": [], "high": [], "low": [], "close": [],
                                              "volume": []}).astype({"date": "datetime64[ns]"}))  # fmt: skip
