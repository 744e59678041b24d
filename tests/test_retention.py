"""Pruning and export: the oldest days go, nothing else does, nobody waits, and Parquet has what was stored."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from stored import DAYS, fired, lists_of

from scanner_kit.errors import InvalidInput
from scanner_kit.store import Filter, Progress, Store, open_store, retention
from scanner_kit.tables import LISTS, TRIGGERS


@pytest.fixture
def store(store_address: str) -> Iterator[Store]:
    with open_store(store_address) as store:
        yield store


def fill(store: Store, rows: int = 30) -> None:
    for day in DAYS:
        store.write(
            [fired(330 + i, day=day) for i in range(rows)], [lists_of(330 + i, "NVDA", day=day) for i in range(9)]
        )


def test_the_oldest_days_go_and_nothing_else(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROWS", 7)
    fill(store)
    store.versions.change(0, {"winners": {"top": 3}}, "ann")
    store.write([], [], Progress("store", "scans", "1-0"))
    assert [str(day) for day in store.prune(2)] == [DAYS[0]]
    assert [str(day) for day in store.days()] == list(DAYS[1:])
    assert len(store.page(size=1_000).rows) == 60
    assert store.minutes(DAYS[0]) == []
    assert len(store.minutes(DAYS[1])) == 9
    assert store.prune(2) == []
    assert store.versions.now().n == 1
    assert store.progress("store", "scans") == "1-0"


def test_a_pruning_that_was_ended_is_finished_by_the_next(store: Store) -> None:
    fill(store)
    over = threading.Event()
    over.set()
    assert store.prune(1, over) == []
    assert [str(day) for day in store.prune(1)] == list(DAYS[:2])
    assert len(store.page(size=1_000).rows) == 30


def test_at_least_one_day_is_kept(store: Store) -> None:
    with pytest.raises(InvalidInput, match=r"At least one day is kept; found 0\. Give a number of days from 1 on\."):
        store.prune(0)


def test_who_writes_while_it_prunes_loses_nothing(store_address: str, store: Store) -> None:
    fill(store, 300)

    def write() -> None:
        with open_store(store_address) as other:
            for k in range(700, 760):
                other.write([fired(k, day=DAYS[2])])

    thread = threading.Thread(target=write)
    thread.start()
    store.prune(1)
    thread.join()
    assert len(store.page(size=1_000).rows) == 360


def test_a_file_gives_back_what_it_no_longer_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "SPARE_PAGES", 5)
    path = tmp_path / "store.sqlite"
    with open_store(path) as store:
        fill(store, 500)
        with store.database.reading() as connection:
            before = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        store.prune(1)
        with store.database.reading() as connection:
            after = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            assert connection.exec_driver_sql("PRAGMA freelist_count").scalar_one() <= 5
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    assert after < 0.6 * before


def test_parquet_has_what_was_stored(store: Store, tmp_path: Path) -> None:
    fill(store)
    store.write([fired(340, "TSLA", severity=None, level=None, late=7.5)])
    store.versions.change(0, {"winners": {"top": 3}}, "ann", "why")
    files = store.export(tmp_path / "out")
    assert {str(path.relative_to(tmp_path / "out")) for path in files} == {
        *(f"triggers/{day}.parquet" for day in DAYS),
        *(f"lists/{day}.parquet" for day in DAYS),
        "versions.parquet",
        "audit.parquet",
    }
    triggers = pq.read_table(tmp_path / "out" / "triggers" / f"{DAYS[0]}.parquet")
    assert set(TRIGGERS) <= set(triggers.schema)
    rows = triggers.to_pylist()
    stored = {row["identity"]: row for row in store.page(Filter(days=DAYS[:1]), size=1_000).rows}
    assert [row["identity"] for row in rows] == list(reversed(stored))
    for row in rows:
        assert {name: row[name] for name in ("k", "symbol", "time", "price", "late", "version")} == {
            name: stored[row["identity"]][name] for name in ("k", "symbol", "time", "price", "late", "version")
        }
    lists = pq.read_table(tmp_path / "out" / "lists" / f"{DAYS[0]}.parquet")
    assert lists.schema.equals(LISTS)
    assert lists.to_pylist()[0] == {
        "day": lists_of(330).day,
        "k": 330,
        "list": "winners",
        "rank": 1,
        "symbol": "NVDA",
        "score": 1.0,
    }
    (version,) = pq.read_table(tmp_path / "out" / "versions.parquet").to_pylist()
    assert (version["n"], version["who"], version["thresholds"]) == (1, "ann", '{"winners": {"top": 3}}')
    (record,) = pq.read_table(tmp_path / "out" / "audit.parquet").to_pylist()
    assert (record["who"], record["what"]) == ("ann", "settings")
    assert not list((tmp_path / "out").rglob("*.part"))


def test_pieces_leave_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    sizes: list[int] = []
    clock = iter(range(1_000))
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock) * 0.03)

    class Never(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0)
            return False

    def work(size: int) -> bool:
        sizes.append(size)
        return len(sizes) < 5

    retention._in_pieces(work, 500, 50, Never())
    assert sizes == [500, 250, 125, 62, 50]
    assert waits == pytest.approx([0.03] * 4)
