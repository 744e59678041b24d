"""How soon the tuning lab answers: a threshold is moved, and every figure, row and bar of the page follows.

Run by `make bench`. Over 20 simulated days of 500 symbols, and, where a folder of real bars is named by
SCANNER_KIT_DATA, over the days of `us99_ext_2025`. See README.md beside it for what is measured, and how.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import panel as pn

import scanner_kit as sk
from benchmarks import browser, clock, report
from benchmarks.report import Figure, verdict
from benchmarks.serving import serving
from scanner_kit.tuning.history import History
from scanner_kit.tuning.lab import Lab
from scanner_kit.views.serve import extension
from scanner_kit.views.tuning import Bench

SIMULATED, REAL = "20 simulated days × 500 symbols", "25 real days × 99 symbols"
MOVES = 60
STEP = 0.1
"""That of the slider: each value on the screen is another one."""
MOVED = f"""value => {{ {browser.DEEP}
  const slider = deep("input.slide[aria-label*='RVOL']"), shown = deep(".cell .n")
  return new Promise((done, fail) => {{
    setTimeout(() => fail(new Error("no other figure came")), 20000)
    const begin = performance.now()
    const drawn = () => requestAnimationFrame(() => done(performance.now() - begin))
    const watching = new MutationObserver(() => {{ watching.disconnect(); drawn() }})
    watching.observe(shown, {{childList: true, characterData: true, subtree: true}})
    slider.value = value
    slider.dispatchEvent(new Event("input"))
    slider.dispatchEvent(new Event("change"))
  }})
}}"""

Result = dict[str, Any]


def main() -> None:
    """Measure each history in a process of its own, and write lab.md and lab.json."""
    given, began = report.options(__doc__ or ""), report.busy()
    histories: dict[str, Result] = {}
    for name in (SIMULATED, REAL):
        if name == REAL and _real() is None:
            print("lab: no real bars; SCANNER_KIT_DATA names a folder that has them", file=sys.stderr, flush=True)
            continue
        print(f"lab: {name}", file=sys.stderr, flush=True)
        histories[name] = report.alone(measure, name, given.quick)
    data = {"machine": report.machine(), "busy": began, "histories": histories}
    report.write("lab", page(data), data, figures(data), given.results)


def measure(name: str, quick: bool) -> Result:
    """Everything about one history: seconds as (wall, processor), and those on the screen as wall."""
    made, history = clock.timed(lambda: _history(name, quick))
    scanner = sk.scanners.HodBreak(min_rvol=1)
    opened, bench = clock.timed(lambda: Bench(history, [scanner]))
    again = clock.each([lambda: Lab(history, sk.scanners.HodBreak(min_rvol=1.001)).answer])
    values = np.linspace(1.0, 4.0, 8 if quick else MOVES)
    moves = asyncio.run(_moves(bench, values))
    answers = clock.each(partial(bench.lab.move, min_rvol=float(value)) for value in values + 0.0123)
    fresh = Lab(history, scanner, seed=1).answer  # of other draws: none of them is remembered
    drawn = clock.each([lambda: fresh.chance])
    return {
        "days": len(history),
        "symbols": history.symbols,
        "triggers": [len(bench.lab.answer), len(bench.lab.answer_of("as it started"))],
        "made": made.tolist(),
        "opened": opened.tolist(),
        "answer": again[0].tolist(),
        "page": _percentiles(moves),
        "bench": _percentiles(answers),
        "chance": drawn[0].tolist(),
        "screen": _on_the_screen(history, 6 if quick else 40),
    }


async def _moves(bench: Bench, values: Any) -> clock.Times:
    """Moves of a slider that is held, as a session has them: random entries and luck wait until it rests."""
    moves = []
    for seq, value in enumerate(values.tolist(), 1):
        asked = {"seq": seq, "values": {"min_rvol": value}, "sliding": True}
        moves.append(clock.timed(partial(bench.move, asked))[0])
    bench.move({"seq": len(moves) + 1, "values": {}})
    return np.array(moves)


def _percentiles(times: clock.Times) -> dict[str, list[float]]:
    return {name: np.percentile(times, q, axis=0).tolist() for name, q in (("p50", 50), ("p95", 95))}


def _on_the_screen(history: History, moves: int) -> dict[str, float] | None:
    """Seconds from a slider's event to the frame with the changed figure; None without a browser."""
    if browser.executable() is None:
        return None
    with _served(history) as address, browser.chromium() as chromium:
        page = chromium.new_page(viewport={"width": 1366, "height": 768})
        page.goto(address)
        page.wait_for_selector(".cell .value")
        page.wait_for_timeout(2_000)
        page.evaluate(MOVED, 2.9)
        taken = [page.evaluate(MOVED, round(1.2 + STEP * i, 3)) for i in range(moves)]
    return {name: float(np.percentile(taken, q)) / 1e3 for name, q in (("p50", 50), ("p95", 95))}


def _served(history: History) -> AbstractContextManager[str]:
    extension()
    page = {"/": lambda: sk.lab(history, sk.scanners.HodBreak())}
    return serving(lambda: pn.serve(page, port=0, threaded=True, show=False))


def _history(name: str, quick: bool) -> History:
    if name == SIMULATED:
        market = sk.SimulatedMarket(symbols=60 if quick else 500)
        return sk.measure(market, 3 if quick else 20, [sk.scanners.HodBreak()], cache=False, progress=False)
    folder = _real()
    assert folder is not None
    bars, daily = (folder / kind / "us99_ext_2025.parquet" for kind in ("bars_1m", "bars_1d"))
    days = 3 if quick else None
    return sk.measure(bars, days, [sk.scanners.HodBreak()], daily=daily, cache=False, progress=False)


def _real() -> Path | None:
    folder = Path(os.environ.get("SCANNER_KIT_DATA") or "nowhere")
    return folder if (folder / "bars_1m" / "us99_ext_2025.parquet").exists() else None


# What is written


def page(data: Mapping[str, Any]) -> str:
    """The tables, to be read."""
    names = list(data["histories"])
    rows = {name: _rows(data["histories"][name]) for name in names}
    lines = [[what, *(rows[name][what] for name in names)] for what in rows[names[0]]]
    return (
        f"# The tuning lab\n\nWall time, and in brackets the processor time of the process. {data['machine']}; "
        f"{data['busy']}.\n\n{report.table(['', *names], lines)}\n"
    )


def _rows(found: Mapping[str, Any]) -> dict[str, str]:
    screen = found["screen"]
    return {
        "days": str(found["days"]),
        "symbols": str(found["symbols"]),
        "triggers, from the tightest to the loosest setting": " to ".join(f"{n:,}" for n in found["triggers"]),
        "bars read and measured, without a cache": _seconds(found["made"]),
        "the lab opened, once measured": _seconds(found["opened"]),
        "one answer without screens": _milliseconds(found["answer"]),
        "a move without screens, p50": _milliseconds(found["bench"]["p50"]),
        "a move without screens, p95": _milliseconds(found["bench"]["p95"]),
        "a move with every screen, p50": _milliseconds(found["page"]["p50"]),
        "a move with every screen, p95": _milliseconds(found["page"]["p95"]),
        "random entries of the loosest setting, a moment later": _milliseconds(found["chance"]),
        "on the screen, p50": f"{1e3 * screen['p50']:.0f} ms" if screen else "no browser",
        "on the screen, p95": f"{1e3 * screen['p95']:.0f} ms" if screen else "no browser",
    }


def figures(data: Mapping[str, Any]) -> list[Figure]:
    """The rows of the README."""
    rows = []
    for name, found in data["histories"].items():
        for of, budget in (("p50", 0.1), ("p95", 0.25)):
            what, seconds = f"a move in the lab, {name}, {of}", found["page"][of]
            rows.append(Figure(what, f"{1e3 * budget:g} ms", _milliseconds(seconds), verdict(seconds[0], budget)))
        if screen := found["screen"]:
            seen = f"{1e3 * screen['p95']:.0f} ms"
            rows.append(Figure(f"the same on the screen, {name}, p95", "500 ms", seen, verdict(screen["p95"], 0.5)))
    return rows


def _milliseconds(times: list[float]) -> str:
    return f"{1e3 * times[0]:.1f} ({1e3 * times[1]:.1f}) ms"


def _seconds(times: list[float]) -> str:
    return f"{times[0]:.1f} ({times[1]:.1f}) s"


if __name__ == "__main__":
    main()
