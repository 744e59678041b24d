"""Proof: a bar on the bus is a changed cell in every browser, soon, whoever else looks on slowly.

The bus, an engine and the pages run as on a desk, each in a process of its own; this script is the ingest. It puts the
minutes of a simulated day on the tape, notes when, and every page notes when a cell of its lists changes. First the
pages look on alone; then beside one whose processor is throttled twenty times, and one that reads nothing.

    make prove-browsers
    make prove-browsers ARGS="--pages 5 --minutes 30 --out /tmp/short"
"""

import argparse
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from benchmarks.browser import DEEP, chromium, listen
from scanner_kit.bars import Tape
from scanner_kit.bus.beats import read_beats
from scanner_kit.bus.connection import Bus
from scanner_kit.bus.heads import Head
from scanner_kit.bus.tape import TapeWriter, set_current_day
from scanner_kit.calendar import NEW_YORK
from scanner_kit.live import server
from scanner_kit.live.server import bus_of
from scanner_kit.settings import LiveSettings, Settings
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape

RESULTS = Path(__file__).parent / "results"
BUDGET_MS = 100.0
FIRST_K = 345
THROTTLED = 20
PATIENCE, SETTLED = 120.0, 5.0
WATCH = f"""() => {{ {DEEP}
  window.changed = []
  const root = deep('.wall').getRootNode()
  const all = {{subtree: true, characterData: true, childList: true}}
  const note = () => window.changed.push([Date.now(), deep('.step').textContent.slice(0, 5)])
  new MutationObserver(note).observe(root, all)
}}"""
"""Note when a cell of the lists changes (wall clock, milliseconds), and which minute the page shows then."""


@dataclass(frozen=True)
class Options:
    """What the proof is made of."""

    pages: int = 20
    minutes: int = 60
    symbols: int = 1_000
    every: float = 1.0


@contextmanager
def desk(options: Options) -> Iterator[tuple[Bus, TapeWriter, Tape, str]]:
    """A bus, an engine and the pages; the tape of a day, written up to the first quarter of an hour of the session."""
    with ExitStack() as stack:
        state = stack.enter_context(tempfile.TemporaryDirectory(prefix="scanner-kit-"))
        bus = stack.enter_context(bus_of(Settings(live=LiveSettings(state=state))))
        stack.callback(server.stop, Path(state))
        tape = simulated_tape(SimulatedMarket(symbols=options.symbols))
        writer = TapeWriter(bus, tape.universe.day)
        writer.open(Head(tape.universe, source="proof"))
        set_current_day(bus, tape.universe.day)
        for k in range(FIRST_K):
            writer.closed(tape.bars(k), time.time())
        stack.enter_context(process("engine", state=state))
        address = stack.enter_context(served(bus, state))
        yield bus, writer, tape, address


@contextmanager
def process(*command: str, state: str) -> Iterator["subprocess.Popen[str]"]:
    """A command of the kit, in a process of its own."""
    environment = {**os.environ, "SCANNER_KIT_STATE": state}
    words = [sys.executable, "-m", "scanner_kit", *command]
    running = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield running
    finally:
        running.terminate()
        running.wait(30)


@contextmanager
def served(bus: Bus, state: str) -> Iterator[str]:
    """The address of the pages, as their heartbeat says it."""
    with process("serve", "--port", "0", state=state) as running:
        end = time.monotonic() + PATIENCE
        while running.poll() is None and time.monotonic() < end:
            for beat in read_beats(bus):
                if beat.role == "serve" and "port" in beat.figures:
                    yield f"http://localhost:{int(beat.figures['port'])}"
                    return
            time.sleep(0.2)
        raise SystemExit("The pages were not served.")


def opened(browser: Browser, address: str, said: list[str]) -> Page:
    """A page of a browser's own, as it shows the board."""
    page = browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
    page.set_default_timeout(1000 * PATIENCE)
    listen(page, address, said)
    page.goto(f"{address}/live")
    page.wait_for_selector(".heat b")
    page.evaluate(WATCH)
    return page


def one_that_reads_nothing(address: str) -> socket.socket:
    """A session whose browser takes the connection and then reads nothing of it."""
    html = urllib.request.urlopen(f"{address}/live", timeout=30).read().decode()
    found = re.search(r'"token":\s*"([^"]+)"', html)
    assert found is not None, "the page has no token"
    host, port = address.removeprefix("http://").split(":")
    there = socket.create_connection((host, int(port)), timeout=30)
    there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    lines = (
        "GET /live/ws HTTP/1.1", f"Host: {host}:{port}", f"Origin: {address}", "Upgrade: websocket",
        "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"Sec-WebSocket-Protocol: bokeh, {found[1]}",
    )  # fmt: skip
    there.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert b" 101 " in there.recv(512), "the connection was not taken"
    return there


def played(writer: TapeWriter, tape: Tape, pages: list[Page], count: int, every: float) -> list[float]:
    """Put some minutes on the tape; how long each took to change a cell of each page where it changed any, in ms."""
    for page in pages:
        page.evaluate("() => { window.changed = [] }")
    sent: dict[str, float] = {}
    for k in range(writer.k + 1, writer.k + 1 + count):
        bars, began = tape.bars(k), time.time()
        writer.closed(bars, began)
        sent[f"{writer.day.time(k).astimezone(NEW_YORK):%H:%M}"] = began * 1000
        time.sleep(max(0.0, every - (time.time() - began)))
    time.sleep(SETTLED)
    return [took for page in pages for took in _first(page.evaluate("() => window.changed"), sent)]


def _first(changed: list[tuple[float, str]], sent: dict[str, float]) -> Iterator[float]:
    """The first change of each minute, from when its bars were sent."""
    first: dict[str, float] = {}
    for at, minute in changed:
        first.setdefault(minute, at)
    return (first[minute] - began for minute, began in sent.items() if minute in first)


def quantile(values: list[float], share: float) -> float:
    """A quantile of some values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def prove(options: Options) -> dict[str, Any]:
    """Measure both parts; what was found."""
    said: list[str] = []
    with desk(options) as (_, writer, tape, address), chromium() as browser:
        pages = [opened(browser, address, said) for _ in range(options.pages)]
        played(writer, tape, pages, 5, options.every)
        alone = played(writer, tape, pages, options.minutes, options.every)
        slow = opened(browser, address, said)
        slow.context.new_cdp_session(slow).send("Emulation.setCPUThrottlingRate", {"rate": THROTTLED})
        with one_that_reads_nothing(address):
            beside = played(writer, tape, pages, options.minutes, options.every)
    parts = {"alone": alone, "beside slow ones": beside}
    told = {
        name: {"p50": statistics.median(values), "p95": quantile(values, 0.95), "p99": quantile(values, 0.99),
               "n": len(values)}
        for name, values in parts.items()
    }  # fmt: skip
    return {"options": asdict(options), "load": os.getloadavg()[0], "ms": told, "said": said}


def table(found: dict[str, Any]) -> str:
    """What was found, as a page of Markdown."""
    options, lines = found["options"], []
    for name, ms in found["ms"].items():
        lines.append(f"| {name} | {ms['n']:,} | {ms['p50']:.0f} | {ms['p95']:.0f} | {ms['p99']:.0f} |")
    said = "; ".join(found["said"][:5]) or "none"
    return "\n".join(
        [
            "# Browsers, looked at",
            "",
            f"{options['pages']} pages in headless Chromium, {options['symbols']:,} symbols, a minute of the market",
            f"every {options['every']:g} s, {options['minutes']} minutes in each part (`make prove-browsers`):",
            "from a bar put on the bus to the first changed cell of the lists, in milliseconds. Engine, pages and",
            f"browsers share one machine, whose load was {found['load']:.1f} in the end; the budget is",
            f"{BUDGET_MS:g} ms at p95. The slow ones: a page on a processor throttled {THROTTLED} times, and one that",
            "reads nothing.",
            "",
            "| the pages look on | changes seen | p50 | p95 | p99 |",
            "| --- | ---: | ---: | ---: | ---: |",
            *lines,
            "",
            f"Errors in a console, requests to the outside: {said}.",
            "",
        ]
    )


def main() -> int:
    """Read the options, prove, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    for name, default in asdict(Options()).items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of browsers.json and browsers.md")
    given = vars(parser.parse_args())
    out: Path = given.pop("out")
    out.mkdir(parents=True, exist_ok=True)
    found = prove(Options(**given))
    (out / "browsers.json").write_text(json.dumps(found, indent=1) + "\n")
    (out / "browsers.md").write_text(table(found))
    print(table(found))
    holds = all(ms["p95"] <= BUDGET_MS for ms in found["ms"].values()) and not found["said"]
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
