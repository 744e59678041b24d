"""The simulated day that is measured, made once for each size and kept as plain files outside the project.

A seeded `SimulatedMarket`: the same symbols, bars and facts on every machine and in every run. Making it is not timed.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.day import Day
from scanner_kit.bars import FIELDS, Bars, Tape
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape
from scanner_kit.universe import Universe

SEED = 7
SOME = 50


def store(symbols: int, folder: Path) -> None:
    """Draw the day of a market of `symbols` names and write it to a folder."""
    tape = simulated_tape(SimulatedMarket(symbols=symbols, seed=SEED))
    for name in FIELDS:
        getattr(tape, name).tofile(folder / name)
    (folder / "universe").write_bytes(pickle.dumps(tape.universe, protocol=5))


def universe(folder: Path) -> Universe:
    """The symbols of a stored day, with their facts."""
    found: Universe = pickle.loads((folder / "universe").read_bytes())
    return found


def load(folder: Path) -> Tape:
    """A stored day, all of it in memory."""
    head = universe(folder)
    shape = (head.day.minutes, len(head))
    bars: dict[str, Any] = {name: np.fromfile(folder / name).reshape(shape) for name in FIELDS}
    return Tape(head, **bars)


def arriving(folder: Path, head: Universe) -> Iterator[Bars]:
    """The minutes of a stored day, each read when it is asked for: as live, nobody holds the whole tape."""
    symbols = len(head)
    for k in range(head.day.minutes):
        at = 8 * symbols * k
        bars: dict[str, Any] = {name: np.fromfile(folder / name, count=symbols, offset=at) for name in FIELDS}
        yield Bars(k, **bars)


def part(tape: Tape, symbols: int = SOME) -> Tape:
    """The same day of the first symbols alone."""
    rows = np.arange(min(symbols, len(tape.universe)))
    bars: dict[str, Any] = {name: np.ascontiguousarray(getattr(tape, name)[:, rows]) for name in FIELDS}
    return Tape(tape.universe.take(rows), **bars)


def for_peers(tape: Tape) -> Day:
    """The same day as the peers take it."""
    facts = tape.universe.facts
    given = {f.name: getattr(tape, f.name, None) for f in fields(Day) if f.name not in ("open_k", "close_k")}
    return Day(**{name: getattr(facts, name) if array is None else array for name, array in given.items()})
