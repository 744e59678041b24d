"""Do the peers measure the same thing? Against each other, and for some symbols against a plain loop over DEFINITIONS.

Run from the project's root: `python -m benchmarks.peers.check`. It takes some seconds; the exit code is 1 if a metric
of a peer differs by more than 1e-9 (of the value, or of 1 where it is smaller), or is known where the other is not.
"""

from __future__ import annotations

import importlib.util
import sys

import numpy as np

from benchmarks.peers import pandas_peer, polars_peer
from benchmarks.peers.day import Array, Day
from benchmarks.peers.reference import measure as reference

TOLERANCE = 1e-9
LOOPED = 10
Metrics = dict[str, Array]


def measured(day: Day) -> dict[str, Metrics]:
    """Every installed peer's metrics of the day."""
    frame = polars_peer.prepare(day)
    peers = {
        "polars": polars_peer.to_arrays(frame, polars_peer.measure(frame)),
        "pandas": pandas_peer.measure(pandas_peer.prepare(day)),
    }
    if importlib.util.find_spec("vectorbt") is not None:
        from benchmarks.peers import vectorbt_peer

        peers["vectorbt"] = vectorbt_peer.measure(vectorbt_peer.prepare(day))
    return peers


def difference(found: Array, expected: Array) -> float:
    """The largest relative difference (absolute below 1); infinite where one is known and the other is not."""
    if found.shape != expected.shape or bool((np.isnan(found) != np.isnan(expected)).any()):
        return float("inf")
    gap = np.abs(found - expected) / np.maximum(1.0, np.abs(expected))
    return float(np.nanmax(gap, initial=0.0))


def main(symbols: int = 50, seed: int = 1) -> int:
    """Print a row per metric, a column per peer; 0 if all agree."""
    day = Day.random(symbols, seed=seed)
    expected, peers = reference(day.take(slice(LOOPED))), measured(day)
    print(f"{'metric':22}{'known':>7}" + "".join(f"{peer:>12}" for peer in peers))
    rows = {n: [_cell(n, loop, peer, peers["pandas"]) for peer in peers.values()] for n, loop in expected.items()}
    for name, cells in rows.items():
        known = f"{100 * (~np.isnan(peers['pandas'][name])).mean():.0f} %"
        print(f"{name:22}{known:>7}" + "".join(f"{_said(cell):>12}" for cell in cells))
    wrong = [name for name, cells in rows.items() if max(cells) > TOLERANCE]
    extra = sorted({name for peer in peers.values() for name in peer} - set(expected))
    agreed = f"{len(rows) - len(wrong)} of {len(rows)} metrics agree within {TOLERANCE:g}"
    print(f"{agreed}; not in the loop: {extra or 'none'}.")
    return 1 if wrong or extra else 0


def _cell(name: str, loop: Array, peer: Metrics, other: Metrics) -> float:
    if name not in peer or name not in other:
        return float("inf")
    return max(difference(peer[name][:, : loop.shape[1]], loop), difference(peer[name], other[name]))


def _said(cell: float) -> str:
    return "exact" if cell == 0 else f"{cell:.0e}" if cell <= TOLERANCE else f"DIFFERS {cell:.0e}"


if __name__ == "__main__":
    sys.exit(main())
