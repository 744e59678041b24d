"""The store: what is written is there once, pages are those of a plain sort, and what is wrong is said."""

import datetime as dt
import itertools
import math
import multiprocessing
import random
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from stored import DAYS, at, fired, lists_of

from scanner_kit.calendar import TradingDay
from scanner_kit.errors import InvalidInput
from scanner_kit.store import (
    FIRST,
    LAST,
    ORDERS,
    Cursor,
    Filter,
    Looked,
    Page,
    Progress,
    Store,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreLost,
    open_store,
    searching,
    trigger_of,
)
from scanner_kit.store.connection import WAIT_SECONDS
from scanner_kit.store.schema import metadata

NAN = math.nan


@pytest.fixture
def store(store_address: str) -> Iterator[Store]:
    with open_store(store_address) as store:
        yield store


def many(count: int = 400, seed: int = 0) -> list[dict[str, Any]]:
    """Triggers of three days with ties in everything that they are ordered by."""
    draw = random.Random(seed)
    unknown = {"metrics": {"rvol_tod": None}}
    return [
        fired(
            draw.randrange(330, 350),
            draw.choice(["AAPL", "BRK.B", "NVDA", "TSLA"]),
            draw.choice(["hod_break", "momentum", "halt_resume"]),
            day=draw.choice(DAYS),
            kind=draw.choice(["fired", "halted"]),
            severity=draw.choice([None, 0.0, 50.0, 98.0, 99.5]),
            settings=f"{i:08x}",
            **(unknown if draw.random() < 0.2 else {"metrics": {"rvol_tod": draw.choice([1.0, 2.5, 3.0, 7.25])}}),
        )
        for i in range(count)
    ]


def through(store: Store, chosen: Filter, order: str, size: int, *, back: bool = False) -> list[dict[str, Any]]:
    """All rows, page by page, in the order of the pages read."""
    rows: list[dict[str, Any]] = []
    cursor: Cursor | None = LAST if back else FIRST
    while cursor is not None:
        page = store.page(chosen, order, cursor, size)
        rows = [*page.rows, *rows] if back else [*rows, *page.rows]
        cursor = page.previous if back else page.next
    return rows


def test_a_trigger_comes_out_as_it_went_in(store: Store) -> None:
    one = fired(335, "BRK.B", "halt_resume", kind="halted", level=None, severity=NAN, version=7, late=12.5, side=-1)
    one["note"] = "Raised"
    assert store.write([one]) == 1
    (found,) = store.page().rows
    assert found["time"] == dt.datetime(2025, 1, 27, 14, 36, tzinfo=dt.UTC)
    assert (found["version"], found["late"], found["entry"]) == (7, 12.5, "335-0")
    trigger = trigger_of(found)
    assert (trigger.identity, trigger.note) == (found["identity"], "Raised")
    told = asdict(trigger)
    assert math.isnan(told.pop("level"))
    assert math.isnan(told.pop("severity"))
    metrics = told.pop("metrics")
    assert metrics["rvol_tod"] == 3.5
    assert math.isnan(metrics["float_rotation"])
    one |= {"day": dt.date(2025, 1, 27), "time": found["time"]}
    assert told == {name: one[name] for name in told}
    assert store.trigger(found["identity"])["symbol"] == "BRK.B"  # type: ignore[index]
    assert store.trigger("0" * 16) is None


def test_instants_are_kept_to_the_microsecond(store: Store) -> None:
    time = "2025-01-27T14:36:07.123457+00:00"
    store.write([fired(335, time=time, intrabar=True)])
    (found,) = store.page().rows
    assert found["time"].isoformat() == time
    assert found["intrabar"] is True


def test_what_is_written_twice_is_there_once(store: Store) -> None:
    rows = [fired(k) for k in range(330, 340)]
    assert store.write([*rows, rows[0]], [lists_of(330, "NVDA")]) == 10
    assert store.write([*rows, fired(341)], [lists_of(330, "AAPL"), lists_of(331, "AAPL")]) == 1
    assert len(store.page().rows) == 11
    assert store.minutes(DAYS[0]) == [330, 331]
    board = store.board_at(DAYS[0], 330)
    assert board is not None
    assert board.lists["winners"]["rows"] == [["NVDA", {"score": 1.0}]]


def test_progress_is_written_with_the_rows_or_not_at_all(store: Store) -> None:
    assert store.progress("store", "scans") is None
    store.write([fired(330)], [], Progress("store", "scans", "1-0"))
    with pytest.raises(StoreError):
        store.write([fired(331)], [lists_of(331)], Progress("store", "scans", None))  # type: ignore[arg-type]
    assert store.progress("store", "scans") == "1-0"
    assert len(store.page().rows) == 1
    assert store.minutes(DAYS[0]) == []
    store.write([], [], Progress("store", "scans", "2-0"))
    store.write([], [], Progress("other", "scans", "9-0"))
    assert store.progress("store", "scans") == "2-0"


FILTERS = [
    Filter(),
    Filter(days=DAYS[:1]),
    Filter(days=[DAYS[0], DAYS[2]], kinds=["fired"]),
    Filter(symbols=["NVDA", "BRK.B"], max_severity=98),
    Filter(symbols=["NVDA", "AAPL", "BRK.B"], days=DAYS[1:], scanners=["momentum"]),
    Filter(scanners=["momentum", "halt_resume"], min_severity=0),
    Filter(min_severity=50, max_severity=98, days=DAYS),
    Filter(metrics=[("rvol_tod", ">=", 2.5), ("rvol_tod", "<", 7)], days=DAYS),
    Filter(metrics=[("rvol_tod", "!=", 3), ("severity", "<", 50), ("k", ">", 335)]),
    Filter(metrics=[("rvol_tod", ">", 7)], symbols=["NVDA", "BRK.B"], min_severity=50),
    Filter(metrics=[("rvol_tod", ">", 7)], scanners=["momentum"], days=DAYS[1:]),
    Filter(metrics=[("rvol_tod", ">", 7)], kinds=["fired"], max_severity=98),
    Filter(symbols=["nobody"]),
]
ROUTES = [(50_000, 16, 100_000), (30, 16, 100_000), (0, 16, 100_000), (50_000, 1, 100_000), (0, 1, 100_000)]
ROUTES += [(0, 16, 16), (0, 1, 40), (30, 16, 25)]
"""How few are sorted, how many walks are made side by side, and at how many triggers they look: all ways there are."""


def by_time(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["time"], row["settings"]


def by_severity(row: dict[str, Any]) -> tuple[Any, ...]:
    return -1.0 if row["severity"] is None else row["severity"], *by_time(row)


def in_order(rows: list[dict[str, Any]], chosen: Filter, order: str) -> list[str]:
    """Those that are chosen, in order, by a plain sort."""
    key, down = by_severity if order in ("severest", "mildest") else by_time, order in ("newest", "severest")
    return [row["settings"] for row in sorted(rows, key=key, reverse=down) if passes(row, chosen)]


def test_pages_are_those_of_a_plain_sort(store: Store) -> None:
    rows = many()
    store.write(rows[:150])
    store.write(rows[150:])
    for chosen, order in itertools.product(FILTERS, ORDERS):
        expected = in_order(rows, chosen, order)
        for size, back in itertools.product((23, 100), (False, True)):
            found = [row["settings"] for row in through(store, chosen, order, size, back=back)]
            assert found == expected, f"{chosen} {order} {size} {back}"


@pytest.mark.parametrize(("few", "branches", "looked"), ROUTES)
def test_every_way_of_a_search_finds_the_same(
    store: Store, few: int, branches: int, looked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "LOOKED", looked)
    monkeypatch.setattr(searching, "FEW", few)
    monkeypatch.setattr(searching, "FEW_ROWS", few)
    monkeypatch.setattr(searching, "BRANCHES", branches)
    rows = many(200)
    store.write(rows)
    for chosen, order in itertools.product(FILTERS, ORDERS):
        for back in (False, True):
            found = [row["settings"] for row in through(store, chosen, order, 37, back=back)]
            assert found == in_order(rows, chosen, order), f"{chosen} {order} {back}"


def test_a_search_for_a_rare_metric_says_how_far_it_looked_and_goes_on_from_there(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "LOOKED", 10)
    store.write([fired(k, metrics={"rvol_tod": 9.0 if k in (303, 338) else 1.0}) for k in range(300, 340)])
    chosen, cursor, pages = Filter(metrics=[("rvol_tod", ">", 8)]), FIRST, []
    for _ in range(4):
        pages.append(store.page(chosen, "newest", cursor, 5))
        cursor = pages[-1].next or FIRST
    assert [[row["k"] for row in page.rows] for page in pages] == [[338], [], [], [303]]
    looked = [page.looked and (page.looked.triggers, page.looked.time) for page in pages]
    ends = [TradingDay.of(DAYS[0]).time(k) for k in (330, 320, 310, 300)]
    assert looked == [(10, end) for end in ends]
    assert store.page(chosen, "newest", cursor, 5).looked is None, "there is no more to look at"
    back = store.page(chosen, "newest", pages[2].previous, 5)
    assert (back.rows, back.looked is not None) == ((), True)
    end = TradingDay.of(DAYS[0]).time(309)
    assert store.page(chosen, "oldest", FIRST, 5).looked == Looked(10, dt.date(2025, 1, 27), end)
    assert store.page(Filter(days=DAYS[:1]), "newest", FIRST, 5).looked is None


def passes(row: dict[str, Any], chosen: Filter) -> bool:
    """Whether a trigger is chosen, asked of its plain values."""
    for name in ("symbol", "scanner", "kind"):
        words = getattr(chosen, f"{name}s")
        if words is not None and row[name] not in words:
            return False
    if chosen.days is not None and dt.date.fromisoformat(row["day"]) not in chosen.days:
        return False
    limits = [(">=", chosen.min_severity), ("<=", chosen.max_severity)]
    asked = [("severity", sign, value) for sign, value in limits if value is not None]
    return all(holds(row, *one) for one in [*asked, *chosen.metrics])


def holds(row: dict[str, Any], name: str, sign: str, value: float) -> bool:
    """Whether a number of a trigger is as a condition has it; what is unknown is not."""
    found = row[name] if name in row else row["metrics"].get(name)
    signs = {"<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__", "!=": "__ne__"}
    return found is not None and bool(getattr(float(found), signs[sign])(float(value)))


def test_a_page_says_what_is_before_and_behind_it(store: Store) -> None:
    store.write([fired(k) for k in range(330, 340)])
    first = store.page(size=4)
    assert [row["k"] for row in first.rows] == [339, 338, 337, 336]
    assert first.previous is None
    assert first.next is not None
    second = store.page(size=4, after=Cursor.of(str(first.next)))
    assert [row["k"] for row in second.rows] == [335, 334, 333, 332]
    assert second.previous is not None
    assert store.page(size=4, after=second.previous).rows == first.rows
    last = store.page(size=4, after=LAST)
    assert [row["k"] for row in last.rows] == [333, 332, 331, 330]
    assert last.next is None
    assert store.page(Filter(symbols=[])) == Page(())


def test_what_arrives_meanwhile_moves_no_page(store: Store) -> None:
    store.write([fired(k) for k in range(330, 340)])
    first = store.page(size=4)
    store.write([fired(350)])
    assert [row["k"] for row in store.page(size=4, after=first.next).rows] == [335, 334, 333, 332]


def test_what_there_is_to_choose_from(store: Store) -> None:
    store.write([fired(330, "B", "momentum", day=DAYS[1]), fired(331, "A"), fired(332, "A", kind="halted")])
    store.write([], [lists_of(330, day=DAYS[2])])
    assert [day.isoformat() for day in store.days()] == list(DAYS)
    assert store.symbols() == ["A", "B"]
    assert store.scanners() == ["hod_break", "momentum"]
    assert store.kinds() == ["fired", "halted"]


def test_the_board_is_that_of_the_last_step_that_had_ended(store: Store) -> None:
    store.write([], [lists_of(k, f"S{k}") for k in (335, 336, 338)])
    for asked, k in (
        (337, 336),
        ("09:36", 335),
        ("09:37", 336),
        ("09:38:30", 336),
        (dt.time(9, 39), 338),
        (at(DAYS[0], "16:00"), 338),
    ):
        found = store.board_at(DAYS[0], asked)
        assert found is not None
        assert found.k == k
        assert found.payload == lists_of(k, f"S{k}").payload
        assert found.time == TradingDay.of(DAYS[0]).time(k)
    assert store.board_at(DAYS[0], "09:35") is None
    assert store.board_at(DAYS[1], "16:00") is None


# Several at once


def _write(address: str, first: int) -> None:
    with open_store(address) as store:
        for k in range(first, first + 40):
            store.write(
                [fired(k), fired(k, "AAPL", settings=str(first))], [lists_of(k)], Progress("p", str(first), "1")
            )


def test_several_processes_make_the_tables_and_write_at_once(store_address: str) -> None:
    context = multiprocessing.get_context("spawn")
    running = [context.Process(target=_write, args=(store_address, first)) for first in (300, 320, 340)]
    for process in running:
        process.start()
    for process in running:
        process.join(60)
    assert [process.exitcode for process in running] == [0, 0, 0]
    with open_store(store_address, migrate=False) as store:
        assert len(store.page(Filter(symbols=["NVDA"]), size=1_000).rows) == 80
        assert len(store.page(Filter(symbols=["AAPL"]), size=1_000).rows) == 120
        assert store.minutes(DAYS[0]) == list(range(300, 380))


def test_a_reader_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with open_store(path) as store:
        store.write([fired(330)])
        store.page()
        with store.database.reading() as connection:
            connection.execute(text("SELECT * FROM triggers")).first()
            with sqlite3.connect(path, isolation_level=None) as other:
                busy, *_ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            with pytest.raises(Exception, match="readonly"):
                connection.execute(text("DELETE FROM triggers"))
        assert busy == 0


# The tables


def test_the_migrations_make_the_tables_of_the_schema(store: Store) -> None:
    with store.database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        indexes = {index.name for table in metadata.tables.values() for index in table.indexes}
        asked = {"sqlite": "name FROM sqlite_master", "postgresql": "indexname FROM pg_indexes"}
        names = set(connection.scalars(text(f"SELECT {asked[connection.dialect.name]}")))
    assert indexes <= names


def test_a_file_is_in_wal_mode_and_gives_pages_back(tmp_path: Path) -> None:
    open_store(tmp_path / "store.sqlite").close()
    with sqlite3.connect(tmp_path / "store.sqlite") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    connection.close()


def test_tables_of_another_version_are_named(store_address: str) -> None:
    with pytest.raises(StoreError, match=r"has tables of none, and this version needs \d+\. Run scanner-kit store"):
        open_store(store_address, migrate=False)
    with open_store(store_address) as store, store.database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for migrate in (True, False):
        with pytest.raises(StoreError, match="has tables of 9999, which this version does not know: a later one made"):
            open_store(store_address, migrate=migrate)


# What goes wrong


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("", "found ''"),
        ("sqlite://", "found 'sqlite://', which is no file. Name one."),
        ("mysql://desk:secret@host/name", "found 'mysql://desk:\\*\\*\\*@host/name'. Use one of these two databases."),
        ("postgresql://desk:se:c@ret@host:port/name", r"found 'postgresql://desk:\*\*\*@host:port/name'"),
    ],
)
def test_an_address_that_is_none_is_named_without_its_password(address: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence) as told:
        open_store(address)
    assert "secret" not in str(told.value)


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(StoreLost, match=r"The store postgresql://desk:\*\*\*@127\.0\.0\.1:1/x does not answer") as told:
        open_store("postgres://desk:secret@127.0.0.1:1/x")
    assert "secret" not in str(told.value)


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(StoreError, match=r"needs psycopg, which is not there\. pip install 'scanner-kit\[postgres\]"):
        open_store("postgresql://host/x")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be used"):
        open_store(tmp_path / "file" / "store.sqlite")
    with pytest.raises(StoreError, match="unable to open database file"):
        open_store(tmp_path)


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_bytes(b"no database" * 1_000)
    with pytest.raises(StoreError, match="file is not a database"):
        open_store(tmp_path / "store.sqlite")


def test_a_full_disk_is_named_and_nothing_is_half_written(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.sqlite") as store:
        store.write([fired(330)])
        with store.database.writer.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 5}")
        with pytest.raises(StoreFull, match="is full: database or disk is full"):
            store.write([fired(k, settings=f"{k}") for k in range(340, 840)], [], Progress("store", "scans", "5-0"))
        assert len(store.page().rows) == 1
        assert store.progress("store", "scans") is None


def test_a_store_that_another_holds_is_named(store_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanner_kit.store.connection.WAIT_SECONDS", 0.2)
    assert WAIT_SECONDS >= 1
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with open_store(store_address) as other, other.database.writing():
            held.set()
            done.wait(30)

    with open_store(store_address) as store:
        thread = threading.Thread(target=hold)
        thread.start()
        held.wait(30)
        try:
            with pytest.raises(StoreLocked, match="is locked by another process"):
                store.write([fired(330)])
            assert store.page().rows == ()
        finally:
            done.set()
            thread.join()
        store.write([fired(330)])


@pytest.mark.parametrize(
    ("asks", "sentence"),
    [
        (lambda: Filter(symbols="NVDA"), "A filter's symbols are a list; found 'NVDA'. Write ['NVDA']."),
        (
            lambda: Filter(days=["yesterday"]),
            "A day is a date like 2025-01-27; found 'yesterday'. Write it as YYYY-MM-DD.",
        ),
        (
            lambda: Filter(metrics=[("rvol_tod", "=>", 3)]),
            'A condition on a metric is (name, sign, value), such as ("rvol_tod", ">=", 3); found the sign \'=>\'. '
            "Write one of <, <=, >, >=, =, !=.",
        ),
        (
            lambda: Filter(metrics=[("rvol'); --", ">", 3)]),
            'A condition on a metric is (name, sign, value), such as ("rvol_tod", ">=", 3); found the name '
            "\"rvol'); --\". Write a metric's name.",
        ),
        (
            lambda: Filter(metrics=[("rvol_tod", ">", NAN)]),
            'A condition on a metric is (name, sign, value), such as ("rvol_tod", ">=", 3); found the value nan. '
            "Write a number.",
        ),
        (lambda: Cursor.of("[1]"), "A cursor is what a page gave; found '[1]'. Begin at the first page."),
    ],
)
def test_what_cannot_be_asked_is_said(asks: Any, sentence: str) -> None:
    with pytest.raises(InvalidInput) as told:
        asks()
    assert str(told.value) == sentence


def test_wrong_questions_to_a_store_are_answered_in_a_sentence(store: Store) -> None:
    with pytest.raises(InvalidInput, match=r"Triggers have no order 'newst'\. Did you mean 'newest'\?"):
        store.page(order="newst")
    with pytest.raises(InvalidInput, match=r"A cursor is of one order; found \[false, 1\] for 'newest'\."):
        store.page(after=Cursor((1,)))
    with pytest.raises(InvalidInput, match=r"A page has 1 to 10,000 rows; found 0\. Choose another size\."):
        store.page(size=0)
    with pytest.raises(InvalidInput, match=r"found one without price, side\. Give what the engine published\."):
        store.write([{name: value for name, value in fired().items() if name not in ("side", "price")}])
    with pytest.raises(InvalidInput, match=r"found 'noon'\. Write, say, '09:37'\."):
        store.board_at(DAYS[0], "noon")
