"""Pools: days that are judged together, as if they were more symbols, under one setting after the other.

A sweep asks the same days a thousand times, and most of a grid moves what selects, not what triggers: the cells in
which a scanner could fire stay the same (`scanner_kit.tuning.cells`). They are found anew when a threshold has moved
that its trigger hangs on. A scanner whose verdict on cells is not that on whole days is judged on whole days each time;
so is `a | b`, whose trigger is that of the side that holds. Whether it is the same is found out for all cells anew, and
for every manner of a setting: another word, a switch, or a limit that is none may have a scanner ask something else.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from scanner_kit.composition import AnyScanner
from scanner_kit.scanner import Scanner
from scanner_kit.tuning.cells import Cells, Said, look
from scanner_kit.tuning.history import COLUMNS_AT_ONCE, MeasuredDay
from scanner_kit.tuning.paths import HORIZONS
from scanner_kit.universe import Floats

Manner = tuple[Any, ...]


def pools(days: Sequence[MeasuredDay], scanner: AnyScanner, at_least: int) -> Iterator[tuple[int, ...]]:
    """The places of the days that are judged together: alike, not too many columns, and in so many parts at least."""
    if not is_own(scanner):
        yield from ((i,) for i in range(len(days)))
        return
    most = min(COLUMNS_AT_ONCE, -(-sum(map(len, days)) // at_least))
    alike: dict[Any, list[int]] = {}
    for i, day in enumerate(days):
        source = day.universe.share_of_market, day.universe.daily_same_source
        alike.setdefault((day.day.close_k, day.day.minutes, *source), []).append(i)
    for places in alike.values():
        pool: list[int] = []
        for i in places:
            if pool and sum(len(days[j]) for j in pool) + len(days[i]) > most:
                yield tuple(pool)
                pool = []
            pool.append(i)
        yield tuple(pool)


def is_own(scanner: AnyScanner) -> bool:
    """Whether it is made of the kit's scanners and metrics alone, which do not ask the date."""
    used = [*scanners_of(scanner).values(), *scanner.metrics()]
    return all(type(one).__module__.startswith("scanner_kit.") for one in used)


def scanners_of(scanner: AnyScanner) -> dict[str, Scanner]:
    """The scanners that it is made of, by the beginning of the names of their thresholds."""
    if isinstance(scanner, Scanner):
        return {"": scanner}
    return {f"{name}.": one for name, one in scanner.scanners().items()}


class Pool:
    """Some days that are judged together, under one setting after the other. One thread at a time."""

    def __init__(self, days: Sequence[MeasuredDay], horizon: str, cost_bps: float) -> None:
        self.days, self.horizon, self.cost_bps = tuple(days), HORIZONS.index(horizon), cost_bps
        self._cells: Cells | None = None
        self._whole: dict[Manner, tuple[AnyScanner, Said]] = {}
        self._alike: dict[Manner, bool] = {}

    def judge(self, scanner: AnyScanner) -> Floats:
        """What a setting came to on each day, `(days, 7)` in the order of `FIGURES`."""
        with np.errstate(all="ignore"):
            cells, said = self._asked(scanner)
            return cells.worth(said, scanner, self.horizon, self.cost_bps)

    @property
    def read(self) -> frozenset[str]:
        """The thresholds that the cells at hand hang on."""
        return frozenset() if self._cells is None else frozenset(self._cells.thresholds)

    def _asked(self, scanner: AnyScanner) -> tuple[Cells, Said]:
        """The cells of a setting, and what it says of them."""
        earlier, manner = self._cells, _manner(scanner)
        the_same = earlier is not None and earlier.are_those_of(scanner)
        if earlier is not None and the_same and self._by_cells(earlier, manner):
            said = _tried(earlier, scanner)
            if said is not None:
                return earlier, said
        self._cells, whole = look(self.days, scanner)
        if earlier is not None:
            self._cells.take_over(earlier)
        if not the_same:
            self._whole, self._alike = {}, {}
        if manner not in self._alike:
            self._whole[manner] = scanner, whole
        return self._cells, whole

    def _by_cells(self, cells: Cells, manner: Manner) -> bool:
        """Whether settings of this manner say of cells what they say of whole days; tried on the first of them."""
        if manner in self._whole:
            first, whole = self._whole.pop(manner)
            said = _tried(cells, first)
            self._alike[manner] = said is not None and whole.equals(said)
        return self._alike.get(manner, False)


def _manner(scanner: AnyScanner) -> Manner:
    """What a scanner may decide by, rather than compare with: words and switches, and of numbers the sign."""
    return tuple(_kind(value) for value in scanner.settings().values())


def _kind(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_kind, value))
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return (value > 0) - (value < 0) if number else repr(value)


def _tried(cells: Cells, scanner: AnyScanner) -> Said | None:
    """What a setting says of cells; None where it cannot be asked: whole days are, where a fault of its own shows."""
    try:
        return cells.asked(scanner)
    except Exception:
        return None
