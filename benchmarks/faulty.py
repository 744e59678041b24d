"""What runs in the processes of a desk that does as it is told, and what goes wrong beneath them.

An ingest whose vendor fails as files in a folder tell it (`Told`), one who looks, a scanner that does not come back
(`STUCK`), a library that shifts the clock of a process (`CLOCK`), and a disk that can be filled.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from scanner_kit.bars import FIELDS, Bars, Tape
from scanner_kit.bus.connection import connect
from scanner_kit.calendar import TradingDay
from scanner_kit.live.feed.feeds import Filed
from scanner_kit.live.health.looking import Look
from scanner_kit.live.ingest import ingest
from scanner_kit.live.process import process
from scanner_kit.live.server import bus_of, running
from scanner_kit.settings import read_settings
from scanner_kit.universe import FACTS, WORDS, Universe

DAY = TradingDay.of("2025-06-18")
SYMBOLS = tuple(f"F{letter}" for letter in "ABCDEFGHIJKL")
LOOK_SECONDS = 0.5

CLOCK = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile double *shift;
__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAULTY_CLOCK");
    int file = path ? open(path, O_RDONLY) : -1;
    void *at = file < 0 ? MAP_FAILED : mmap(0, sizeof(double), PROT_READ, MAP_SHARED, file, 0);
    shift = at == MAP_FAILED ? 0 : at;
    if (file >= 0) close(file);
}
int clock_gettime(clockid_t id, struct timespec *t) {
    int failed = syscall(SYS_clock_gettime, id, t);
    if (!failed && shift && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        double by = *shift;
        long whole = (long)by, rest = (long)((by - whole) * 1e9) + t->tv_nsec;
        while (rest < 0) { rest += 1000000000L; whole--; }
        while (rest >= 1000000000L) { rest -= 1000000000L; whole++; }
        t->tv_sec += whole;
        t->tv_nsec = rest;
    }
    return failed;
}
int gettimeofday(struct timeval *t, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    t->tv_sec = now.tv_sec;
    t->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *into) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into) *into = now.tv_sec;
    return now.tv_sec;
}
"""
STUCK = '''
"""A scanner of somebody's own, whose metric waits as long as it is told to."""
import os
import time
from dataclasses import dataclass
from pathlib import Path

from scanner_kit import Metric, Scanner
from scanner_kit import metrics as m


@dataclass(frozen=True)
class Waits(Metric):
    """The last price, once nobody says wait any more."""

    def needs(self):
        return (m.Last(),)

    def measure(self, now):
        while Path(os.environ["FAULTY"], "stuck").exists():
            time.sleep(0.05)
        return now[m.Last()]


class Slow(Scanner):
    """Symbols with a price."""

    price = Waits()

    def select(self, now):
        return [now[self.price] > 0]

    def rank(self, now):
        return now[self.price]
'''


@dataclass(frozen=True)
class Told:
    """What the processes of a desk are told: a file for each, with a word in it or none."""

    folder: Path

    def said(self, what: str) -> str | None:
        """The word, or None."""
        try:
            return (self.folder / what).read_text()
        except OSError:
            return None

    def say(self, what: str, word: str = "") -> None:
        """Tell them."""
        draft = self.folder / f"{what}.new"
        draft.write_text(word)
        draft.replace(self.folder / what)

    def unsay(self, what: str) -> None:
        """Tell them no more."""
        (self.folder / what).unlink(missing_ok=True)


def market(day: TradingDay, seed: int) -> Tape:
    """A day in which every symbol trades in every minute, some percent up: all are on lists, and none is warming."""
    draws, shape = np.random.default_rng(seed), (day.minutes, len(SYMBOLS))
    facts = {name: np.full(len(SYMBOLS), 1e6 if "volume" in name else 100.0) for name in FACTS if name not in WORDS}
    facts["usual_volume"] = np.outer(np.arange(1, day.minutes + 1), np.full(len(SYMBOLS), 4e3))
    close = 108.0 + np.cumsum(draws.normal(0, 0.01, shape), axis=0)
    volume = np.round(draws.uniform(4e3, 6e3, shape))
    return Tape(Universe.of(day, SYMBOLS, facts), close, close + 0.02, close - 0.02, close, volume, close)


@dataclass(frozen=True)
class Obeying(Filed):
    """The minutes of a day as they come from a vendor that fails as it is told."""

    told: Told = field(default_factory=lambda: Told(Path()))

    def closed(self, k: int) -> Bars:
        """The bars of minute `k` that come, when they come."""
        if seconds := self.told.said("slow"):
            time.sleep(float(seconds))
        gone = SYMBOLS if self.told.said("silent") is not None else ()
        gone = (*gone, self.told.said("withheld") or "", self.told.said("halted") or "")
        rows = [self.tape.universe.row(symbol) for symbol in gone if symbol]
        whole = self.tape.bars(k)
        columns = {name: getattr(whole, name).copy() for name in FIELDS}
        for name, column in columns.items():
            column[rows] = 0.0 if name == "volume" else np.nan
        return Bars(k, **columns)

    def newest(self, symbols: Sequence[str], k: int) -> Mapping[str, int]:
        """What the vendor has: what it does not give too, but nothing of what is halted."""
        stands = self.told.said("halted"), self.told.said("silent")
        return {} if stands[1] is not None else {s: k for s in symbols if s != stands[0]}


@dataclass(frozen=True)
class ObeyingFeed:
    """A vendor that fails as it is told."""

    told: Told
    seed: int = 7
    source = "a market made for faults"
    made_up = True

    def days(self, since: TradingDay | None = None) -> Iterator[TradingDay]:
        """One day."""
        yield DAY

    def universe(self, day: TradingDay) -> Universe:
        """Its symbols."""
        return market(day, self.seed).universe

    def minutes(self, universe: Universe) -> Obeying:
        """Its minutes."""
        return Obeying(market(universe.day, self.seed), self.told)


def run_ingest(seed: int, speed: float, start_k: int) -> None:
    """The process of the ingest."""
    settings = read_settings()
    feed = ObeyingFeed(Told(Path(os.environ["FAULTY"])), seed)
    with process("ingest", with_parent=True) as over, bus_of(settings) as bus:
        ingest(bus, feed, over=over, state=settings.live.folder, speed=speed, start_k=start_k, forming_seconds=0)


def run_look() -> None:
    """The process of one who looks: health as a line of JSON, twice a second, until nobody listens."""
    settings = read_settings()
    found = running(settings.live.folder)
    assert found is not None, "the desk has no bus"
    with process("look", with_parent=True) as over, connect(found[0], settings.live.prefix, how=found[1]) as bus:
        look = Look(bus, settings.live.folder)
        while not over.wait(LOOK_SECONDS):
            rows = [[row.subject, str(row.state), row.colour, row.reason] for row in look.health()]
            print(json.dumps(rows), flush=True)


def clock_library(folder: Path) -> Path | None:
    """A library that shifts the clock of a process that loads it; None where none can be made."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    source, made = folder / "clock.c", folder / "clock.so"
    source.write_text(CLOCK)
    done = subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(made), str(source)], check=False)
    return made if done.returncode == 0 else None


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """A disk of its own at a folder, which can be filled; False where none may be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    mount, umount = shutil.which("mount"), shutil.which("umount")
    words = ["-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder)]
    mounted = bool(mount) and subprocess.run([str(mount), *words], capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run([str(umount), "-l", str(folder)], capture_output=True, check=False)


if __name__ == "__main__":
    if sys.argv[1] == "look":
        run_look()
    else:
        run_ingest(int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
