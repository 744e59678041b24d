"""Results: what a scanner that asks the outside has found, as it stands on the tape.

A replay reads them and calls nobody, so a result holds everything that a list and a trigger show of it.

>>> import datetime as dt
>>> noon = dt.datetime(2025, 1, 27, 17, tzinfo=dt.UTC)
>>> result = Result("news", noon, (Found("NVDA", 3.0, fires=True, note="Guidance raised"),))
>>> result_of(told_result(result)) == result
True
"""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scanner_kit.errors import InvalidInput, short

SCORE, FOUND, FIRES = "score", "found", "fires"
"""What every result says of a symbol; any other word is a figure of the scanner's own."""
LONGEST_NOTE = 500


@dataclass(frozen=True)
class Found:
    """One symbol of a result: its score, whether it fires, a note for people, and figures of the scanner's own.

    Scores and figures are known numbers: leave out who has none.
    """

    symbol: str
    score: float
    fires: bool = False
    note: str = ""
    figures: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        given: Any
        known: Any
        flag: Any
        text: Any
        given, known, flag, text = self.symbol, self.figures, self.fires, self.note
        if not isinstance(given, str) or not given:
            raise InvalidInput(f"What is found is a symbol; found {given!r}. Write, say, Found('NVDA', 3.0).")
        if not isinstance(flag, bool | np.bool_):
            raise InvalidInput(f"{given} fires or does not; found fires={flag!r}. Give True or False.")
        if not isinstance(text, str) or len(text) > LONGEST_NOTE:
            raise InvalidInput(
                f"A note is a text of at most {LONGEST_NOTE} characters; found {short(text)} of {given}. Cut it."
            )
        if not isinstance(known, Mapping) or not all(isinstance(name, str) for name in known):
            raise InvalidInput(f"Figures are numbers by name; found {short(known)} of {given}. Write {{'age': 2.0}}.")
        figures = {name: _number(given, name, value) for name, value in known.items()}
        for name, value in ((SCORE, _number(given, SCORE, self.score)), (FIRES, bool(flag)), ("figures", figures)):
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Result:
    """What the scanner of that name found, at an instant; it stands until its next one."""

    scanner: str
    time: dt.datetime
    found: tuple[Found, ...] = ()

    def __post_init__(self) -> None:
        instant: Any = self.time
        if not isinstance(instant, dt.datetime) or instant.tzinfo is None:
            raise InvalidInput(f"A result is of an instant; found {instant!r}. Give a datetime with its zone.")
        object.__setattr__(self, "found", checked(self.found))

    def of(self, symbol: str) -> Found | None:
        """What was found of a symbol."""
        return next((one for one in self.found if one.symbol == symbol), None)


def checked(found: Any) -> tuple[Found, ...]:
    """What was found, each symbol once; `InvalidInput` where it is something else."""
    if isinstance(found, str | Mapping) or not isinstance(found, Sequence):
        raise InvalidInput(f"A result lists what was found; found {short(found)}. Write [Found('NVDA', 3.0)].")
    seen: set[str] = set()
    for one in found:
        if not isinstance(one, Found):
            raise InvalidInput(f"A result lists Found; found {short(one)}. Write Found('NVDA', 3.0).")
        if one.symbol in seen:
            raise InvalidInput(f"A symbol stands in a result once; found {one.symbol} twice. Keep one of them.")
        seen.add(one.symbol)
    return tuple(found)


def told_result(result: Result) -> list[Any]:
    """A result as JSON can hold it; `result_of` reads it back."""
    found = [[one.symbol, one.score, one.fires, one.note, dict(one.figures)] for one in result.found]
    return ["result", result.scanner, result.time.isoformat(), found]


def result_of(plain: Sequence[Any]) -> Result:
    """The result that was told so."""
    _, scanner, time, found = plain
    return Result(scanner, dt.datetime.fromisoformat(time), tuple(Found(*one) for one in found))


def _number(symbol: str, name: str, value: Any) -> float:
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise InvalidInput(f"The {name} of {symbol} is a known number; found {value!r}. Leave the symbol out.")
    return float(value)
