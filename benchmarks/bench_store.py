"""How soon a page of the stored triggers is there, with 5 million of them; and how long pruning keeps a writer waiting.

Run by `make bench`. On SQLite, and on PostgreSQL where its programs are found. See README.md beside it for what is
measured, and how.
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import clusters, drawn_triggers, report
from benchmarks.report import Figure, verdict
from scanner_kit.calendar import TradingDay, as_date
from scanner_kit.store import ORDERS, Cursor, Filter, Store, open_store
from scanner_kit.store.schema import number_of

DAYS, A_DAY, AT_ONCE = 250, 20_000, 5_000
ASKED = 30
"""Filters drawn of each kind; of each, a page at the beginning, and two at a depth that is drawn too."""
METRIC_DAYS = 5
"""Days of which a metric is asked: 100,000 triggers."""
BATCH, EVERY = 20, 0.05
"""The triggers that are written at once while it is pruned, and the seconds between two writes."""

Result = dict[str, Any]


def main() -> None:
    """Fill and measure each database in a process of its own; store.md and store.json have those that are done."""
    given, began = report.options(__doc__ or ""), report.busy()
    found: dict[str, Result] = {}
    for name in ("SQLite", "PostgreSQL"):
        if name == "PostgreSQL" and clusters.binaries() is None:
            print(f"store: {clusters.MISSING}", file=sys.stderr, flush=True)
            continue
        print(f"store: {name}", file=sys.stderr, flush=True)
        found[name] = report.alone(measure, name, given.quick)
        data = {"machine": report.machine(), "busy": began, "databases": found}
        report.write("store", page(data), data, figures(data), given.results)


def measure(name: str, quick: bool) -> Result:
    """Everything about one database, in seconds."""
    days, a_day = (12, 500) if quick else (DAYS, A_DAY)
    with _address(name) as address, open_store(address) as store:
        filled = _fill(store, days, a_day)
        if name == "PostgreSQL":
            with store.database.reading() as connection:
                connection.exec_driver_sql("VACUUM ANALYZE")  # its own daemon does so within a minute or two
        draw = random.Random(7)
        return {
            "triggers": days * a_day,
            "days": days,
            "filled": filled,
            "pages": {
                what: _pages(store, how, draw, 3 if quick else ASKED) for what, how in _asked(store, draw).items()
            },
            "metric": _metric(store, draw, 2 if quick else ASKED // 3),
            "pruned": _pruned(store, a_day),
        }


@contextmanager
def _address(name: str) -> Iterator[str]:
    if name == "PostgreSQL":
        with clusters.cluster(["shared_buffers=1GB", "max_wal_size=4GB"]) as address:
            yield address
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder) / 'store.sqlite'}"


def _fill(store: Store, days: int, a_day: int) -> float:
    began = time.perf_counter()
    for day in drawn_triggers.days(days):
        rows = list(drawn_triggers.triggers(day, a_day))
        for first in range(0, a_day, AT_ONCE):
            store.write(rows[first : first + AT_ONCE])
    return time.perf_counter() - began


def _asked(store: Store, draw: random.Random) -> dict[str, Callable[[], Filter]]:
    """What is asked for, by name: each draws a filter."""
    days, names, scanners = store.days(), drawn_triggers.names(), store.scanners()

    def some(of: list[Any], count: int = 1) -> list[Any]:
        return draw.sample(of, min(count, len(of)))

    def month() -> list[Any]:
        first = draw.randrange(max(1, len(days) - 21))
        return days[first : first + 21]

    return {
        "everything": lambda: Filter(),
        "a day": lambda: Filter(days=some(days)),
        "5 days": lambda: Filter(days=some(days, 5)),
        "a month": lambda: Filter(days=month()),
        "a busy symbol": lambda: Filter(symbols=some(names[:20])),
        "a rare symbol": lambda: Filter(symbols=some(names[5_000:])),
        "12 symbols": lambda: Filter(symbols=some(names[:500], 12)),
        "200 symbols": lambda: Filter(symbols=some(names, 200)),
        "a scanner": lambda: Filter(scanners=some(scanners)),
        "halts": lambda: Filter(kinds=["halted"]),
        "severity ≥ 98": lambda: Filter(min_severity=98),
        "a narrow severity": lambda: Filter(min_severity=(low := draw.uniform(0, 99.98)), max_severity=low + 0.01),
        "a scanner, severity ≥ 99.9": lambda: Filter(scanners=some(scanners), min_severity=99.9),
        "a symbol, a scanner, severity ≥ 98": lambda: Filter(
            symbols=some(names[:20]), scanners=some(scanners), min_severity=98
        ),
        "a day, a scanner, severity ≥ 98": lambda: Filter(days=some(days), scanners=some(scanners), min_severity=98),
        "a month, a symbol": lambda: Filter(days=month(), symbols=some(names[:200])),
        "a month, a scanner, severity ≥ 99": lambda: Filter(days=month(), scanners=some(scanners), min_severity=99),
    }


def _pages(store: Store, draw_filter: Callable[[], Filter], draw: random.Random, count: int) -> list[float]:
    """Seconds of pages in every order: the first, and from a place drawn anywhere, onwards and backwards."""
    days, seconds = store.days(), []
    for order in ORDERS:
        for _ in range(count):
            chosen = draw_filter()
            place = (number_of(as_date(draw.choice(list(chosen.days or days)))), 0, 0)
            key = place if order in ("newest", "oldest") else (draw.uniform(0, 100), *place)
            places = (None, Cursor(key), Cursor(key, back=True))
            seconds += [_seconds(partial(store.page, chosen, order, after)) for after in places]
    return seconds


def _metric(store: Store, draw: random.Random, count: int) -> list[float]:
    """Seconds of pages with a condition on a metric: one that many meet, that few meet, and that nobody meets."""
    days, seconds = store.days(), []
    for order in ORDERS:
        for _ in range(count):
            chosen_days = draw.sample(days, min(METRIC_DAYS, len(days)))
            asked = [Filter(days=chosen_days, metrics=[("rvol_tod", ">=", least)]) for least in (3.0, 60.0, 1e9)]
            seconds += [_seconds(partial(store.page, chosen, order)) for chosen in asked]
    return seconds


def _pruned(store: Store, a_day: int) -> Result:
    """Seconds of writes while a day is pruned, beside those while nothing is, and of the pruning."""
    last = store.days()[-1]
    rows = drawn_triggers.triggers(TradingDay.of(last), a_day, seed=8)
    quiet, busy, over = list[float](), list[float](), threading.Event()

    def write(into: list[float]) -> None:
        batch = [row for row, _ in zip(rows, range(BATCH), strict=False)]
        into.append(_seconds(lambda: store.write(batch)))
        time.sleep(EVERY)

    def go_on() -> None:
        while not over.is_set():
            write(busy)

    for _ in range(100 if a_day == A_DAY else 10):
        write(quiet)
    writer = threading.Thread(target=go_on)
    writer.start()
    took = _seconds(lambda: store.prune(len(store.days()) - 1))
    over.set()
    writer.join()
    return {"quiet": quiet, "busy": busy, "took": took}


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


# What is written


def page(data: Mapping[str, Any]) -> str:
    """The tables, to be read."""
    found: Mapping[str, Result] = data["databases"]
    head = [""] + [f"{name}, {of}" for name in found for of in ("p50", "p95", "longest")]
    kinds = next(iter(found.values()))["pages"]
    rows = [[what, *(cell for one in found.values() for cell in _three(one["pages"][what]))] for what in kinds]
    rows.append(["a metric, within 5 days", *(cell for one in found.values() for cell in _three(one["metric"]))])
    for what, name in (("a write, nothing else going on", "quiet"), ("a write while a day is pruned", "busy")):
        rows.append([what, *(cell for one in found.values() for cell in _three(one["pruned"][name]))])
    told = "; ".join(
        f"{name}: filled in {one['filled'] / 60:.0f} minutes, a day pruned in {one['pruned']['took']:.1f} s"
        for name, one in found.items()
    )
    many = next(iter(found.values()))
    return (
        f"# The store\n\nMilliseconds of a page of 100, with {many['triggers']:,} triggers of {many['days']} days. "
        f"{data['machine']}; {data['busy']}. {told}.\n\n{report.table(head, rows)}\n"
    )


def figures(data: Mapping[str, Any]) -> list[Figure]:
    """The rows of the README."""
    rows = []
    for name, found in data["databases"].items():
        where = f"{found['triggers']:,} triggers, {name}"
        worst = max(float(np.percentile(times, 95)) for times in found["pages"].values())
        metric, wait = float(np.percentile(found["metric"], 95)), max(found["pruned"]["busy"])
        for what, budget, seconds in (
            (f"a page of stored triggers, the slowest kind of filter, p95, {where}", 0.1, worst),
            (f"a page by a metric within 100,000 of them, p95, {where}", 1.0, metric),
            (f"a write while a day is pruned, the longest, {where}", 0.1, wait),
        ):
            rows.append(Figure(what, f"{1e3 * budget:g} ms", f"{1e3 * seconds:.0f} ms", verdict(seconds, budget)))
    return rows


def _three(seconds: list[float]) -> list[str]:
    return [f"{1e3 * value:.1f}" for value in (*np.percentile(seconds, [50, 95]), max(seconds))]


if __name__ == "__main__":
    main()
