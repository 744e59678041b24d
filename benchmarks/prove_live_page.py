"""Proof: the live page moves with the market, leaves the reader in peace, and does not grow.

The whole chain runs: `scanner-kit demo` in a process of its own, and a real browser that looks at its page for ten
minutes at 60 times the speed of the clock, which is the day from 09:20 to 19:20. What was found is kept in
`benchmarks/results/live-page.json` as it is found. A run that was cut short goes on with what is missing; memory is
measured in one piece, from the start of a server, and so from the beginning. The table is `live-page.md` beside it.

    make prove-live-page
    make prove-live-page ARGS="--seconds 60 --out /tmp/short"
    make prove-live-page ARGS=--afresh
"""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.browser import READ, SCROLL, SCROLLED, chromium
from benchmarks.looking import (
    View,
    address_of,
    clock,
    ended,
    looking,
    opened,
    passed,
    resident,
    set_to,
    started,
    words,
)
from benchmarks.proof import Looked, all_hold, asked, claimed, closed, growth

OLDEST = 7.0  # from 8 s on the header says that nobody answers
SERVER_MB, PAGE_MB, NODES = 10.0, 4.0, 1_500
"""What may be added over the fitted stretch, by the fit: the server's memory, the page's, and nodes of the document."""


@dataclass(frozen=True)
class Options:
    """What the proof is made of; found things are of one set of options."""

    seconds: float = 600.0
    speed: float = 60.0
    symbols: int = 500
    seed: int = 7


# The claims


def triggers_appear(view: View) -> str:
    """Triggers come by themselves: no reload, no click."""
    top = view.page.locator(".tape .row")
    view.until(lambda: top.count(), "the first trigger")
    first, at = top.first.inner_text(), view.minute()
    view.until(lambda: top.first.inner_text() != first, "a further trigger on top")
    assert view.loads == 1, f"the page was loaded {view.loads} times"
    return f"on top at {at} {words(first)}, at {view.minute()} {words(top.first.inner_text())}; loaded once"


def threshold_moves_the_lists(view: View) -> str:
    """Raise the gap in the drawer and lower it again; the list follows both."""
    name, page = "gappers_up", view.page
    before = view.until(lambda: view.rows(name), "somebody who gaps up")
    gap = opened(view, "Gappers").get_by_label("Min gap, %")
    default = float(gap.input_value())
    limit = sorted(view.scores(name))[len(view.scores(name)) // 2] + 0.01
    set_to(gap, limit)
    view.until(lambda: view.rows(name) < before and min(view.scores(name), default=limit) >= limit, "a shorter list")
    fewer, at = view.rows(name), view.minute()
    set_to(gap, default)
    view.until(lambda: view.rows(name) > fewer, "the longer list again")
    after = view.rows(name)
    page.keyboard.press("Escape")
    view.until(lambda: not gap.is_visible(), "the drawer to close")
    return f"{before} at {default:g} %, {fewer} at {limit:.2f} % ({at}), {after} at {default:g} % again"


def selection_and_scroll_stay(view: View) -> str:
    """A chosen row, how far a list is scrolled, and the row's own element stay through ten minutes of the market."""
    page = view.page
    page.click(".tab[data-list=high_volume]")
    view.until(lambda: page.locator("tbody tr").count() > 15, "a long list")
    row = page.locator("tbody tr").nth(busiest(page.locator("tbody td.rvol").all_inner_texts()))
    symbol = row.get_attribute("data-symbol")
    row.click()
    page.evaluate(SCROLLED, [".sheet", 60])
    kept = page.locator(f"tbody tr[data-symbol='{symbol}']").element_handle()
    updates = view.minutes(10)
    assert page.locator("tbody tr.chosen").get_attribute("data-symbol") == symbol
    assert page.evaluate(SCROLL, ".sheet") == 60
    assert kept is not None
    assert kept.evaluate("row => row.isConnected"), "the row was made anew"
    return f"{symbol} chosen and the list 60 px down, through {updates} updates"


def busiest(relative_volumes: list[str]) -> int:
    """The row of the most relative volume among the first dozen: one that does not leave the list meanwhile."""
    known = [float(text.rstrip("×").replace(",", "")) for text in relative_volumes[:12]]
    return known.index(max(known))


def reader_of_the_tape_is_left_in_peace(view: View) -> str:
    """One who reads older triggers keeps the place, and is told of new ones."""
    page = view.page
    page.locator(".which input").check(force=True)
    page.evaluate(SCROLLED, [".tape .list", 460])
    page.wait_for_timeout(300)
    before = page.evaluate(READ)
    view.until(lambda: page.locator(".news").is_visible(), "the news of a new trigger")
    assert page.evaluate(READ) == before, f"{before} became {page.evaluate(READ)}"
    news = page.locator(".news").inner_text()
    page.click(".news")
    page.locator(".which input").uncheck(force=True)
    page.click(".tab >> nth=0")
    return f"{words(before[0])} stood still, {news!r} was said"


def memory_is_flat(view: View, found: Looked, pid: int, begun: float) -> None:
    """Sample memory until the time is over, like one who looks at symbols now and then."""
    chance, every = random.Random(found.options.seed), max(1.0, found.options.seconds / 120)
    found.samples.clear()
    view.page.locator(".heat").first.click()
    start, first = time.monotonic(), clock(view.minute())
    while (now := time.monotonic() - begun) < found.options.seconds:
        if len(found.samples) % 6 == 5:
            view.page.locator(".heat").nth(chance.randrange(5)).click()
        found.samples.append({"seconds": now, "server_mb": resident(pid), **view.sample()})
        found.keep()
        view.page.wait_for_timeout(1000 * every)
    spent = time.monotonic() - start
    pace = passed(first, clock(view.minute())) / spent * 60
    oldest = max(sample["age"] for sample in found.samples)
    found.claim(
        "the page keeps up", oldest <= 3, f"{pace:.1f} minutes a minute; the oldest update seen was {oldest:g} s old"
    )


def judge_memory(found: Looked) -> None:
    """Claims of what was sampled."""
    told = (
        ("server_mb", "the server's memory", SERVER_MB, " MB"),
        ("page_mb", "the page's memory", PAGE_MB, " MB"),
        ("nodes", "the document", NODES, " nodes"),
    )
    for name, what, limit, unit in told:
        low, high, scatter = growth(found.samples, name)
        figures = f"{low:,.1f} → {high:,.1f}{unit} (scatter {scatter:.1f})"
        found.claim(f"{what} is flat", high - low <= limit, f"{figures}; {high - low:+.1f}, at most {limit:+g} allowed")


STAGES: dict[str, Callable[[View], str]] = {
    "triggers appear without a reload": triggers_appear,
    "a threshold moved in the drawer changes the lists": threshold_moves_the_lists,
    "selection and scroll survive updates": selection_and_scroll_stay,
    "who reads the tape is left in peace": reader_of_the_tape_is_left_in_peace,
}


def prove(found: Looked) -> bool:
    """Run what is missing; whether every claim holds."""
    if "Ctrl-C ends it" in found.claims:
        judge_memory(found)
        return all_hold(found.claims)
    with demo(found) as (process, address), chromium() as browser, looking(browser, address, found.said) as view:
        begun = time.monotonic()
        for words_, stage in STAGES.items():
            if not found.claims.get(words_, {}).get("holds"):
                attempt(found, view, words_, stage)
        memory_is_flat(view, found, process.pid, begun)
        judge_memory(found)
        found.claim(
            "no error in the console, no request to the outside", not found.said, "; ".join(found.said[:5]) or "none"
        )
    return all_hold(found.claims)


def attempt(found: Looked, view: View, claim: str, stage: Callable[[View], str]) -> None:
    """Run a stage; what it could not show is a claim that fails, and stands in nobody's way."""
    try:
        found.claim(claim, True, stage(view))
    except Exception as fault:
        found.claim(claim, False, " ".join(str(fault).split())[:400])
        for _ in range(3):
            view.page.keyboard.press("Escape")
            view.page.wait_for_timeout(500)


@contextmanager
def demo(found: Looked) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The demo in a process of its own, on a free port; that Ctrl-C ends it is a claim too."""
    options = found.options
    process = started("demo", "--port", "0", "--symbols", str(options.symbols), "--speed", str(options.speed))
    try:
        yield process, address_of(process)
    finally:
        process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        rest = ended(process)
    found.claim("Ctrl-C ends it", process.returncode in (0, 130), f"in {time.monotonic() - begun:.1f} s{rest}")


# The table


def table(found: Looked) -> str:
    """What was found, as a page of Markdown."""
    options = found.options
    lines = [
        "# The live page, looked at",
        "",
        f"`scanner-kit demo` with {options.symbols:,} symbols at {options.speed:g} times the speed of the clock, and",
        f"one headless Chromium on its page for {options.seconds:g} s (`make prove-live-page`; samples are in",
        f"`live-page.json`). Memory: of {len(found.samples)} samples those after the first quarter, and a straight",
        "line through them; the page's is what is left after a collection.",
        "",
        *claimed(found.claims),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Read the options, prove, and write the table."""
    wanted = asked(Options, __doc__)
    found = Looked.at(wanted.out / "live-page.json", wanted.options, wanted.afresh)
    holds = prove(found)
    return closed(wanted.out / "live-page.md", table(found), holds)


if __name__ == "__main__":
    sys.exit(main())
