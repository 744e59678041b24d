"""What the explorer asks about a stored trigger: what came of it, why it fired, and a notebook of its own."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from scanner_kit.views.explorer.records import Row
from scanner_kit.views.tuning.look import Subject


@dataclass(frozen=True)
class Came:
    """What came of a trigger by each of `tuning.paths.HORIZONS`: words, R after costs, MFE and MAE in % of entry."""

    result: Sequence[str]
    result_r: Sequence[float]
    mfe_pct: Sequence[float]
    mae_pct: Sequence[float]


@dataclass(frozen=True)
class Look:
    """A look at a trigger: its trade where the day is archived, else its day so far; and why it fired.

    `history` is what `views.chart` shows, `answers` what `views.why` shows, `said` a sentence for what is not there.
    """

    subject: Subject | None = None
    history: Mapping[str, Any] | None = None
    answers: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    said: str = ""


class Review(Protocol):
    """Answers for stored triggers; from any thread, and as slowly as it takes."""

    def archived(self, day: dt.date) -> bool:
        """Whether the tape of a day is there to compute outcomes from."""

    def came(self, day: dt.date, rows: Sequence[Row]) -> Mapping[str, Came]:
        """What came of triggers of an archived day, by identity."""

    def look(self, row: Row) -> Look:
        """Chart and reasons of a trigger."""

    def notebook(self, row: Row) -> Path:
        """Write the notebook of a trigger, and tell where it is."""
