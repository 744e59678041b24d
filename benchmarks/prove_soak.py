"""Proof: a desk may run on and on. Two hours at 60 times the speed of the clock, 2,000 symbols: nothing of it grows.

`scanner-kit up` runs in processes of its own, with a browser on its live page. Memory, open files and connections of
each process are sampled, and what the bus holds. What was found is kept in `benchmarks/results/soak.json` as it is
found; growth is measured in one piece: a run that was cut short begins anew. The table is `soak.md` beside it.

    make prove-soak
    make prove-soak ARGS="--seconds 240 --symbols 200 --speed 600 --out /tmp/short"
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.browser import chromium
from benchmarks.looking import address_of, ended, looking
from benchmarks.proof import Looked, all_hold, asked, claimed, closed, growth
from scanner_kit.bus.beats import read_beats
from scanner_kit.bus.connection import Bus, connect
from scanner_kit.bus.keys import KEPT_SECONDS
from scanner_kit.live.server import running

ROLES = ("ingest", "engine", "store", "serve")
MB_AN_HOUR, FILES, CONNECTIONS = 5.0, 3.0, 3.0
"""What may be added over the fitted stretch: megabytes by the hour, and by the fit files and connections at all."""
LEAST_MB = 5.0
"""What may be added in a run of less than an hour: an allocator's last blocks."""


@dataclass(frozen=True)
class Options:
    """What the proof is made of."""

    seconds: float = 7200.0
    speed: float = 60.0
    symbols: int = 2_000
    seed: int = 7


@contextmanager
def desk(options: Options, state: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A desk in a state folder of its own, and its address."""
    words = [f"--symbols={options.symbols}", f"--speed={options.speed}", f"--seed={options.seed}", "--port=0"]
    command = [sys.executable, "-m", "scanner_kit", "up", *words]
    given = {**os.environ, "SCANNER_KIT_STATE": str(state)}
    with (
        (state / "desk.log").open("w") as log,
        subprocess.Popen(command, env=given, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        yield process, address_of(process)


def bus_of(state: Path) -> Bus:
    """The desk's bus."""
    found = running(state)
    assert found is not None, "the desk has no bus"
    return connect(found[0])


def sample(bus: Bus, seconds: float) -> dict[str, float]:
    """What there is of everything that could grow."""
    told: dict[str, float] = {"seconds": seconds}
    for beat in read_beats(bus):
        if beat.role in ROLES and beat.state != "stopped":
            process = psutil.Process(beat.pid)
            told[f"{beat.role}_mb"] = process.memory_info().rss / 1e6
            told[f"{beat.role}_files"] = process.num_fds()
            told[f"{beat.role}_connections"] = len(process.net_connections("all"))
            told[f"{beat.role}_pid"] = beat.pid
    info: Any = bus.redis.info()
    told |= {"bus_mb": info["used_memory"] / 1e6, "clients": info["connected_clients"]}
    return told


def watch(found: Looked, options: Options, bus: Bus, process: "subprocess.Popen[str]") -> None:
    """Sample until the time is over."""
    begun = time.monotonic()
    every = max(1.0, options.seconds / 480)
    while (now := time.monotonic() - begun) < options.seconds:
        assert process.poll() is None, "the desk has ended"
        found.samples.append(sample(bus, now))
        found.keep()
        time.sleep(every)


def judge(found: Looked, bus: Bus) -> None:
    """Claims of what was sampled, and of what is on the bus at the end."""
    late = found.samples[len(found.samples) // 4 :]
    hours = (late[-1]["seconds"] - late[0]["seconds"]) / 3600
    for role in ROLES:
        kept = len({one.get(f"{role}_pid") for one in found.samples}) == 1
        found.claim(f"{role} ran through", kept, "one process" if kept else "it was started again")
        allowed = max(MB_AN_HOUR * hours, LEAST_MB if hours < 1 else 0.0)
        _grows(found, f"{role}_mb", f"memory of {role}", allowed, "MB")
        _grows(found, f"{role}_files", f"open files of {role}", FILES, "")
        _grows(found, f"{role}_connections", f"connections of {role}", CONNECTIONS, "")
    _grows(found, "clients", "clients of the bus", CONNECTIONS, "")
    found.claim("the bus holds nothing beyond the days that are kept", *_bounded(bus))


def _grows(found: Looked, name: str, what: str, allowed: float, unit: str) -> None:
    known = [one for one in found.samples if name in one]
    low, high, scatter = growth(known, name)
    told = f"{low:,.1f} → {high:,.1f} {unit} (scatter {scatter:.1f}), {high - low:+.1f}; at most {allowed:+.1f} allowed"
    found.claim(f"{what}: no growth", high - low <= allowed, told)


def _bounded(bus: Bus) -> tuple[bool, str]:
    """Whether every key that is a day's expires, 48 hours after it was made at the latest."""
    keys = list(bus.redis.scan_iter(count=10_000))
    with bus.redis.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.ttl(key)
        left = pipe.execute()
    lasting = sorted(key.decode() for key, seconds in zip(keys, left, strict=True) if seconds < 0)
    longest = max(left)
    days = {part for key in keys for part in key.decode().split(":") if part.count("-") == 2}
    told = f"{len(keys):,} keys of {len(days)} days, {len(lasting)} without an end: {', '.join(lasting) or 'none'}"
    return longest <= KEPT_SECONDS and len(lasting) <= len(ROLES), told


def prove(found: Looked, options: Options) -> bool:
    """Run the desk, watch it, end it; whether every claim holds."""
    found.claims.clear()
    found.samples.clear()
    with tempfile.TemporaryDirectory(prefix="soak") as folder, desk(options, Path(folder)) as (process, address):
        try:
            with chromium() as browser, looking(browser, address, found.said), bus_of(Path(folder)) as bus:
                watch(found, options, bus, process)
                judge(found, bus)
        finally:
            process.send_signal(signal.SIGTERM)
            begun = time.monotonic()
            rest = ended(process)
    found.claim("SIGTERM ends it", process.returncode == 0, f"in {time.monotonic() - begun:.1f} s{rest}")
    return all_hold(found.claims)


def table(found: Looked, options: Options) -> str:
    """What was found, as a page of Markdown."""
    lines = [
        "# A desk that runs on and on",
        "",
        f"`scanner-kit up` with {options.symbols:,} symbols at {options.speed:g} times the speed of the clock for",
        f"{options.seconds / 60:g} minutes, with one browser on the live page (`make prove-soak`). Growth: of",
        f"{len(found.samples)} samples those after the first quarter, and a straight line through them.",
        "",
        *claimed(found.claims),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Read the options, prove, and write the table."""
    wanted = asked(Options, __doc__)
    found = Looked.at(wanted.out / "soak.json", wanted.options, afresh=True)
    holds = prove(found, wanted.options)
    return closed(wanted.out / "soak.md", table(found, wanted.options), holds)


if __name__ == "__main__":
    sys.exit(main())
