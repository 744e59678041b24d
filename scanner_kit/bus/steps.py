"""A step as it is published: what the engine made of one entry of the tape, as fields on the bus, and back.

A step on the stream carries what changed of each list; the board carries every list whole.
"""

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from scanner_kit.bus.plain import (
    Announced,
    change_of,
    list_of,
    packed,
    plain_change,
    plain_list,
    plain_trigger,
    text_of,
    trigger_of,
)
from scanner_kit.calendar import Session
from scanner_kit.errors import InvalidInput
from scanner_kit.ranking import Change, Published, apply, diff
from scanner_kit.triggers import Trigger

LIST = "list:"
Fields = dict[str, Any]


@dataclass(frozen=True, eq=False, repr=False)
class Step:
    """What was published of one entry of the tape: the lists as they stand after it, and the triggers it brought.

    `entry` is the entry's id on the tape, `n` the step's own number, which grows by one for ever. `due` and `at` are
    when it was due and when it was published (s, UTC). Of a step that is `whole` the triggers are those of the day so
    far.
    """

    day: dt.date
    entry: str
    k: int
    time: dt.datetime
    session: Session
    forming: bool
    version: int
    lists: Mapping[str, Published]
    triggers: tuple[Announced, ...] = ()
    due: float = 0.0
    at: float = 0.0
    probes: tuple[str, ...] = ()
    n: int = 0
    whole: bool = False

    def __repr__(self) -> str:
        return f"<Step {self.n} of {self.day} k={self.k} {self.session}, {len(self.triggers)} triggers>"

    @property
    def place(self) -> str:
        """The day and the entry: what the board says was done last."""
        return f"{self.day} {self.entry}"

    @property
    def fired(self) -> tuple[Trigger, ...]:
        """The triggers alone."""
        return tuple(announced.trigger for announced in self.triggers)


@dataclass(frozen=True)
class Stand:
    """Every list that was ever published, whole, and the names of those that no scanner makes any more.

    These are empty, and keep their sequence number for when they come back.
    """

    lists: Mapping[str, Published] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()


@dataclass(frozen=True)
class News:
    """What a step makes of the lists that stood before it: their changes, those that begin and end, and all of them."""

    changes: tuple[Change, ...]
    begun: tuple[str, ...]
    ended: tuple[str, ...]
    after: Stand

    @classmethod
    def of(cls, before: Stand, new: Mapping[str, Published]) -> "News":
        """From the lists that stood, and those that shall stand."""
        lists, changes = dict(before.lists), list[Change]()
        begun = tuple(name for name in new if name not in lists or name in before.gone)
        ended = tuple(name for name in lists if name not in new and name not in before.gone)
        for name in (*new, *ended):
            stood = lists.get(name) or Published(name, 0, ())
            made = diff(stood, new.get(name) or Published(name, 0, ()))
            lists[name] = apply(stood, made)
            changes += made
        return cls(tuple(changes), begun, ended, Stand(lists, (before.gone - set(begun)) | set(ended)))

    @property
    def touched(self) -> tuple[str, ...]:
        """The names of the lists that are not as they were."""
        return tuple(dict.fromkeys((*(change.name for change in self.changes), *self.begun, *self.ended)))


def stream_fields(step: Step, news: News) -> Fields:
    """A step as the fields of an entry of the stream."""
    fields: Fields = {
        **_clock(step),
        "changes": text_of([plain_change(change) for change in news.changes]),
        "triggers": text_of([plain_trigger(announced) for announced in step.triggers]),
    }
    if news.begun or news.ended:
        before = {change.name: change.seq - 1 for change in reversed(news.changes)}
        fields["begun"] = text_of({name: before.get(name, news.after.lists[name].seq) for name in news.begun})
        fields["ended"] = text_of(news.ended)
    if not step.forming:
        fields["lists"] = packed({name: plain_list(news.after.lists[name]) for name in step.lists})
    return fields


def board_fields(step: Step, news: News) -> Fields:
    """A step as fields of the board: its clock, and the lists that are not as they were."""
    lists = {name: plain_list(news.after.lists[name]) for name in news.touched}
    for name in news.ended:
        lists[name]["gone"] = True
    plain = {f"{LIST}{name}": text_of(its) for name, its in lists.items()}
    return {"day": step.day.isoformat(), "clock": text_of(_clock(step)), **plain}


def step_of_board(fields: Mapping[bytes, bytes]) -> Step | None:
    """The step that the board stands at, without triggers; None while nothing was published."""
    if b"clock" not in fields:
        return None
    day = dt.date.fromisoformat(fields[b"day"].decode())
    clock = {name: str(value).encode() for name, value in json.loads(fields[b"clock"]).items()}
    stand = stand_of_board(fields)
    lists = {name: found for name, found in stand.lists.items() if name not in stand.gone}
    return replace(_step(day, clock, lists), n=int(fields[b"n"]), whole=True)


def stand_of_board(fields: Mapping[bytes, bytes]) -> Stand:
    """Every list that is on the board."""
    names = [name.decode().removeprefix(LIST) for name in fields if name.startswith(LIST.encode())]
    plain = {name: json.loads(fields[f"{LIST}{name}".encode()]) for name in names}
    gone = frozenset(name for name, its in plain.items() if its.get("gone"))
    return Stand({name: list_of(name, its) for name, its in plain.items()}, gone)


def step_after(before: Step, day: dt.date, fields: Mapping[bytes, bytes]) -> Step | None:
    """The step that a stream's entry makes of the one before it; None where one between them is missing."""
    named = {name.decode(): value for name, value in fields.items()}
    if int(named["n"]) != before.n + 1:
        return None
    begun = {name: Published(name, seq, ()) for name, seq in json.loads(named.get("begun", b"{}")).items()}
    try:
        lists = _changed({**before.lists, **begun}, [change_of(plain) for plain in json.loads(named["changes"])])
    except InvalidInput:
        return None
    for name in json.loads(named.get("ended", b"[]")):
        del lists[name]
    return replace(_step(day, named, lists), n=before.n + 1, triggers=announced_in(fields))


def _changed(lists: Mapping[str, Published], changes: Iterable[Change]) -> dict[str, Published]:
    """The lists after some changes, of which those of one list stand together."""
    by_list = groupby(changes, key=lambda change: change.name)
    return {**lists, **{name: apply(lists[name], its) for name, its in by_list}}


def announced_in(fields: Mapping[bytes, bytes]) -> tuple[Announced, ...]:
    """The triggers of a stream's entry."""
    return tuple(trigger_of(plain) for plain in json.loads(fields[b"triggers"]))


def _clock(step: Step) -> Fields:
    return {
        "entry": step.entry,
        "k": step.k,
        "time": step.time.isoformat(),
        "session": str(step.session),
        "forming": int(step.forming),
        "version": step.version,
        "due": step.due,
        "at": step.at,
        "probes": text_of(step.probes),
    }


def _step(day: dt.date, fields: Mapping[str, bytes], lists: Mapping[str, Published]) -> Step:
    return Step(
        day,
        fields["entry"].decode(),
        int(fields["k"]),
        dt.datetime.fromisoformat(fields["time"].decode()),
        Session(fields["session"].decode()),
        fields["forming"] == b"1",
        int(fields["version"]),
        lists,
        due=float(fields["due"]),
        at=float(fields["at"]),
        probes=tuple(json.loads(fields["probes"])),
    )
