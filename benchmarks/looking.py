"""One who looks at the demo: its process, its page in a real browser, and what can be seen there."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Locator, Page

from benchmarks.browser import listen

SCREEN = {"width": 1366, "height": 768}
PATIENCE = 45.0


@dataclass
class View:
    """The page in the browser, as one who looks at it sees it."""

    page: Page
    protocol: CDPSession
    loads: int = 0

    def minute(self) -> str:
        """The market's time in the header."""
        return self.page.locator(".status .step").inner_text().split(" ")[0]

    def minutes(self, count: int) -> int:
        """Wait until the header has shown further minutes; how many updates it took."""
        seen, last = 0, self.minute()
        start = clock(last)
        while passed(start, clock(last)) < count:
            last = self.until(lambda now=last: self.minute() != now and self.minute(), "the next minute")  # type: ignore[misc]
            seen += 1
        return seen

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait for something to be so; what it gave."""
        end = time.monotonic() + PATIENCE
        while not (found := condition()):
            if time.monotonic() > end:
                raise AssertionError(f"waited {PATIENCE:g} s for {what}")
            self.page.wait_for_timeout(50)
        return found

    def rows(self, name: str) -> int:
        """How many are on a list, by its tab."""
        return int(self.page.locator(f".tab[data-list={name}] .count").text_content() or 0)

    def scores(self, name: str) -> list[float]:
        """The percentages that a list's tile shows."""
        texts = self.page.locator(f".tile[data-list={name}] .line .value").all_inner_texts()
        return [float(text.replace("−", "-").replace(",", "").rstrip("%")) for text in texts if text]

    def sample(self) -> dict[str, float]:
        """The page's memory after a collection, nodes of its document, and how old its last update is."""
        self.protocol.send("HeapProfiler.collectGarbage")
        metrics = {m["name"]: m["value"] for m in self.protocol.send("Performance.getMetrics")["metrics"]}
        age = re.search(r"(\d+) (s|min)", self.page.locator(".status .age").inner_text())
        return {
            "minute": float(clock(self.minute())),
            "page_mb": metrics["JSHeapUsedSize"] / 2**20,
            "nodes": metrics["Nodes"],
            "listeners": metrics["JSEventListeners"],
            "age": float(age[1]) * (1 if age[2] == "s" else 60) if age else float("inf"),
        }


def clock(text: str) -> int:
    """Minutes since midnight of a time like 09:31."""
    hours, minutes = text.split(":")
    return 60 * int(hours) + int(minutes)


def passed(start: int, now: int) -> int:
    """Minutes from one to the other; a new day may lie between."""
    return (now - start) % 1440


@contextmanager
def looking(browser: Browser, address: str, said: list[str]) -> Iterator[View]:
    """The page, opened; whatever its console says and whomever it asks is noted in `said`."""
    context = browser.new_context(viewport=SCREEN)  # type: ignore[arg-type]
    context.set_default_timeout(60_000)
    page = context.new_page()
    protocol = context.new_cdp_session(page)
    view = View(page, protocol)

    def loaded(page: Page) -> None:
        view.loads += 1

    listen(page, address, said)
    page.on("domcontentloaded", loaded)
    page.goto(address)
    page.wait_for_selector(".heat b")
    protocol.send("Performance.enable")
    protocol.send("HeapProfiler.enable")
    yield view
    context.close()


def opened(view: View, scanner: str) -> Page:
    """The page with the drawer open at the first scanner that a search finds."""
    page = view.page
    page.click("[data-tool=settings]")
    search = page.get_by_label("Find a scanner")
    search.fill(scanner)
    search.press("Enter")
    page.get_by_label("Exclude").wait_for()
    return page


def set_to(field_: Locator, value: float) -> None:
    """Write a number into a control."""
    field_.fill(f"{value:g}")
    field_.press("Enter")


def words(text: str) -> str:
    """A text in one line."""
    return " ".join(text.split())


def started(*arguments: str) -> subprocess.Popen[str]:
    """The command `scanner-kit` in a process of its own."""
    command = [str(Path(sys.executable).with_name("scanner-kit")), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def address_of(process: subprocess.Popen[str]) -> str:
    """The address that the demo says."""
    said = ""
    for line in process.stdout or ():
        said += line
        if match := re.search(r"http://\S+", line):
            return match[0]
    raise SystemExit(f"The demo ended before it said an address:\n{said}")


def ended(process: subprocess.Popen[str]) -> str:
    """Wait for the end; what was said that is a fault."""
    try:
        said, _ = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        return ", killed after 60 s"
    faults = [line for line in said.splitlines() if re.match(r"\w*(Error|Exception)\b", line)]
    return f"; it had said {faults[:3]}" if faults else ""


def resident(pid: int) -> float:
    """A process's memory in MB."""
    said = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(said.stdout) / 1024
