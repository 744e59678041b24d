"""Proof: a desk says what is wrong with it within 15 s, and no longer than 15 s after it is right again.

Three desks run side by side, each of real processes with a server, a store and pages of its own (`faulty_desk.py`),
and two look at each: one who asks `Look`, and one who asks `GET /api/health`. A fault is injected (`faults.py`); from
the moment at which its definition holds (a heartbeat that is 6 s old, a silence of 180 s, the third silent minute of a
symbol) to the row of health that names it, and from its end to the last sight of that row, there are at most 15 s. What
was found is kept in `benchmarks/results/faults.json`, fault by fault: a run that was cut short goes on with what is
missing or did not hold. The table is `faults.md` beside it.

    make prove-faults
    make prove-faults ARGS="--only redis-full,clock-off --out /tmp/short"
    make prove-faults ARGS=--afresh
"""

import datetime as dt
import re
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.faults import CALENDAR, DESKS, FAULTS, HALF_DAY, Fault, steps
from benchmarks.faulty import DAY, clock_library, small_disk
from benchmarks.faulty_desk import SEERS, Desk, until
from benchmarks.proof import Found, asked, closed
from scanner_kit.bus.beats import read_beats
from scanner_kit.calendar import NEW_YORK
from scanner_kit.sources.simulated import SimulatedMarket

IN_TIME, TOO_EARLY, MORE, STEADY = 15.0, 2.0, 15.0, 4.0
"""Seconds: allowed; before the moment that is no guess; waited for beyond the allowed; for which it must hold."""
DISK_MB = 600
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Options:
    """What the proof is made of; found things are of one set of options."""

    seed: int = 7
    speed: float = 12.0


@dataclass
class Injected(Found):
    """What became of the faults that were injected so far."""

    faults: dict[str, dict[str, Any]] = field(default_factory=dict)

    def holds(self, fault: Fault) -> bool:
        """Whether it was named in time, and gone in time."""
        return bool(self.faults.get(fault.name, {}).get("holds"))

    def became(self, fault: Fault, told: dict[str, Any]) -> None:
        """Keep what became of a fault; the desks do so side by side."""
        with _ONE_AT_A_TIME:
            told = {**told, "found": _without_machine(told["found"])}
            self.faults[fault.name] = {"injected": fault.injected, **told}
            self.keep()
            print(f"{'holds' if told['holds'] else 'FAILS':5}  {fault.name}: {told['found']}", flush=True)


# One fault


def inject(desk: Desk, fault: Fault) -> dict[str, Any]:
    """Inject a fault and end it; what was seen of it."""
    if fault.calm:
        until(lambda: desk.eyes.calm(time.monotonic() - 2), "a desk without a fault")
    since = time.monotonic()
    began = fault.begin(desk)

    def named(after: float) -> dict[str, list[Any]]:
        wanted = (fault.subject, fault.state, fault.reason)
        return {seer: desk.eyes.matching(seer, after, *wanted) for seer in SEERS}

    _wait(lambda: all(named(since).values()), max(began, time.monotonic()) + IN_TIME + MORE)
    rows = named(since)
    if not all(rows.values()):
        blind = [seer for seer in SEERS if not rows[seer]]
        seen = sorted(desk.eyes.red(since))
        fault.end(desk)
        return {"holds": False, "found": f"not named by {' and '.join(blind)}; red was {', '.join(seen) or 'nothing'}"}
    time.sleep(max(0.0, began - time.monotonic()) + STEADY)
    beside = desk.eyes.red(since)
    ended = fault.end(desk)
    time.sleep(max(0.0, ended + STEADY - time.monotonic()))
    _wait(lambda: not any(named(time.monotonic() - STEADY).values()), ended + IN_TIME + MORE)
    late = named(ended)
    seconds = {
        "named": {seer: round(rows[seer][0].at - began, 1) for seer in SEERS},
        "gone": {seer: round(late[seer][-1].at - ended, 1) if late[seer] else 0.0 for seer in SEERS},
    }
    row = rows[SEERS[0]][-1]
    in_time = all(-TOO_EARLY <= one <= IN_TIME for one in seconds["named"].values())
    holds = in_time and all(one <= IN_TIME for one in seconds["gone"].values())
    others = sorted(name for name in beside if name != f"{row.subject} {row.state}")
    told = {what: " / ".join(f"{one:.1f}" for one in by.values()) for what, by in seconds.items()}
    return {
        "holds": holds,
        "found": f"named after {told['named']} s, gone after {told['gone']} s",
        "row": _without_machine(f"{row.subject}: {row.state}, {row.reason}"),
        "beside": [_without_machine(one) for one in others],
        **seconds,
    }


def _wait(holds: Callable[[], bool], end: float) -> None:
    while not holds() and time.monotonic() < end:
        time.sleep(0.1)


def _without_machine(text: str) -> str:
    hidden = text.replace(socket.gethostname(), "HOST")
    return re.sub(r"/\S*/", "…/", re.sub(r"process \d+", "process N", hidden))


# The desks


@contextmanager
def desk_of(name: str, folder: Path, options: Options, library: Path | None) -> Iterator[Desk]:
    """A desk at work."""
    shift = HALF_DAY.timestamp() - time.time() if name == "calendar" else None
    own = folder / "settings.toml"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text('[live]\nscanners = ["faulty_scanners:Slow"]\n' if name == "bus" else "")
    with Desk(folder / "desk", library, shift, SCANNER_KIT_SETTINGS=str(own)) as desk:
        if name == "calendar":
            daily = folder / "daily.csv"
            SimulatedMarket(symbols=8, seed=options.seed, day=HALF_DAY.date()).daily().to_csv(daily, index=False)
            desk.command("ingest", "ingest", "--source=redis", f"--daily={daily}")
        else:
            start_k = DAY.minute_of(dt.datetime.combine(DAY.date, dt.time(10, 30), NEW_YORK))
            words = (str(options.seed), str(options.speed), str(start_k))
            desk.start("ingest", "-m", "benchmarks.faulty", "ingest", *words)
        desk.command("engine", "engine")
        clocked = desk.clock("store", 0.0) if name == "bus" and library is not None else {}
        desk.command("store", "store", **clocked)
        desk.serve()
        desk.look()
        yield desk


def run(name: str, faults: Sequence[Fault], folder: Path, found: Injected, library: Path | None) -> None:
    """The faults of a desk, one after the other."""
    clocks = {"clock off", *(fault.name for fault in CALENDAR)}
    missing = [fault for fault in faults if fault.name in clocks and library is None]
    for fault in missing:
        found.became(fault, {"holds": False, "found": "not tried: no C compiler was found to shift a clock with"})
    with small_disk(folder / "desk", DISK_MB) as own_disk, desk_of(name, folder, found.options, library) as desk:
        _settle(desk, name)
        for fault in faults:
            if fault in missing:
                continue
            if fault.name == "disk full" and not own_disk:
                found.became(fault, {"holds": False, "found": "not tried: no disk that can be filled may be mounted"})
                continue
            try:
                told = inject(desk, fault)
            except AssertionError as late:
                red = ", ".join(sorted(desk.eyes.red(time.monotonic() - 5))) or "nothing"
                told = {"holds": False, "found": f"{late}; red was {red}"}
            found.became(fault, told)


def _settle(desk: Desk, name: str) -> None:
    """Until every process is at work and both who look have seen it."""
    roles = {"ingest", "engine", "store", "serve"}
    until(lambda: {one.role for one in read_beats(desk.bus)} >= roles, "the processes")
    until(lambda: all(desk.eyes.seen.values()), "those who look")
    if name != "calendar":
        until(lambda: len(steps(desk)) > 0, "the tape")


def prove(found: Injected, only: Sequence[str] = ()) -> bool:
    """Inject every fault that is missing, desk by desk side by side; whether all are named in time."""
    wanted = {fault.name for fault in FAULTS if not only or fault.name in only}
    with tempfile.TemporaryDirectory(prefix="faults") as temporary:
        library = clock_library(Path(temporary))
        threads = []
        for name, faults in DESKS.items():
            open_ = [fault for fault in faults if fault.name in wanted and not found.holds(fault)]
            if open_:
                work = (name, open_, Path(temporary) / name, found, library)
                threads.append(threading.Thread(target=run, args=work, name=name))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return all(found.holds(fault) for fault in FAULTS if fault.name in wanted)


def table(found: Injected) -> str:
    """What was found, as a page of Markdown."""
    lines = [
        "# Faults, named and gone",
        "",
        "Faults injected into desks of real processes (`make prove-faults`), and the row of health that names each.",
        "Seconds from the moment at which its definition holds to the first sight of that row, and from its end to the",
        f"last, as seen by `Look` and by `GET /api/health` twice a second; at most {IN_TIME:g} are allowed. A played",
        f"market goes {found.options.speed:g} times as fast as the clock; what is defined in seconds is in seconds.",
        "",
        "| fault | injected | named | after, s | gone after, s | in time |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for fault in FAULTS:
        told = found.faults.get(fault.name)
        if told is None:
            continue
        seconds = [" / ".join(f"{one + 0.0:.1f}" for one in told.get(what, {}).values()) for what in ("named", "gone")]
        row = told.get("row", told["found"]).replace("|", "/")
        beside = f"; beside it {', '.join(told['beside'])}" if told.get("beside") else ""
        verdict = "yes" if told["holds"] else "**no**"
        lines.append(f"| {fault.name} | {fault.injected} | {row}{beside} | {seconds[0]} | {seconds[1]} | {verdict} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the options, prove, and write the table."""
    named = {fault.name.lower().replace(",", "").replace(" ", "-"): fault.name for fault in FAULTS}
    wanted = asked(Options, __doc__, arguments, only="names of faults, with - for a space, by commas")
    only = [word for word in wanted.more["only"].split(",") if word]
    if unknown := [word for word in only if word not in named]:
        raise SystemExit(f"There is no fault {unknown[0]!r}; there are {', '.join(named)}.")
    found = Injected.at(wanted.out / "faults.json", wanted.options, wanted.afresh)
    holds = prove(found, [named[word] for word in only])
    return closed(wanted.out / "faults.md", table(found), holds)


if __name__ == "__main__":
    sys.exit(main())
