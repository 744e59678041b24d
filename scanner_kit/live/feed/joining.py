"""Joining: symbols that join a desk's universe, or leave it, while its day runs.

A change is checked against the universe as the tape has it, and put on the tape as the next one: of two at once the
later is checked again. It is in force from the next step on, in every reader alike.

>>> join_of([{"symbol": "NVDA", "prev_close": 142.62, "sector": None}])
Join(symbols=('NVDA',), facts=(('prev_close', (142.62,)),))
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scanner_kit.bars import Join, Leave
from scanner_kit.bus.connection import Bus, BusError
from scanner_kit.bus.tape import Moved, TapeReader, TapeWriter, current_day
from scanner_kit.calendar import TradingDay
from scanner_kit.entry import check_event
from scanner_kit.errors import InvalidInput

TRIES = 20
Row = Mapping[str, Any]
"""What is known of a symbol: `symbol`, and facts by name."""


def put_change(bus: Bus, day: TradingDay, change: Join | Leave, clock: Callable[[], float] = time.time) -> int:
    """Put on the tape of a day that symbols join or leave; how many such changes it has now.

    Raises
    ------
    InvalidInput
        A symbol that joins is there, one that leaves is not, a fact is none, or the day is over.
    TapeLost
        There is no tape of the day.
    """
    check_event(change)
    writer, reader = TapeWriter(bus, day, "universe"), TapeReader(bus, day)
    stands = reader.stands()
    for _ in range(TRIES):
        closed = writer.go_on()
        if writer.over:
            raise InvalidInput(f"Symbols join or leave while a day runs; {day.date} is over. Wait for the next.")
        change.changed(stands[0], (-1 if closed is None else closed) + 1)
        try:
            if writer.universe(stands[1] + 1, change, clock()):
                return stands[1] + 1
        except Moved:
            pass
        stands = reader.stands(since=stands)
    raise BusError(f"The tape of {day.date} takes no change of its universe: it is full.")


def change_today(bus: Bus, change: Join | Leave) -> int:
    """Have symbols join or leave today's universe, from the next step on; how many such changes there are now.

    `InvalidInput` says what cannot be, and where no tape is being written.
    """
    day = current_day(bus)
    if day is None:
        raise InvalidInput("No tape is being written on the bus. Start one: scanner-kit up.")
    return put_change(bus, day, change)


def join_of(rows: Iterable[Row | str], symbols: Sequence[str] | None = None) -> Join:
    """The joining of symbols of which rows tell the facts; of `symbols` alone where they are named."""
    known = {_symbol_of(row): {} if isinstance(row, str) else dict(row) for row in rows}
    named = tuple(known) if symbols is None else tuple(symbols)
    told = dict.fromkeys(name for symbol in named for name in known.get(symbol, ()) if name != "symbol")
    facts = {name: [known.get(symbol, {}).get(name) for symbol in named] for name in told}
    join = Join.of(named, **facts)
    return Join(join.symbols, tuple((name, its) for name, its in join.facts if any(one is not None for one in its)))


def rows_of_facts(path: Path) -> list[Row]:
    """The rows of a file of facts: JSON (a list of objects), CSV or Parquet, with a column `symbol`."""
    import pandas as pd

    try:
        if path.suffix.lower() == ".json":
            found = json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix.lower() in (".parquet", ".pq"):
            found = pd.read_parquet(path).to_dict("records")
        else:
            found = pd.read_csv(path, dtype={"symbol": str}, keep_default_na=False, na_values=[""]).to_dict("records")
    except (OSError, ValueError) as fault:
        raise InvalidInput(
            f"Facts come from a file of JSON, CSV or Parquet; {str(path)!r} cannot be read: {fault}. Name another."
        ) from None
    if not isinstance(found, list):
        raise InvalidInput(f"Facts are a list of objects, one a symbol; {str(path)!r} holds another thing. Mend it.")
    return found


def _symbol_of(row: Any) -> str:
    symbol = row if isinstance(row, str) else row.get("symbol") if isinstance(row, Mapping) else None
    if not isinstance(symbol, str):
        raise InvalidInput(f"A row of facts names its symbol; found {row!r}. Write {{'symbol': 'NVDA', …}}.")
    return symbol
