"""A replay: days of bars through the engine, and everything that came of them as tables.

The engine is the one that runs live. For each day a new one takes the day's tape, step by step; its triggers, lists
and, when asked for, metrics and outcomes become rows of tables (`scanner_kit.tables`, `scanner_kit.tuning.table`),
handed to a sink part by part so that memory stays bounded. What entry refused or mended is counted beside them, and
`seal.json` says what they hold without showing it (`scanner_kit.seal`).

>>> from scanner_kit.sources.simulated import SimulatedMarket
>>> from scanner_kit.sources.tape import simulated_tape
>>> tables = Tables()
>>> replayed = replay(Tapes([simulated_tape(SimulatedMarket(symbols=5))]), tables)
>>> replayed.steps, replayed.symbols, tables["lists"].column_names
(960, 5, ['day', 'k', 'list', 'rank', 'symbol', 'score'])
"""

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import pyarrow as pa
import pyarrow.parquet as pq

from scanner_kit import metrics as m
from scanner_kit import scanners as built_in
from scanner_kit.bars import Tape
from scanner_kit.calendar import DateLike, TradingDay
from scanner_kit.composition import AnyScanner
from scanner_kit.engine import Engine, Scan
from scanner_kit.errors import InvalidInput
from scanner_kit.seal import TableSeal, seal_of_settings, seal_of_tape
from scanner_kit.tables import SCHEMAS, ListRows, MetricRows, trigger_table
from scanner_kit.triggers import Trigger
from scanner_kit.tuning.table import OUTCOMES, OutcomeRows

ROWS_AT_ONCE = 1 << 17


class Source(Protocol):
    """What can be replayed: `TapeSource`, or `Tapes` in memory."""

    @property
    def days(self) -> tuple[TradingDay, ...]:
        """The trading days that there are, oldest first."""

    @property
    def report(self) -> Mapping[str, int]:
        """How many bars met each check on entry."""

    @property
    def seal(self) -> str:
        """A hash of the values of all data given."""

    def tape(self, day: TradingDay) -> Tape:
        """The bars of a day, with its universe."""


class Tapes:
    """Days that are in memory already, such as those of a simulated market; nothing was refused or mended."""

    def __init__(self, tapes: Iterable[Tape]) -> None:
        self._tapes = {tape.universe.day: tape for tape in tapes}
        self.report: Mapping[str, int] = {}

    @property
    def days(self) -> tuple[TradingDay, ...]:
        """The trading days, oldest first."""
        return tuple(sorted(self._tapes))

    @property
    def seal(self) -> str:
        """A hash of the values of every day."""
        return seal_of_settings({"tapes": [seal_of_tape(self._tapes[day]) for day in self.days]})

    def tape(self, day: TradingDay) -> Tape:
        """The tape of that day."""
        return self._tapes[day]


class Sink(Protocol):
    """What takes the tables of a replay, part by part and each in order, and at the end what is told of them."""

    def add(self, name: str, part: pa.Table) -> None:
        """Further rows of the table of that name."""

    def tell(self, report: Mapping[str, int], seal: Mapping[str, str]) -> None:
        """All rows are in: what entry counted, and the seals."""


class Tables(dict[str, pa.Table]):
    """A sink that keeps the tables in memory, by name."""

    def add(self, name: str, part: pa.Table) -> None:
        """Put further rows behind those of the table."""
        self[name] = pa.concat_tables([self[name], part]) if name in self else part

    def tell(self, report: Mapping[str, int], seal: Mapping[str, str]) -> None:
        """Nothing more is kept."""


class Unkept(contextlib.nullcontext["Unkept"]):
    """A sink that keeps nothing: what is told at the end is all that is wanted."""

    def __enter__(self) -> Self:
        return self

    def add(self, name: str, part: pa.Table) -> None:
        """Not kept."""

    def tell(self, report: Mapping[str, int], seal: Mapping[str, str]) -> None:
        """Not kept."""


class Folder:
    """A sink that writes `NAME.parquet` for each table, `report.json` and `seal.json` into a folder, all or nothing.

    Files get their names when the replay is over, so that a broken one leaves what was there. `InvalidInput` where the
    folder cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._told: list[str] = []

    def __enter__(self) -> Self:
        with self._writing():
            self.path.mkdir(parents=True, exist_ok=True)
            self._part("seal.json").touch()
        self._told.append("seal.json")
        return self

    def add(self, name: str, part: pa.Table) -> None:
        """Write further rows; each part is a row group."""
        with self._writing():
            if name not in self._writers:
                words = [field.name for field in part.schema if pa.types.is_string(field.type)]
                path = self._part(f"{name}.parquet")
                self._writers[name] = pq.ParquetWriter(path, part.schema, compression="zstd", use_dictionary=words)
            self._writers[name].write_table(part, row_group_size=ROWS_AT_ONCE)

    def tell(self, report: Mapping[str, int], seal: Mapping[str, str]) -> None:
        """Write what entry counted, and the seals."""
        for name, told in (("report.json", report), ("seal.json", seal)):
            with self._writing():
                self._part(name).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
            self._told.append(name)

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        names = [*dict.fromkeys(self._told), *(f"{name}.parquet" for name in self._writers)]
        try:
            with self._writing():
                self._finish(names, keep=kind is None)
        finally:
            for name in names:
                self._part(name).unlink(missing_ok=True)

    def _finish(self, names: Sequence[str], *, keep: bool) -> None:
        for writer in self._writers.values():
            writer.close()
        if keep:
            for name in names:
                self._part(name).replace(self.path / name)
            for name in {"metrics", "outcomes"} - self._writers.keys():
                (self.path / f"{name}.parquet").unlink(missing_ok=True)  # of another replay: the seal is not its

    def _part(self, name: str) -> Path:
        return self.path / f".{name}.part"

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as fault:
            reason = fault.strerror or str(fault)
            raise InvalidInput(
                f"The tables of a replay go to a folder; {str(self.path)!r} cannot be written: {reason}. Name another."
            ) from fault


@dataclass(frozen=True)
class Replayed:
    """What was replayed: the days, how many symbols and steps, triggers by scanner, and rows by table.

    `report` counts what entry refused or mended, the kinds that occurred; `seal` has the hashes of tables, data and
    settings.
    """

    days: tuple[TradingDay, ...]
    symbols: int
    steps: int
    triggers: Mapping[str, int]
    rows: Mapping[str, int]
    report: Mapping[str, int]
    seal: Mapping[str, str]


def replay(
    source: Source,
    sink: Sink,
    days: Iterable[TradingDay | DateLike] | None = None,
    scanners: Iterable[AnyScanner] | None = None,
    *,
    metrics: bool = False,
    outcomes: Callable[[], OutcomeRows] | None = None,
    watch: Callable[[Scan], object] = lambda scan: None,
    rows_at_once: int = ROWS_AT_ONCE,
) -> Replayed:
    """Replay days of a source, by default all, oldest first, under a roster, by default every built-in scanner.

    With `metrics` the table of every number is made too, with `outcomes` that of what came of each trigger: it is what
    makes the rows of a day, `OutcomeRows` or, with other costs, `lambda: OutcomeRows(cost_bps=2)`. `watch` is called
    after each step. `InvalidInput` for a day without bars.
    """
    roster = tuple(built_in.roster() if scanners is None else scanners)
    chosen = tuple(sorted({_trading_day(day) for day in (source.days if days is None else days)}))
    if not chosen:
        counted = ", ".join(f"{kind} {count:,}" for kind, count in source.report.items() if count) or "nothing"
        raise InvalidInput(
            f"A replay needs a day with bars; found none, and on entry {counted} was counted. Check the files."
        )
    asked = {"metrics": metrics, "outcomes": outcomes is not None}
    sealed = _Sealed(sink, ("triggers", "lists", *(name for name, wanted in asked.items() if wanted)))
    symbols: set[str] = set()
    share, steps = {}, 0
    for day in chosen:
        tape = source.tape(day)
        symbols.update(tape.universe.symbols)
        share[str(day.date)] = [tape.universe.share_of_market, tape.universe.daily_same_source]
        steps += _replay_day(tape, roster, sealed, metrics, outcomes, watch, rows_at_once)
    report = {kind: count for kind, count in source.report.items() if count}
    settings = {
        "scanners": {scanner.name: [type(scanner).__name__, scanner.settings()] for scanner in roster},
        "source": share,
    }
    seal = {**sealed.digests(), "data": source.seal, "settings": seal_of_settings(settings)}
    sink.tell(report, seal)
    return Replayed(chosen, len(symbols), steps, sealed.triggers, sealed.rows, report, seal)


def _trading_day(day: TradingDay | DateLike) -> TradingDay:
    return day if isinstance(day, TradingDay) else TradingDay.of(day)


def _replay_day(
    tape: Tape,
    roster: Iterable[AnyScanner],
    sink: "_Sealed",
    metrics: bool,
    outcomes: Callable[[], OutcomeRows] | None,
    watch: Callable[[Scan], object],
    rows_at_once: int,
) -> int:
    engine = Engine(tape.universe, roster, m.ALL if metrics else ())
    lists = ListRows()
    numbers = MetricRows(tape.universe, rows_at_once, partial(sink.add, "metrics")) if metrics else None
    after = None if outcomes is None else outcomes()
    for bars in tape:
        scan = engine.step(bars)
        for rows in (lists, numbers, after):
            if rows is not None:
                rows.take(scan)
        watch(scan)
    if numbers is not None:
        numbers.flush()
    sink.count(engine.triggers)
    sink.add("triggers", trigger_table(engine.triggers))
    sink.add("lists", lists.table(tape.universe.day))
    if after is not None:
        sink.add("outcomes", after.table(engine.meter.day, engine.triggers))
    return len(tape)


class _Sealed:
    """In front of the sink: seals and counts what passes. Every table is begun, so that one without rows is one too."""

    def __init__(self, sink: Sink, names: Iterable[str]) -> None:
        self._sink = sink
        self._seals = {name: TableSeal() for name in names}
        self.triggers: Counter[str] = Counter()
        for name in self._seals:
            self.add(name, (SCHEMAS | {"outcomes": OUTCOMES})[name].empty_table())

    def add(self, name: str, part: pa.Table) -> None:
        self._seals[name].add(part)
        self._sink.add(name, part)

    def count(self, triggers: Iterable[Trigger]) -> None:
        self.triggers.update(trigger.scanner for trigger in triggers)

    @property
    def rows(self) -> dict[str, int]:
        return {name: seal.rows for name, seal in self._seals.items()}

    def digests(self) -> dict[str, str]:
        return {name: seal.hexdigest() for name, seal in self._seals.items()}
