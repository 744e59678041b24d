"""Questions to the engine that leads, and its answers, over the bus: written and read side by side.

Who asks appends to one stream and waits at a list of the question's own. Answers are plain values: what is not known is
null, a reason is a table of its fields.
"""

import datetime as dt
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from scanner_kit.bus.connection import BLOCK_MS, Bus, BusError, once
from scanner_kit.bus.plain import known_or_nan, number, text_of
from scanner_kit.calendar import TradingDay
from scanner_kit.errors import InvalidInput
from scanner_kit.reason import Reason

WHY, HISTORY = "why", "history"
MOST_QUESTIONS = 1_000
ANSWERED_SECONDS = 60
OPEN_SECONDS = 10
"""A question that is older has nobody waiting for it any more."""
COLUMNS = ("open", "high", "low", "close", "volume", "vwap")
Answer = dict[str, Any] | list[dict[str, Any]]


@dataclass(frozen=True)
class Question:
    """What is asked of a symbol: `why`, at minute `k` or in the last step, or `history`."""

    id: str
    what: str
    symbol: str
    k: int | None = None


class Asking:
    """The engine that leads, as screens and notebooks ask it.

    What it refuses is an `InvalidInput` with its sentence; a `BusError` when nobody answers within `seconds`.
    """

    def __init__(self, bus: Bus, *, seconds: float = OPEN_SECONDS) -> None:
        self.bus, self.seconds = bus, seconds

    def why(self, symbol: str, k: int | None = None) -> list[dict[str, Any]]:
        """Why a symbol is or is not on each list, and spoken of: see `scanner_kit.answers.explain`."""
        return [_told_why(one) for one in self._ask(WHY, symbol, k)]

    def history(self, symbol: str) -> dict[str, Any]:
        """A symbol's own bars of the day so far: see `scanner_kit.answers.history`."""
        return _told_history(self._ask(HISTORY, symbol))

    def _ask(self, what: str, symbol: str, k: int | None = None) -> Any:
        question = Question(uuid.uuid4().hex, what, symbol, k)
        answer = None
        with once() as lost:
            answer = self._answer(question)
        if lost:
            raise BusError(f"The engine could not be asked about {symbol}: of the bus, {lost[0]}. Ask again.")
        if answer is None:
            raise BusError(
                f"No engine answered within {self.seconds:g} s when it was asked about {symbol}. Does one lead? "
                "See scanner-kit doctor."
            )
        if "refused" in answer:
            raise InvalidInput(answer["refused"])
        return answer["told"]

    def _answer(self, question: Question) -> dict[str, Any] | None:
        key = self.bus.keys.asks
        with self.bus.redis.pipeline(transaction=False) as pipe:
            pipe.xadd(key, {"q": text_of(asdict(question))}, maxlen=MOST_QUESTIONS, approximate=True)
            pipe.expire(key, ANSWERED_SECONDS)
            pipe.execute()
        until = time.monotonic() + self.seconds
        while (left := until - time.monotonic()) > 0:
            wait = max(0.01, min(left, BLOCK_MS / 1000))
            found: Any = self.bus.redis.blpop([self.bus.keys.answer(question.id)], timeout=wait)
            if found is not None:
                return dict(json.loads(found[1]))
        return None


class Questions:
    """The questions as the engine that leads reads them."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self._last = ""

    def begin(self) -> None:
        """Begin with those that somebody may still wait for."""
        seconds, _ = self._now()
        self._last = f"{(seconds - OPEN_SECONDS) * 1000}-0"

    def read(self) -> Iterator[Question]:
        """The next questions; none within a second is none."""
        read: Any = self.bus.redis.xread({self.bus.keys.asks: self._last}, count=16, block=BLOCK_MS)
        for entry, fields in read[0][1] if read else ():
            self._last = entry.decode()
            yield Question(**json.loads(fields[b"q"]))

    def answer(self, question: Question, made: Callable[[], Any]) -> None:
        """Answer with what is made, or with the sentence of why it cannot be."""
        plain = PLAIN.get(question.what)
        try:
            if plain is None:
                raise InvalidInput(f"The engine is asked {WHY!r} or {HISTORY!r}; found {question.what!r}.")
            answer = {"told": plain(made())}
        except InvalidInput as fault:
            answer = {"refused": str(fault)}
        except Exception as fault:  # whatever a scanner raises: the engine goes on, and who asked is told
            answer = {
                "refused": f"The engine could not answer about {question.symbol}: {type(fault).__name__}: {fault}."
            }
        key = self.bus.keys.answer(question.id)
        with self.bus.redis.pipeline() as pipe:
            pipe.rpush(key, text_of(answer))
            pipe.expire(key, ANSWERED_SECONDS)
            pipe.execute()

    def _now(self) -> tuple[int, int]:
        now: Any = self.bus.redis.time()
        return int(now[0]), int(now[1])


def answering(
    questions: Questions, answer: Callable[[Question], Any], leads: Callable[[], bool], over: threading.Event
) -> None:
    """Answer questions while this engine `leads`, until `over`."""
    leading = False
    while not over.is_set():
        if not leads():
            leading = over.wait(0.1)
            continue
        with once() as lost:
            if not leading:
                questions.begin()
                leading = True
            for question in questions.read():
                questions.answer(question, lambda: answer(question))  # noqa: B023  called at once
        if lost:
            over.wait(1.0)


def _plain_why(answers: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            **answer,
            "fired": None if answer["fired"] is None else answer["fired"].isoformat(),
            "conditions": [
                {name: _plain(value) for name, value in asdict(reason).items()} for reason in answer["conditions"]
            ],
        }
        for answer in answers
    ]


def _told_why(plain: Mapping[str, Any]) -> dict[str, Any]:
    fired = plain["fired"]
    return {
        **plain,
        "fired": None if fired is None else dt.datetime.fromisoformat(fired),
        "conditions": tuple(Reason(**reason) for reason in plain["conditions"]),
    }


def _plain_history(history: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **history,
        "day": str(history["day"].date),
        "k": history["k"].tolist(),
        **{name: [number(value) for value in history[name].tolist()] for name in COLUMNS},
    }


def _told_history(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **plain,
        "day": TradingDay.of(plain["day"]),
        "k": np.array(plain["k"], dtype=np.intp),
        **{name: np.array([known_or_nan(value) for value in plain[name]]) for name in COLUMNS},
    }


def _plain(value: Any) -> Any:
    """A value of a reason as JSON can carry it: numbers, words, and lists of these."""
    if value is None or isinstance(value, bool | np.bool_):
        return None if value is None else bool(value)
    if isinstance(value, float | np.floating):
        return number(float(value))
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, tuple | list | set | frozenset):
        return [_plain(member) for member in value]
    return str(value)


PLAIN: dict[str, Callable[[Any], Any]] = {WHY: _plain_why, HISTORY: _plain_history}
