"""The same metrics of the same day, here and in Polars, pandas and vectorbt, side by side and as ratios.

Run by `make bench`. See README.md beside it, and peers/README.md for how the peers were made quick.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks import clock, market, report
from benchmarks.clock import Times
from benchmarks.peers.check import TOLERANCE, difference, measured
from benchmarks.peers.day import Day
from benchmarks.report import Figure, verdict
from scanner_kit import metrics as m
from scanner_kit.bars import Tape
from scanner_kit.engine import Engine
from scanner_kit.meter import Meter, measure_day

PEERS = {"Polars": "polars", "pandas": "pandas", "vectorbt": "vectorbt"}
METRICS = tuple(metric for metric in m.ALL if not metric.market)
"""What the peers measure too: all but `halt`, which looks across the market."""
METER, ENGINE = "the meter: the same metrics", "the engine: everything on"
AT_LEAST = {"Polars": 5.0, "pandas": 25.0}

Result = dict[str, Any]


def main() -> None:
    """Check that all do the same work, time each size in a process of its own, and write peers.md and peers.json."""
    given = report.options(__doc__ or "")
    began, sizes = report.busy(), {}
    agreement = report.alone(agree)
    for symbols in given.sizes:
        with TemporaryDirectory() as room:
            print(f"peers: {symbols:,} symbols", file=sys.stderr, flush=True)
            report.alone(market.store, symbols, Path(room))
            sizes[symbols] = report.alone(compare, Path(room), given.rounds)
    data = {"machine": report.machine(), "busy": began, "agreement": agreement, "sizes": sizes}
    report.write("peers", page(data), data, figures(data), given.results)


def agree() -> Result:
    """The largest difference of each peer from the meter, over all metrics of a small simulated day."""
    with TemporaryDirectory() as room:
        market.store(market.SOME, Path(room))
        tape = market.load(Path(room))
    ours = {metric.name: values for metric, values in measure_day(tape, METRICS).values.items()}
    found = {name: _differences(peer, ours) for name, peer in measured(market.for_peers(tape)).items()}
    agreed = min(sum(d <= TOLERANCE for d in differences.values()) for differences in found.values())
    return {"metrics": len(METRICS), "agreed": agreed, "largest": {n: max(d.values()) for n, d in found.items()}}


def _differences(peer: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, float]:
    return {metric.name: difference(peer[metric.name], ours[metric.name]) for metric in METRICS}


def compare(room: Path, rounds: int) -> dict[str, list[list[float]]]:
    """Seconds (wall, processor) of each side in each round; the sides take turns, so that all see the same machine."""
    tape = market.load(room)
    day = market.for_peers(tape)
    sides: dict[str, Callable[[], Times]] = {METER: lambda: _meter(tape), ENGINE: lambda: _engine(tape)}
    for name, peer in _installed():
        sides[name] = lambda peer=peer: _peer(peer, day)  # type: ignore[misc]
    if rounds > 1:
        _warm(tape)
    spent = [{name: side().tolist() for name, side in sides.items()} for _ in range(rounds)]
    return {name: [seconds[name] for seconds in spent] for name in sides}


def _installed() -> Iterator[tuple[str, ModuleType]]:
    for name, package in PEERS.items():
        if importlib.util.find_spec(package) is not None:
            yield name, importlib.import_module(f"benchmarks.peers.{package}_peer")


def _warm(tape: Tape) -> None:
    few = market.part(tape)
    _engine(few)
    for _, peer in _installed():
        _peer(peer, market.for_peers(few))


def _meter(tape: Tape) -> Times:
    """The metrics step by step; what a step gives is dropped at the next."""
    return clock.timed(lambda: _step_through(Meter(tape.universe, METRICS), tape))[0]


def _engine(tape: Tape) -> Times:
    return clock.timed(lambda: _step_through(Engine(tape.universe, metrics=m.ALL), tape))[0]


def _step_through(engine: Meter | Engine, tape: Tape) -> None:
    with np.errstate(all="ignore"):
        for bars in tape:
            engine.step(bars)


def _peer(peer: ModuleType, day: Day) -> Times:
    """The metrics in chunks that suit the peer; preparing its layout and dropping results are not timed."""
    spent = np.zeros(2)
    for first in range(0, day.symbols, peer.CHUNK):
        prepared = peer.prepare(day.take(slice(first, first + peer.CHUNK)))
        seconds, _ = clock.timed(lambda prepared=prepared: peer.measure(prepared))  # type: ignore[misc]
        spent += seconds
    return spent


# The page


def page(data: Mapping[str, Any]) -> str:
    """The results as Markdown."""
    agreement, sizes = data["agreement"], data["sizes"]
    largest = ", ".join(f"{name} {gap:.0e}" for name, gap in agreement["largest"].items())
    head = ["", *(f"{symbols:,} symbols" for symbols in sizes)]
    names = list(next(iter(sizes.values())))
    seconds = [[name, *(_told(np.median(spent[name], axis=0)) for spent in sizes.values())] for name in names]
    peers = [name for name in names if name in PEERS]
    ratios = [
        [f"{peer} ÷ {own}", *(_told(ratio(spent, peer, own), "×") for spent in sizes.values())]
        for own in (METER, ENGINE)
        for peer in peers
    ]
    missing = [name for name in PEERS if name not in names]
    absent = f" Not installed: {', '.join(missing)}." if missing else ""
    return f"""# Side by side with Polars, pandas and vectorbt

The same {len(METRICS)} metrics of the same simulated day, 960 minutes.
Wall time, and in brackets processor time over all threads. {data["machine"]}; {data["busy"]}.{absent}

Same work: {agreement["agreed"]} of {agreement["metrics"]} metrics agree with every peer within {TOLERANCE:g}
over {market.SOME} symbols, unknowns included (largest relative difference: {largest}).

{report.table(head, seconds)}

As ratios, the median over the rounds; above 1 the peer takes longer:

{report.table(head, ratios)}
"""


def ratio(spent: Mapping[str, Any], peer: str, own: str) -> Times:
    """How many times as long a peer takes, (wall, processor): the median of the rounds' ratios."""
    ratios: Times = np.median(np.divide(spent[peer], spent[own]), axis=0)
    return ratios


def figures(data: Mapping[str, Any]) -> list[Figure]:
    """The rows of the README: those of the largest market that was measured."""
    symbols = max(data["sizes"])
    spent = data["sizes"][symbols]
    return [_figure(peer, symbols, spent) for peer in PEERS if peer in spent]


def _figure(peer: str, symbols: int, spent: Mapping[str, Any]) -> Figure:
    metrics, everything = ratio(spent, peer, METER), ratio(spent, peer, ENGINE)
    least = AT_LEAST.get(peer)
    shown = f"{_told(metrics, '×')}; against everything on {_told(everything, '×')}"
    reached = "" if least is None else verdict(float(everything[0]), least, at_least=True)
    return Figure(
        f"{peer} ÷ scanner_kit, the same metrics of a full day, {symbols:,} symbols",
        "" if least is None else f"{least:.0f} ×",
        shown,
        reached,
    )


def _told(pair: Times, unit: str = "s") -> str:
    return f"{pair[0]:.2f} ({pair[1]:.2f}) {unit}"


if __name__ == "__main__":
    main()
