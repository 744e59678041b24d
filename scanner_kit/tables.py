"""The tables of a replay, as Arrow: what their columns are, and how steps become rows.

- `triggers`: what was said, in order of day, k, scanner, symbol and kind; `metrics` is JSON, null where unknown;
- `lists`: who was on which list, in order of day, k, list and rank;
- `metrics`: every number of every symbol in every step, in order of day, k and symbol.

Unknown numbers are NaN. `day` is New York's, `time` the end of the step in UTC.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from scanner_kit import metrics as m
from scanner_kit.calendar import TradingDay
from scanner_kit.engine import Scan
from scanner_kit.seal import MICROSECONDS
from scanner_kit.triggers import Trigger
from scanner_kit.universe import Floats, Universe

WORDS = ("session", "symbol", "scanner", "kind", "settings", "metrics", "list")
WHOLE = ("k", "side", "rank")


def schema_of(names: Iterable[str]) -> pa.Schema:
    """The types of columns by name: dates, instants, whole numbers and texts are known; all others are float64."""
    known = {
        "day": pa.date32(),
        "time": MICROSECONDS,
        **dict.fromkeys(WHOLE, pa.int64()),
        **dict.fromkeys(WORDS, pa.string()),
    }
    return pa.schema([(name, known.get(name, pa.float64())) for name in names])


TRIGGERS = schema_of(
    [
        *("day", "k", "time", "session", "symbol", "scanner", "kind", "side", "price", "level", "score", "severity"),
        *("rank", "stop", "distance", "shares", "settings", "metrics"),
    ]
)
LISTS = schema_of(["day", "k", "list", "rank", "symbol", "score"])
METRICS = schema_of(["day", "k", "symbol", *(metric.name for metric in m.ALL)])
SCHEMAS = {"triggers": TRIGGERS, "lists": LISTS, "metrics": METRICS}


def trigger_table(triggers: Sequence[Trigger]) -> pa.Table:
    """Triggers as rows, in the order given."""
    columns = {name: [getattr(trigger, name) for trigger in triggers] for name in TRIGGERS.names if name != "metrics"}
    columns["metrics"] = [metrics_text(trigger.metrics) for trigger in triggers]
    return pa.table(
        {
            field.name: pa.array(
                map(str, columns[field.name]) if pa.types.is_string(field.type) else columns[field.name], field.type
            )
            for field in TRIGGERS
        }
    )


def metrics_text(metrics: Mapping[str, float]) -> str:
    """Metrics by name as JSON, null where unknown.

    >>> metrics_text({"rvol_tod": 3.5, "float_rotation": float("nan")})
    '{"float_rotation": null, "rvol_tod": 3.5}'
    """
    return json.dumps({name: None if math.isnan(value) else value for name, value in metrics.items()}, sort_keys=True)


@dataclass
class ListRows:
    """The lists of a day, row by row."""

    sizes: dict[tuple[int, str], int] = field(default_factory=dict)
    symbols: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    def take(self, scan: Scan) -> None:
        """The lists of a step."""
        for name in sorted(scan.lists):
            ranking = scan.lists[name]
            if ranking.symbols:
                self.sizes[scan.k, name] = len(ranking)
                self.symbols.extend(ranking.symbols)
                self.scores.extend(ranking.scores)

    def table(self, day: TradingDay) -> pa.Table:
        """All that were taken, in order of k, list and rank."""
        sizes = np.fromiter(self.sizes.values(), np.int64, len(self.sizes))
        starts = np.cumsum(sizes) - sizes
        names = sorted({name for _, name in self.sizes})
        codes = np.array([names.index(name) for _, name in self.sizes], dtype=np.int32)
        columns = {
            "day": _dates(day, len(self.symbols)),
            "k": np.repeat(np.array([k for k, _ in self.sizes], dtype=np.int64), sizes),
            "list": _coded(np.repeat(codes, sizes), names),
            "rank": np.arange(len(self.symbols)) - np.repeat(starts, sizes) + 1,
            "symbol": pa.array(self.symbols, pa.string()),
            "score": np.array(self.scores, dtype=np.float64),
        }
        return pa.table(columns).cast(LISTS)


class MetricRows:
    """The metrics of some minutes of a day, handed on whenever there are enough rows for a part."""

    def __init__(self, universe: Universe, rows_at_once: int, add: Callable[[pa.Table], None]) -> None:
        self._universe, self._add = universe, add
        self._minutes = max(1, rows_at_once // max(1, len(universe)))
        self._kept: list[tuple[int, Mapping[m.Metric, Floats]]] = []

    def take(self, scan: Scan) -> None:
        """The metrics of a step."""
        self._kept.append((scan.k, scan.snapshot.values))
        if len(self._kept) == self._minutes:
            self.flush()

    def flush(self) -> None:
        """Hand on what is left."""
        if self._kept:
            self._add(self._table())
        self._kept = []

    def _table(self) -> pa.Table:
        minutes, symbols = len(self._kept), len(self._universe)
        columns: dict[str, Any] = {
            "day": _dates(self._universe.day, minutes * symbols),
            "k": np.repeat(np.array([k for k, _ in self._kept], dtype=np.int64), symbols),
            "symbol": _coded(np.tile(np.arange(symbols, dtype=np.int32), minutes), self._universe.symbols),
        }
        for metric in m.ALL:
            columns[metric.name] = np.concatenate([values[metric] for _, values in self._kept])
        return pa.table(columns).cast(METRICS)


def _dates(day: TradingDay, rows: int) -> np.ndarray[Any, Any]:
    return np.full(rows, np.datetime64(day.date, "D"))


def _coded(codes: np.ndarray[Any, Any], words: Sequence[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(codes, pa.array(words, pa.string())).cast(pa.string())
