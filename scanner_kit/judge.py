"""The judge: a snapshot in, lists and triggers out. Cheap, and all thresholds are here.

A step of the judge, for each scanner of the roster:

1. its verdict on the snapshot: who is selected, in what order, what it may say (`Scanner.verdict`);
2. a category becomes a list (`ranking.ordered`); the hot list through its memory (`Hot.heat`);
3. each kind of thing that it says goes through `triggers.fire`, the one home of edge, cooldown and re-arm;
4. what fires becomes a `Trigger` with its severity, rank and risk.

Whole days are judged by the same verdicts in one go: `scanner_kit.whole_day`.
"""

import datetime as dt
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from scanner_kit.columns import figure_at
from scanner_kit.composition import AnyScanner, Composite, fixed
from scanner_kit.conditions import rows_of
from scanner_kit.errors import InvalidInput, UnknownName, short
from scanner_kit.metrics import Metric
from scanner_kit.ranking import Ranking, ordered
from scanner_kit.scanner import Kind, Verdict
from scanner_kit.scanners.hot import Heat, Hot, hottest
from scanner_kit.snapshot import Snapshot
from scanner_kit.standing import Standing
from scanner_kit.telling import LAST, Speaker, Spoken, told
from scanner_kit.triggers import Memory, Said, Trigger, fire
from scanner_kit.universe import Floats, Rows

Key = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Remembered:
    """Everything that the judge remembers from step to step."""

    memories: Mapping[Key, Memory] = field(default_factory=dict)
    heats: Mapping[str, Heat] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Judgement:
    """The lists and triggers of one step, and what is to be remembered of it."""

    lists: Mapping[str, Ranking]
    triggers: tuple[Trigger, ...]
    remembered: Remembered


class Judge:
    """Judges snapshots under a roster of scanners, each with a name of its own."""

    def __init__(self, scanners: Iterable[AnyScanner]) -> None:
        given: Any = scanners
        if isinstance(given, AnyScanner):
            raise InvalidInput(f"A roster is a list of scanners; found {scanners!r} alone. Write [{scanners!r}].")
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise InvalidInput(f"A roster is a list of scanners; found {scanners!r}. Write, say, [HodBreak()].")
        self.scanners: tuple[AnyScanner, ...] = tuple(fixed(scanner) for scanner in scanners)
        names = [scanner.name for scanner in self.scanners]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InvalidInput(
                f"A scanner's name is unique in the roster; found twice: {', '.join(twice)}. "
                f"Name a variant with name='…' or .named('…')."
            )
        self.by_name = dict(zip(names, self.scanners, strict=True))
        self.speakers = {name: Speaker.of(scanner) for name, scanner in self.by_name.items()}
        self.hots = {name: hot for name, scanner in self.by_name.items() if (hot := _hot_of(scanner)) is not None}
        self._standing: Standing | None = None
        self._verdicts: list[Verdict | None] = []

    def changed(self, values: Mapping[str, Mapping[str, Any]]) -> "Judge":
        """A judge under other thresholds, checked as a whole; this one stays as it is."""
        given: Any = values
        if not isinstance(given, Mapping) or not all(isinstance(its, Mapping) for its in given.values()):
            raise InvalidInput(
                f"A change maps scanners to thresholds and their values; found {short(values)}. "
                f"Write, say, {{'hod_break': {{'min_rvol': 4.0}}}}."
            )
        for name in values:
            if name not in self.by_name:
                raise UnknownName.of("There is no scanner", name, self.by_name)
        return Judge(
            scanner.with_settings(**values[name]) if name in values else scanner
            for name, scanner in self.by_name.items()
        )

    def without(self, names: Container[str]) -> "Judge":
        """A judge of the other scanners; this one stays as it is."""
        return Judge(scanner for scanner in self.scanners if scanner.name not in names)

    def metrics(self) -> tuple[Metric, ...]:
        """Every metric that a scanner of the roster uses."""
        return tuple(
            dict.fromkeys((LAST, *(metric for speaker in self.speakers.values() for metric in speaker.metrics)))
        )

    def judge(
        self, now: Snapshot, remembered: Remembered, *, fires: bool = True, instant: dt.datetime | None = None
    ) -> Judgement:
        """The lists and triggers of one step.

        With `fires` off nothing is said and no edge moves, as on a forming step that is only shown.
        """
        lists: dict[str, Ranking] = {}
        heats, memories = dict(remembered.heats), dict(remembered.memories)
        spoken: list[Spoken] = []
        for name, (scanner, verdict) in zip(self.by_name, self._judging(now), strict=True):
            hot = self.hots.get(name)
            if hot is not None:
                heats[name], lists[name] = _hot(hot, name, verdict, now, heats.get(name))
            elif scanner.listed:
                lists[name] = _ranking(name, now, *ordered(verdict, now, scanner.top))
            if fires and hot is None and scanner.triggers:
                spoken.extend(self._speak(name, verdict, now, memories))
        if now.forming:
            heats = dict(remembered.heats)
        return Judgement(lists, in_tape_order(told(now, spoken, instant)), Remembered(memories, heats))

    def _judging(self, now: Snapshot) -> Iterator[tuple[AnyScanner, Verdict]]:
        """Each scanner with its verdict on a snapshot: the standing one, or, where there is none, a fresh one."""
        if self._standing is None or self._standing.universe is not now.universe:
            standing = Standing(now.universe)
            self._verdicts = standing.verdicts(self.scanners, now)
            self._standing = standing
        self._standing.turn(now)
        for scanner, verdict in zip(self.scanners, self._verdicts, strict=True):
            yield scanner, verdict or scanner.verdict(now)

    def _speak(self, name: str, verdict: Verdict, now: Snapshot, memories: dict[Key, Memory]) -> Iterator[Spoken]:
        """What fires of a scanner; its memories are brought up to date."""
        for kind_name, kind in verdict.kinds.items():
            before = memories.get((name, kind_name)) or Memory.blank(len(now))
            said = _said(verdict, kind, len(now))
            rows, memories[name, kind_name] = fire(before, int(now.k), said, forming=now.forming)
            if rows.size:
                side, level = (figure_at(figure, rows) for figure in (kind.side, kind.level))
                selected = verdict.selected.rows(len(now))
                yield Spoken(self.speakers[name], kind_name, rows, side, level, selected, verdict.score)


def in_tape_order(triggers: Iterable[Trigger]) -> tuple[Trigger, ...]:
    """By minute, then scanner, symbol and kind."""
    return tuple(sorted(triggers, key=lambda t: (t.k, t.scanner, t.symbol, t.kind)))


def _hot_of(scanner: AnyScanner) -> Hot | None:
    """Whose memory a list is kept with: the hot list's, also where it is the head of an `&`."""
    if isinstance(scanner, Composite):
        head = scanner.sides[0].head
        return (
            head.with_settings(top=scanner.top).fixed() if len(scanner.sides) == 1 and isinstance(head, Hot) else None
        )
    return scanner if isinstance(scanner, Hot) else None


def _hot(scanner: Hot, name: str, verdict: Verdict, now: Snapshot, before: Heat | None) -> tuple[Heat, Ranking]:
    heat = scanner.heat(before or Heat.cold(len(now)), verdict.score.values, verdict.selected.rows(len(now)))
    rows = hottest(heat.s, heat.members)
    return heat, _ranking(name, now, rows, heat.s[rows])


def _ranking(name: str, now: Snapshot, rows: Rows, scores: Floats) -> Ranking:
    symbols = now.universe.symbols
    return Ranking(name, tuple(symbols[row] for row in rows.tolist()), tuple(scores.tolist()))


def _said(verdict: Verdict, kind: Kind, symbols: int) -> Said:
    true, false = kind.condition.true, kind.condition.false
    due = rows_of(verdict.selected.true & true, symbols)
    if not due.size:
        return Said(due, true, false)
    figures = (kind.level, kind.rearm, kind.cooldown, kind.rearm_pct)
    return Said(due, true, false, *(figure_at(figure, due) for figure in figures))
