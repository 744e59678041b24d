"""The head of a tape: the universe and the facts of the day, its pace, and the thresholds in force at its start.

1. `encode_head` cuts it into parts of at most `PART` bytes: facts by rows of symbols, the usual volume by minutes.
2. The usual volume is a cumulative curve of shares and half shares. Written as its growth from minute to minute, in
   whole numbers, it is a fifth as long; where that would not be exact it is written as it is.
3. `decode_head` puts the parts together again, to the bit.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scanner_kit.bus.entries import VERSION, Fields, columns_of, packed
from scanner_kit.calendar import TradingDay
from scanner_kit.errors import InvalidInput
from scanner_kit.universe import FACTS, WORDS, Facts, Floats, Rows, Universe

PART = 4 * 2**20
SYMBOLS_A_PART = 8_192
NUMBERS = tuple(name for name in FACTS if name not in (*WORDS, "usual_volume"))
_ROOM = 4_096
"""What a part may need beside its numbers."""


@dataclass(frozen=True)
class Pace:
    """How a day is played: since when (UTC, seconds), how many times as fast as it was, and from which minute on.

    >>> Pace(began=1_000.0, speed=60.0, start_k=330).due(331)
    1002.0
    """

    began: float
    speed: float = 60.0
    start_k: int = 0

    def __post_init__(self) -> None:
        if not self.speed > 0:
            raise InvalidInput(f"A speed is above 0 (60 is a minute a second); found {self.speed!r}.")

    def due(self, k: int) -> float:
        """When minute `k` has ended, UTC seconds; those before `start_k` have at once."""
        return self.began + max(0, k + 1 - self.start_k) * 60.0 / self.speed


@dataclass(frozen=True, eq=False)
class Head:
    """What stands at the head of a tape; without a `pace` the feed is live, and a minute is due when it ends.

    `version` and `thresholds` are the settings in force at the start; `source` says where the bars come from.
    `keeps_forming`: entries of a minute so far all stay, for triggers may fire on them; else while there is room.
    """

    universe: Universe
    pace: Pace | None = None
    version: int = 0
    thresholds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    source: str = ""
    keeps_forming: bool = True

    def due(self, k: int) -> float:
        """When minute `k` has ended, UTC seconds."""
        return self.universe.day.time(k).timestamp() if self.pace is None else self.pace.due(k)


def encode_head(head: Head) -> list[dict[bytes, bytes]]:
    """The fields of the stream entries of a head, one a part."""
    payloads = [*_facts(head.universe), *_usual(head.universe.facts.usual_volume)]
    parts: list[dict[bytes, bytes]] = [
        {b"v": VERSION, b"kind": b"head", b"p": b"%d/%d" % (i, len(payloads)), b"b": payload}
        for i, payload in enumerate(payloads)
    ]
    parts[0][b"m"] = json.dumps(_said(head), separators=(",", ":")).encode()
    return parts


def part_of(fields: Fields) -> tuple[int, int]:
    """Which part of a head it is, from 0, and how many there are."""
    part, parts = fields[b"p"].split(b"/")
    return int(part), int(parts)


def decode_head(parts: Sequence[Fields]) -> Head:
    """The head that these parts are, in order."""
    said = json.loads(parts[0][b"m"])
    day = TradingDay.of(said["day"])
    tables = [columns_of(part[b"b"]) for part in parts]
    facts = [columns for columns, kind in tables if kind["what"] == "facts"]
    columns = {name: np.concatenate([part[name] for part in facts]) for name in ("symbol", *NUMBERS, *WORDS)}
    symbols = tuple(columns.pop("symbol").tolist())
    usual = _usual_of(tables[len(facts) :], (day.minutes, len(symbols)))
    source = {**said["universe"], "away": tuple(map(tuple, said["universe"].get("away", ())))}
    universe = Universe(day, symbols, Facts(**columns, usual_volume=usual), **source)
    pace = None if said["pace"] is None else Pace(**said["pace"])
    keeps = bool(said.get("keeps_forming", True))
    return Head(universe, pace, said["version"], said["thresholds"], said["source"], keeps)


def _said(head: Head) -> dict[str, Any]:
    universe, pace = head.universe, head.pace
    return {
        "day": str(universe.day.date),
        "universe": {
            "share_of_market": universe.share_of_market,
            "daily_same_source": universe.daily_same_source,
            "label": universe.label,
            **({"away": universe.away} if universe.away else {}),
        },
        "pace": None if pace is None else {"began": pace.began, "speed": pace.speed, "start_k": pace.start_k},
        "version": head.version,
        "thresholds": {name: dict(values) for name, values in head.thresholds.items()},
        "source": head.source,
        **({} if head.keeps_forming else {"keeps_forming": False}),
    }


def _facts(universe: Universe) -> Iterator[bytes]:
    symbols = np.array(universe.symbols, dtype=object)
    for first in range(0, max(1, len(symbols)), SYMBOLS_A_PART):
        some = slice(first, first + SYMBOLS_A_PART)
        facts = {name: getattr(universe.facts, name)[some] for name in (*NUMBERS, *WORDS)}
        yield packed({"symbol": symbols[some], **facts}, {"what": "facts"})


def _usual(usual: Floats) -> Iterator[bytes]:
    """The usual volume by minutes: growth in half shares of the symbols of which it is known, or as it is."""
    known = np.flatnonzero(~np.isnan(usual).all(axis=0))
    growth = _growth(usual, known)
    given = usual if growth is None else growth
    said = {"what": "usual", "as": "is" if growth is None else "growth"}
    if growth is not None:
        yield packed({"known": known.astype(np.int32)}, {**said, "k": "0"})
    minutes = max(1, (PART - _ROOM) // max(1, given.itemsize * given.shape[1]))
    for k in range(0, len(given) if given.shape[1] else 0, minutes):
        yield packed({"volume": np.ascontiguousarray(given[k : k + minutes]).reshape(-1)}, {**said, "k": str(k)})


def _growth(usual: Floats, known: Rows) -> np.ndarray | None:
    """Twice the growth in each minute, `(minutes, known)`; None where whole numbers would not say it exactly."""
    doubled = 2.0 * usual[:, known]
    with np.errstate(invalid="ignore"):
        if not (np.abs(doubled).max(initial=0.0) < 2.0**52 and np.array_equal(doubled, np.rint(doubled))):
            return None
    whole = doubled.astype(np.int64)
    growth = np.diff(whole, axis=0, prepend=np.int64(0))
    narrow = np.abs(growth).max(initial=0) < 2**31
    return growth.astype(np.int32) if narrow else growth


def _usual_of(tables: Sequence[tuple[Mapping[str, np.ndarray], Mapping[str, str]]], shape: tuple[int, int]) -> Floats:
    usual = np.full(shape, np.nan)
    if not tables:
        return usual
    if tables[0][1]["as"] == "is":
        for columns, said in tables:
            block = columns["volume"].reshape(-1, shape[1])
            usual[int(said["k"]) : int(said["k"]) + len(block)] = block
        return usual
    known = tables[0][0]["known"].astype(np.intp)
    target = usual if len(known) == shape[1] else np.empty((shape[0], len(known)))
    doubled = np.zeros(len(known), dtype=np.int64)
    for columns, said in tables[1:]:
        for k, growth in enumerate(columns["volume"].reshape(-1, len(known)), start=int(said["k"])):
            doubled += growth
            np.multiply(doubled, 0.5, out=target[k])
    if target is not usual:
        usual[:, known] = target
    return usual
