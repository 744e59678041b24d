"""Lists and triggers as plain values, as JSON carries them: what is not known is null, a day or an instant is a text.

>>> list_ = Published.of("winners", {"NVDA": {"score": 5.5, "rvol_tod": math.nan}}, seq=7)
>>> plain_list(list_)
{'seq': 7, 'rows': [['NVDA', {'score': 5.5, 'rvol_tod': None}]]}
>>> list_of("winners", plain_list(list_)).symbols
('NVDA',)
"""

import datetime as dt
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import pyarrow as pa

from scanner_kit.calendar import Session
from scanner_kit.engine import Scan
from scanner_kit.ranking import Change, Published, Row
from scanner_kit.triggers import Trigger

SCORE = "score"
"""The figure by which a list is in order."""
NUMBERS = tuple(field.name for field in fields(Trigger) if field.type is float)


@dataclass(frozen=True)
class Announced:
    """A trigger as it was announced: under which version of the settings, and how late.

    `late` is in seconds after it was due, or 0 where it was announced in time.
    """

    trigger: Trigger
    version: int = 0
    late: float = 0.0


def plain_trigger(announced: Announced) -> dict[str, Any]:
    """A trigger with all its fields, its identity, and how it was announced."""
    trigger = announced.trigger
    plain = {field.name: getattr(trigger, field.name) for field in fields(trigger)}
    return {
        "identity": trigger.identity,
        **plain,
        **{name: number(plain[name]) for name in NUMBERS},
        "day": trigger.day.isoformat(),
        "time": trigger.time.isoformat(),
        "session": str(trigger.session),
        "metrics": plain_figures(trigger.metrics.items()),
        "version": announced.version,
        "late": announced.late,
    }


def trigger_of(plain: Mapping[str, Any]) -> Announced:
    """The trigger of which these are the plain values."""
    values = {field.name: plain[field.name] for field in fields(Trigger) if field.name in plain}
    trigger = Trigger(
        **values
        | {name: known_or_nan(values[name]) for name in NUMBERS}
        | {
            "day": dt.date.fromisoformat(plain["day"]),
            "time": dt.datetime.fromisoformat(plain["time"]),
            "session": Session(plain["session"]),
            "metrics": dict(_figures_of(plain["metrics"])),
        }
    )
    return Announced(trigger, plain["version"], plain["late"])


def plain_list(published: Published) -> dict[str, Any]:
    """A version of a list, without its name: its sequence number, and its rows in order."""
    return {"seq": published.seq, "rows": [[symbol, plain_figures(figures)] for symbol, figures in published.rows]}


def list_of(name: str, plain: Mapping[str, Any]) -> Published:
    """The version of a list of which these are the plain values."""
    return Published(name, plain["seq"], tuple((symbol, _figures_of(figures)) for symbol, figures in plain["rows"]))


def plain_change(change: Change) -> list[Any]:
    """A change of a list: its name, sequence number, what, symbol, rank and figures."""
    figures = plain_figures(change.figures)
    return [change.name, change.seq, change.what, change.symbol, change.rank, figures]


def change_of(plain: Iterable[Any]) -> Change:
    """The change of which these are the plain values."""
    name, seq, what, symbol, rank, figures = plain
    return Change(name, seq, what, symbol, rank, _figures_of(figures))


def lists_of(scan: Scan) -> dict[str, Published]:
    """The lists of a scan as they are to be published: the score of each symbol first, then its figures."""
    return {
        name: Published.of(name, {row.symbol: {SCORE: row.score, **row.figures} for row in scan.rows(name)})
        for name in scan.lists
    }


def shown_rows(published: Published) -> tuple[Row, ...]:
    """The rows of a published list as screens show them."""
    told = ((symbol, dict(figures)) for symbol, figures in published.rows)
    return tuple(Row(symbol, figures.pop(SCORE, math.nan), figures) for symbol, figures in told)


def plain_figures(figures: Iterable[tuple[str, float]]) -> dict[str, float | None]:
    """Figures by name, in order."""
    return {name: number(value) for name, value in figures}


def number(value: float) -> float | None:
    """A number as JSON may carry it."""
    return float(value) if math.isfinite(value) else None


def known_or_nan(value: float | None) -> float:
    """A number that JSON carried."""
    return math.nan if value is None else float(value)


def text_of(value: Any) -> str:
    """Plain values as JSON, without spaces."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def packed(value: Any) -> bytes:
    """Plain values as JSON, pressed (zstd)."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(text_of(value).encode())
    return bytes(sink.getvalue())


def unpacked(data: bytes) -> Any:
    """The plain values that were packed."""
    with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
        return json.loads(stream.read())


def _figures_of(plain: Mapping[str, float | None]) -> tuple[tuple[str, float], ...]:
    return tuple((name, known_or_nan(value)) for name, value in plain.items())
