"""A store as Parquet: a file of triggers and one of lists for each day, and the settings' versions and the audit."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scanner_kit.seal import MICROSECONDS
from scanner_kit.store.boards import StoredBoard
from scanner_kit.tables import LISTS, TRIGGERS, metrics_text

BESIDE = {
    "intrabar": pa.bool_(),
    "identity": pa.string(),
    "version": pa.int64(),
    "late": pa.float64(),
    "note": pa.string(),
}
"""What a stored trigger has beside the columns of a replay's."""
STORED = pa.schema([*TRIGGERS, *(pa.field(name, kind) for name, kind in {**BESIDE, "entry": pa.string()}.items())])
VERSIONS = pa.schema(
    [
        *((name, pa.int64()) for name in ("n", "base")),
        ("time", MICROSECONDS),
        *((name, pa.string()) for name in ("who", "why", "thresholds", "changes")),
    ]
)
AUDIT = pa.schema([("id", pa.int64()), ("time", MICROSECONDS), *((n, pa.string()) for n in ("who", "what", "detail"))])


def export(store: Any, folder: str | Path) -> list[Path]:
    """Write a store to a folder; gives the files. What is there already is replaced."""
    return list(_files(store, Path(folder)))


def _files(store: Any, folder: Path) -> Iterator[Path]:
    for day in store.days():
        yield _write(folder / "triggers" / f"{day}.parquet", [_trigger(row) for row in store.of_day(day)], STORED)
        found = (store.board_at(day, k) for k in store.minutes(day))
        yield _write(folder / "lists" / f"{day}.parquet", [row for board in found for row in _rows(board)], LISTS)
    versions = store.versions.history(size=1_000_000)[::-1]
    yield _write(folder / "versions.parquet", [_plain(vars(version)) for version in versions], VERSIONS)
    yield _write(folder / "audit.parquet", [_plain(row) for row in store.audit.all()], AUDIT)


def _write(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    pq.write_table(pa.Table.from_pylist(rows, schema), part, compression="zstd")
    part.replace(path)
    return path


def _trigger(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "session": str(row["session"]), "metrics": metrics_text(row["metrics"])}


def _rows(board: StoredBoard) -> Iterator[dict[str, Any]]:
    for name, told in sorted(board.lists.items()):
        for rank, (symbol, figures) in enumerate(told["rows"], 1):
            score = figures.get("score")
            score = float("nan") if score is None else score
            yield {"day": board.day, "k": board.k, "list": name, "rank": rank, "symbol": symbol, "score": score}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    kept = (str, int, float, dt.datetime)
    return {name: value if isinstance(value, kept) else json.dumps(value) for name, value in row.items()}
