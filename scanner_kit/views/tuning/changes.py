"""What changed, as a table of thousands of rows: sorted and filtered here, sent a screenful at a time."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from scanner_kit.tuning.answer import Answer, Difference
from scanner_kit.tuning.paths import HORIZONS, LOSS, NO_R, NOT_TRADABLE, OPEN, WIN
from scanner_kit.universe import Bools, Rows
from scanner_kit.views.deltas import number

STAYED, MOVED, APPEARED, DISAPPEARED = range(4)
WHICH = {"all": None, "changed": (MOVED, APPEARED, DISAPPEARED), "appeared": (APPEARED,)}
WHICH |= {"disappeared": (DISAPPEARED,), "moved": (MOVED,)}
RESULT_WORDS = {WIN: "win", LOSS: "loss", OPEN: "open", NO_R: "no R", NOT_TRADABLE: "not tradable"}
SORTS = ("change", "symbol", "day", "time", "price", "result", "r")
PAGE = 80


@dataclass(frozen=True)
class Asked:
    """What of the table is looked at: which changes, whose symbols, in what order."""

    which: str = "all"
    find: str = ""
    sort: str = "change"
    down: bool = False


class Changes:
    """All triggers of an answer, and those of the answer beside it that are gone, as columns of one table.

    `kept` masks of both say which are looked at: those that the filters leave.
    """

    def __init__(
        self, old: Answer, new: Answer, found: Difference, kept_old: Bools, kept_new: Bools, horizon: str
    ) -> None:
        self._new, self._old, self._h = new, old, HORIZONS.index(horizon)
        state = np.zeros(len(new), dtype=np.int8)
        state[found.appeared] = APPEARED
        was = np.full(len(new), -1)
        if len(found.moved):
            state[found.moved[:, 1]] = MOVED
            was[found.moved[:, 1]] = old.fired.k[found.moved[:, 0]]
        gone = np.asarray(found.disappeared, dtype=np.intp)
        here, gone = np.flatnonzero(kept_new), gone[kept_old[gone]]
        self.state = np.concatenate([state[here], np.full(gone.size, DISAPPEARED, dtype=np.int8)])
        self.was = np.concatenate([was[here], np.full(gone.size, -1)])
        self.place = np.concatenate([here, gone])
        self._here = here.size

    def __len__(self) -> int:
        return len(self.state)

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each change."""
        found = np.bincount(self.state, minlength=4).tolist()
        return {"stayed": found[STAYED], "moved": found[MOVED], "appeared": found[APPEARED], "disappeared": found[3]}

    def page(self, asked: Asked, start: int, size: int = PAGE) -> tuple[int, list[dict[str, Any]]]:
        """How many rows are asked for, and those from `start` on."""
        order = self._order(asked)
        return order.size, [self._row(int(i)) for i in order[max(start, 0) : max(start, 0) + size]]

    def _order(self, asked: Asked) -> Rows:
        wanted, mask = WHICH[asked.which], np.ones(len(self), dtype=np.bool_)
        if wanted is not None:
            mask &= np.isin(self.state, wanted)
        if asked.find:
            names = self._symbol_names
            hits = np.array([asked.find in name for name in names], dtype=np.bool_)
            mask &= hits[self._symbol] if names else False
        rows = np.flatnonzero(mask)
        keys: list[Any] = [self._symbol[rows], self._column("k")[rows], self._column("day")[rows]]
        if asked.sort == "symbol":
            keys = [*keys[1:], keys[0]]
        elif asked.sort == "time":
            keys = [keys[0], keys[2], keys[1]]
        elif asked.sort != "day":
            keys.append(self._sorted_by(asked.sort)[rows])
        first = keys[-1].astype(np.float64)
        keys[-1] = np.where(np.isnan(first), np.inf, -first if asked.down else first)  # the unknown come last
        return np.asarray(rows[np.lexsort(keys)])

    def _sorted_by(self, name: str) -> Any:
        if name == "change":
            return -self.state
        if name == "price":
            return self._column("price")
        return self._result if name == "result" else self._result_r

    def _column(self, name: str) -> Any:
        return np.concatenate(
            [
                getattr(self._new.fired, name)[self.place[: self._here]],
                getattr(self._old.fired, name)[self.place[self._here :]],
            ]
        )

    @cached_property
    def _result(self) -> Any:
        return self._outcome("result")

    @cached_property
    def _result_r(self) -> Any:
        return self._outcome("result_r")

    def _outcome(self, name: str) -> Any:
        new, old = getattr(self._new.outcomes, name), getattr(self._old.outcomes, name)
        return np.concatenate([new[self.place[: self._here], self._h], old[self.place[self._here :], self._h]])

    @cached_property
    def _symbols(self) -> tuple[list[str], Rows]:
        names = np.concatenate(
            [self._new.symbols[self.place[: self._here]], self._old.symbols[self.place[self._here :]]]
        )
        found, which = np.unique(names.astype(str), return_inverse=True)
        return found.tolist(), which

    @property
    def _symbol_names(self) -> list[str]:
        return self._symbols[0]

    @property
    def _symbol(self) -> Rows:
        return self._symbols[1]

    def _row(self, i: int) -> dict[str, Any]:
        answer = self._new if i < self._here else self._old
        fired, at = answer.fired, int(self.place[i])
        day, k = answer.history.days[fired.day[at]].day, int(fired.k[at])
        return {
            "key": key_of(answer, at),
            "state": int(self.state[i]),
            "symbol": str(answer.symbols[at]),
            "day": f"{day.date:%b %d}",
            "date": str(day.date),
            "time": clock(k),
            "was": clock(int(self.was[i])) if self.was[i] >= 0 else "",
            "side": int(fired.side[at]),
            "price": number(float(fired.price[at])),
            "result": RESULT_WORDS[int(answer.outcomes.result[at, self._h])],
            "r": number(float(answer.outcomes.result_r[at, self._h]), 2),
        }


def key_of(answer: Answer, at: int) -> str:
    """What a trigger is known by, whatever the thresholds: place of day, row, minute and kind."""
    fired = answer.fired
    return f"{fired.day[at]}.{fired.row[at]}.{fired.k[at]}.{fired.kinds[fired.kind[at]]}"


def place_of(answer: Answer, key: str) -> int | None:
    """The place of a trigger in an answer; None where it is not among its triggers."""
    day, row, k, kind = _parts(key)
    fired = answer.fired
    if kind not in fired.kinds:
        return None
    found = np.flatnonzero(
        (fired.day == day) & (fired.row == row) & (fired.k == k) & (fired.kind == fired.kinds.index(kind))
    )
    return int(found[0]) if found.size else None


def clock(k: int) -> str:
    """The end of minute `k` in New York, when its trigger is spoken.

    >>> clock(330)
    '09:31'
    """
    minutes = 241 + k
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _parts(key: str) -> tuple[int, int, int, str]:
    day, row, k, kind = key.split(".", 3)
    return int(day), int(row), int(k), kind
