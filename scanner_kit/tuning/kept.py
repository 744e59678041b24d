"""Tapes in a folder: a day with all that came with it, for a notebook or for somebody else.

>>> import tempfile
>>> from scanner_kit.sources.simulated import SimulatedMarket
>>> from scanner_kit.sources.tape import simulated_tape
>>> load_tape(save_tape(simulated_tape(SimulatedMarket(symbols=5)), tempfile.mkdtemp()))
<simulated Tape of 2025-06-18, 5 symbols>
"""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from scanner_kit.bars import LateBars, Tape
from scanner_kit.errors import InvalidInput, must_be
from scanner_kit.tuning.history import History
from scanner_kit.tuning.shelf import DiskShelf
from scanner_kit.universe import Floats

LATE = "late"
COLUMNS = tuple(field.name for field in fields(LateBars))


def save_tape(tape: Tape, folder: str | Path) -> Path:
    """Keep a tape in a folder, for `load_tape`: bars, universe, facts and events, and bars that came late as such.

    `InvalidInput` where the folder cannot be written.
    """
    must_be(Tape, tape, "What is kept is a Tape", "Give, say, sk.simulated_tape(market).")
    _check_folder(folder)
    History.of_tapes([replace(tape, late={})]).save(folder)
    arrived = [np.full(len(late), float(k)) for k, late in tape.late.items()]
    columns = ([getattr(late, name) for late in tape.late.values()] for name in COLUMNS)
    table = [np.concatenate([np.empty(0), *parts]) for parts in (arrived, *columns)]
    DiskShelf(folder).put(LATE, np.stack(table))
    return Path(folder)


def load_tape(folder: str | Path) -> Tape:
    """The tape that `save_tape` put into a folder, which stays as it is. `InvalidInput` where there is none."""
    _check_folder(folder)
    table = DiskShelf(folder).get(LATE)
    history = History.load(folder)
    if table is None or len(history) != 1:
        raise InvalidInput(
            f"A tape is loaded from the folder that save_tape put it into; {str(folder)!r} holds none, or not all of "
            f"it. Look from which folder the path starts, or save it again."
        )
    return replace(history.days[0].tape, late={int(k): _late(table[1:, table[0] == k]) for k in np.unique(table[0])})


def _check_folder(folder: Any) -> None:
    must_be((str, Path), folder, "A tape is kept in a folder", "Give its path.")


def _late(columns: Floats) -> LateBars:
    k, row, *bars = columns
    return LateBars(k.astype(np.int64), row.astype(np.intp), *bars)
