"""Telling: what fires in a step becomes triggers, with severity, rank, risk and the metrics it stood on."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from typing import Any

import numpy as np

from scanner_kit.arithmetic import compiled
from scanner_kit.columns import Column
from scanner_kit.composition import AnyScanner
from scanner_kit.metrics import Last, Metric
from scanner_kit.snapshot import Snapshot
from scanner_kit.triggers import Trigger, stops
from scanner_kit.universe import Floats, Rows

LAST = Last()


@dataclass(frozen=True, eq=False)
class Speaker:
    """Of a scanner what its triggers carry: read once for each change of a threshold."""

    name: str
    settings: str
    metrics: tuple[Metric, ...]
    names: tuple[str, ...]
    stop_atr: float
    risk: float

    @classmethod
    def of(cls, scanner: AnyScanner) -> "Speaker":
        """That of a scanner of the roster."""
        metrics = scanner.metrics()
        names = tuple(metric.name for metric in metrics)
        return cls(scanner.name, scanner.settings_id, metrics, names, scanner.stop_atr, scanner.risk)


@dataclass(frozen=True, eq=False, slots=True)
class Spoken:
    """The rows for which one kind of a scanner fires in a step.

    With the side and level of each (or one for all), and what they are ranked among: the selected rows, by score.
    """

    speaker: Speaker
    kind: str
    rows: Rows
    side: Any
    level: Any
    selected: Rows
    score: Column


def told(now: Snapshot, spoken: Sequence[Spoken], instant: dt.datetime | None = None) -> Iterator[Trigger]:
    """The triggers of all that fires at an instant."""
    if not spoken:
        return
    counts = [one.rows.size for one in spoken]
    rows = np.concatenate([one.rows for one in spoken])
    side, level = (
        np.concatenate([_each(getattr(one, name), one.rows.size) for one in spoken]) for name in ("side", "level")
    )
    stop_atr, dollars = (
        np.repeat([getattr(one.speaker, name) for one in spoken], counts) for name in ("stop_atr", "risk")
    )
    price, atr = now.values[LAST][rows], now.universe.facts.atr_14d[rows]
    risk = stops(side, price, level, now.low[rows], now.high[rows], atr, stop_atr, dollars)
    scores = np.concatenate([one.score.values[one.rows] for one in spoken])
    severity = np.concatenate([now.severity(one.score).of(one.rows) for one in spoken])
    ranks = np.concatenate([_ranks(one.selected, one.score.values, one.rows) for one in spoken])
    figures = zip(*(f.tolist() for f in (rows, side, price, level, scores, severity, ranks, *risk)), strict=True)
    day, k, session, symbols, forming = now.universe.day, int(now.k), now.session, now.universe.symbols, now.forming
    time = instant or day.time(k)
    for one in spoken:
        speaker, its = one.speaker, islice(figures, one.rows.size)
        columns = [now.values[metric][one.rows].tolist() for metric in speaker.metrics]
        metrics = zip(*columns, strict=True) if columns else repeat((), one.rows.size)
        for values, (row, way, last, at, score, severe, rank, stop, distance, shares) in zip(metrics, its, strict=True):
            yield Trigger(
                day=day.date,
                k=k,
                time=time,
                session=session,
                symbol=symbols[row],
                scanner=speaker.name,
                kind=one.kind,
                side=int(way),
                price=last,
                level=at,
                score=score,
                severity=severe,
                rank=rank,
                stop=stop,
                distance=distance,
                shares=shares,
                settings=speaker.settings,
                metrics=dict(zip(speaker.names, values, strict=True)),
                intrabar=forming,
            )


def _each(value: Any, count: int) -> Floats:
    """A number for each row, of one for each or one for all."""
    return np.full(count, value, dtype=np.float64) if np.ndim(value) == 0 else value.astype(np.float64)


@compiled
def _ranks(selected: Rows, scores: Floats, rows: Rows) -> Rows:
    """The rank, from 1, of some rows among the selected.

    By score, the largest first and the unknown last, then by symbol.
    """
    ranks = np.empty_like(rows)
    for i in range(rows.size):
        own, ranks[i] = scores[rows[i]], 1
        for row in selected:
            its = scores[row]
            before = its > own or (np.isnan(own) and not np.isnan(its))
            alike = its == own or (np.isnan(own) and np.isnan(its))
            ranks[i] += before or (alike and row < rows[i])
    return ranks
