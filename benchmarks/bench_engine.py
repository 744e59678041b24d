"""How long a step, a day, a restart and late bars take, and what memory they need: every metric and scanner on.

Run by `make bench`. See README.md beside it for what is measured, and how.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil

from benchmarks import bandwidth, clock, market, report
from benchmarks.report import Figure, verdict
from scanner_kit import metrics as m
from scanner_kit.bars import FIELDS, Bars, LateBars, Tape
from scanner_kit.engine import Engine
from scanner_kit.judge import Remembered
from scanner_kit.universe import Universe

AFTERNOON = 660
"""15:00, in minutes since 04:00."""
LATE_SYMBOLS, LATE_STEPS = 100, 10
WARM = 725
"""Steps after which every compiled loop has run once: into POST."""

COLD = """
from pathlib import Path
from benchmarks import bench_engine, market
bench_engine.warm(market.load(Path({!r})))
"""
IMPORT = "import scanner_kit.engine"

Result = dict[str, Any]


def main() -> None:
    """Measure each size in processes of its own, and write engine.md and engine.json."""
    given = report.options(__doc__ or "")
    began = report.busy()
    command, sizes = measure_command(given.quick), {}
    for symbols in given.sizes:
        with TemporaryDirectory() as room:
            sizes[symbols] = measure(symbols, Path(room), given.rounds)
    data = {"machine": report.machine(), "busy": began, "sizes": sizes, "command": command}
    report.write("engine", page(data), data, figures(data), given.results)


def measure(symbols: int, room: Path, rounds: int) -> Result:
    """Everything about one size."""
    print(f"engine: {symbols:,} symbols", file=sys.stderr, flush=True)
    report.alone(market.store, symbols, room)
    return report.alone(measure_speed, room, rounds) | {"memory": report.alone(measure_memory, room)}


# Time


def warm(tape: Tape) -> None:
    """Step through most of a day of a few symbols, so that what is compiled or loaded once is not timed."""
    few = market.part(tape)
    engine = Engine(few.universe, metrics=m.ALL)
    for k in range(WARM):
        engine.step(few.bars(k))


def measure_speed(room: Path, rounds: int) -> Result:
    """Times of the engine, and of memory: seconds as (wall, processor)."""
    tape = market.load(room)
    if rounds > 1:
        warm(tape)
    runs = [replay(tape) for _ in range(rounds)]
    steps = np.median([run["steps"] for run in runs], axis=0)
    return {
        "day": _median(runs, "day"),
        "restart": _median(runs, "restart"),
        "p50": np.percentile(steps, 50, axis=0).tolist(),
        "p99": np.percentile(steps, 99, axis=0).tolist(),
        "triggers": runs[0]["triggers"],
        "shares": shares(tape),
        "late": late(tape, LATE_STEPS if rounds > 1 else 1),
        "bandwidth": bandwidth.measured(),
        "bytes_a_step": bandwidth.bytes_a_symbol(market.part(tape, 20), m.ALL) * len(tape.universe),
    }


def replay(tape: Tape) -> Result:
    """A full day, the making of the engine included, and each of its steps."""
    began = clock.now()
    engine = Engine(tape.universe, metrics=m.ALL)
    marks = np.empty((len(tape) + 1, 2))
    marks[0] = clock.now()
    for k, bars in enumerate(tape, start=1):
        engine.step(bars)
        marks[k] = clock.now()
    since = marks - began
    return {
        "day": since[-1],
        "restart": since[AFTERNOON],
        "steps": np.diff(marks, axis=0),
        "triggers": len(engine.triggers),
    }


def shares(tape: Tape) -> dict[str, list[float]]:
    """Seconds of a day that the meter and the judge take, each by itself."""
    engine, remembered = Engine(tape.universe, metrics=m.ALL), Remembered()
    spent = {"meter": np.zeros(2), "judge": np.zeros(2)}
    with np.errstate(all="ignore"):
        for bars in tape:
            measured, now = clock.timed(lambda bars=bars: engine.meter.step(bars))  # type: ignore[misc]
            judged, judgement = clock.timed(lambda now=now, held=remembered: engine.judge.judge(now, held))  # type: ignore[misc]
            remembered = judgement.remembered
            spent["meter"] += measured
            spent["judge"] += judged
    return {name: seconds.tolist() for name, seconds in spent.items()}


def late(tape: Tape, times: int) -> Result:
    """Steps from 15:00 on, every other one with late bars of some symbols: medians of both."""
    engine = Engine(tape.universe, metrics=m.ALL)
    for k in range(AFTERNOON):
        engine.step(tape.bars(k))
    minutes = range(AFTERNOON, AFTERNOON + 2 * times)
    entries = [_with_late(tape, k) if k % 2 else tape.bars(k) for k in minutes]
    spent = clock.each((lambda bars=bars: engine.step(bars)) for bars in entries)  # type: ignore[misc]
    symbols = min(LATE_SYMBOLS, len(tape.universe))
    return {
        "symbols": symbols,
        "with": np.median(spent[1::2], axis=0).tolist(),
        "without": np.median(spent[::2], axis=0).tolist(),
    }


def _with_late(tape: Tape, k: int) -> Bars:
    """The minute, and for some symbols a bar of the minute before, a cent higher than was first said."""
    rows = np.linspace(0, len(tape.universe) - 1, min(LATE_SYMBOLS, len(tape.universe))).astype(np.intp)
    price = np.nan_to_num(tape.close[k - 1, rows], nan=10.0) + 0.01
    volume = tape.volume[k - 1, rows] + 100.0
    bars = LateBars(np.full(rows.size, k - 1), rows, price, price, price, price, volume, price)
    return Bars(k, **{name: getattr(tape, name)[k] for name in FIELDS}, late=bars)


def _median(runs: list[Result], name: str) -> list[float]:
    seconds: list[float] = np.median([run[name] for run in runs], axis=0).tolist()
    return seconds


# Memory


def measure_memory(room: Path) -> dict[str, int]:
    """Bytes of a process in which minutes arrive one by one: before the engine, at its end of day, and at the most."""
    process, head = psutil.Process(), market.universe(room)
    before = most = process.memory_info().rss
    engine = Engine(head, metrics=m.ALL)
    for bars in market.arriving(room, head):
        engine.step(bars)
        most = max(most, process.memory_info().rss)
    return {"before": before, "end": process.memory_info().rss, "most": most, "facts": _facts(head)}


def _facts(head: Universe) -> int:
    values = (value for value in vars(head.facts).values() if isinstance(value, np.ndarray))
    return sum(value.nbytes for value in values)


# The command


def measure_command(quick: bool) -> Result:
    """Seconds of `scanner-kit --help`, of importing the engine, and of its very first start, which compiles."""
    tries = 1 if quick else 9
    script = Path(sys.executable).with_name("scanner-kit")
    command = [str(script)] if script.exists() else [sys.executable, "-m", "scanner_kit.cli"]
    help_seconds = [_run([*command, "--help"]) for _ in range(tries)]
    imports = [_run([sys.executable, "-c", IMPORT]) for _ in range((tries + 2) // 3)]
    return {"help": min(help_seconds), "import": min(imports), "compile": None if quick else _first_start()}


def _first_start() -> float:
    """By how much the first start after an installation is longer: what is compiled is kept on disk from then on."""
    with TemporaryDirectory() as room, TemporaryDirectory() as cache:
        report.alone(market.store, market.SOME, Path(room))
        start = [sys.executable, "-c", COLD.format(room)]
        first, second = (_run(start, NUMBA_CACHE_DIR=cache) for _ in range(2))
    return first - second


def _run(command: list[str], **environment: str) -> float:
    found = {**os.environ, "PYTHONPATH": str(report.HERE.parent), **environment}
    run = partial(subprocess.run, command, check=True, stdout=subprocess.DEVNULL, env=found)
    return float(clock.timed(run)[0][0])


# The page


def page(data: Mapping[str, Any]) -> str:
    """The results as Markdown."""
    sizes, command = data["sizes"], data["command"]
    head = ["", *(f"{symbols:,} symbols" for symbols in sizes)]
    cells = [_cells(result, command) for result in sizes.values()]
    rows = [[name, *(column[name] for column in cells)] for name in cells[0]]
    first = (
        "" if command["compile"] is None else f", {command['compile']:.0f} s more at the first start, which compiles"
    )
    return f"""# The engine

Every metric ({len(m.ALL)}) and every scanner on, over a simulated day of 960 minutes.
Wall time, and in brackets the process's own time. {data["machine"]}; {data["busy"]}.

{report.table(head, rows)}

`scanner-kit --help`: {command["help"]:.2f} s (budget 0.3 s: {verdict(command["help"], 0.3)}).
Importing the engine: {command["import"]:.2f} s{first}.
"""


def _cells(result: Result, command: Result) -> dict[str, str]:
    day, spent, memory, most = result["day"], result["shares"], result["memory"], result["bandwidth"]
    both, moved = sum(spent[part][1] for part in spent), result["bytes_a_step"]
    return {
        "step, p50": _milliseconds(result["p50"]),
        "step, p99": _milliseconds(result["p99"]),
        "full day": _seconds(day),
        "of it the meter": f"{spent['meter'][1] / both:.0%}",
        "of it the judge": f"{spent['judge'][1] / both:.0%}",
        "triggers in the day": f"{result['triggers']:,}",
        "restart at 15:00, importing included": f"{result['restart'][0] + command['import']:.2f} s",
        f"step with late bars of {result['late']['symbols']} symbols": _milliseconds(result["late"]["with"]),
        "such steps without": _milliseconds(result["late"]["without"]),
        "process at the end of day": _megabytes(memory["end"]),
        "at the most": _megabytes(memory["most"]),
        "of it the engine": _megabytes(memory["end"] - memory["before"]),
        "before the engine: Python, libraries, facts": _megabytes(memory["before"]),
        "bytes that a step must move": f"{moved / 1e6:.1f} MB",
        "memory bandwidth, triad (copy)": f"{most['triad'] / 1e9:.1f} ({most['copy'] / 1e9:.1f}) GB/s",
        "share of the bandwidth reached, of wall time (of the process's)": " ".join(
            share.format(moved / seconds / most["triad"])
            for share, seconds in zip(("{:.0%}", "({:.0%})"), result["p50"], strict=True)
        ),
    }


def figures(data: Mapping[str, Any]) -> list[Figure]:
    """The rows of the README: those of the largest market that was measured."""
    symbols = max(data["sizes"])
    result, command, of = data["sizes"][symbols], data["command"], f"{symbols:,} symbols"
    p50, p99 = 1e3 * result["p50"][0], 1e3 * result["p99"][0]
    restart, end = result["restart"][0] + command["import"], result["memory"]["most"] / 1e9
    late_seconds, share = (
        result["late"]["with"],
        result["bytes_a_step"] / result["p50"][0] / result["bandwidth"]["triad"],
    )
    return [
        Figure(f"one step, {of}, p50", "2.5 ms", _milliseconds(result["p50"]), verdict(p50, 2.5)),
        Figure(f"one step, {of}, p99", "10 ms", _milliseconds(result["p99"]), verdict(p99, 10.0)),
        Figure("share of the memory bandwidth that it reaches, at the least", "", f"{share:.0%}", ""),
        Figure(f"replay of a full day, {of}", "2.5 s", _seconds(result["day"]), verdict(result["day"][0], 2.5)),
        Figure(f"restart at 15:00, {of}", "5 s", f"{restart:.2f} s", verdict(restart, 5.0)),
        Figure(
            f"late bars of {result['late']['symbols']} symbols at 15:00, {of}",
            "100 ms",
            _milliseconds(late_seconds),
            verdict(late_seconds[0], 0.1),
        ),
        Figure(f"memory of the engine's process, {of}, at the most", "1.5 GB", f"{end:.2f} GB", verdict(end, 1.5)),
        Figure("`scanner-kit --help`", "0.3 s", f"{command['help']:.2f} s", verdict(command["help"], 0.3)),
    ]


def _milliseconds(times: list[float]) -> str:
    return f"{1e3 * times[0]:.2f} ({1e3 * times[1]:.2f}) ms"


def _seconds(times: list[float]) -> str:
    return f"{times[0]:.2f} ({times[1]:.2f}) s"


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.0f} MB"


if __name__ == "__main__":
    main()
