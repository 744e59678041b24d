"""A real browser on the live page, for the proof of the page and for its tests."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
)
MISSING = f"no browser: none of {', '.join(NAMES)} is on PATH; on Debian, apt install chromium"

# Elements are in shadow roots: Playwright's selectors see through them, a page's own do not.
DEEP = """const deep = (selector, root = document) => {
  const found = root.querySelector(selector)
  if (found) return found
  for (const node of root.querySelectorAll('*')) {
    const inner = node.shadowRoot && deep(selector, node.shadowRoot)
    if (inner) return inner
  }
  return null
};"""
SCROLL = f"selector => {{ {DEEP} return deep(selector).scrollTop }}"
"""How far down an element is scrolled."""
SCROLLED = f"([selector, top]) => {{ {DEEP} deep(selector).scrollTop = top }}"
"""Scroll an element."""
READ = f"""() => {{ {DEEP}
  const list = deep('.tape .list').getBoundingClientRect()
  const nodes = [...deep('.tape .list').querySelectorAll('.row')]
  const rows = nodes.map(row => [row.getBoundingClientRect().top, row.innerText])
  const [top, text] = rows.filter(([top]) => top >= list.top).sort(([a], [b]) => a - b)[0]
  return [text, Math.round(top)]
}}"""
"""The first line of the tape that is wholly in sight, and where it stands."""


def executable() -> str | None:
    """The browser on PATH, where there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium; without one the process ends with a sentence."""
    path = executable()
    if path is None:
        raise SystemExit(f"This needs a browser, but there is {MISSING}.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def listen(page: Page, address: str, said: list[str]) -> None:
    """Note errors, warnings, and requests to anyone but the server."""
    own = (address, address.replace("http", "ws"), "data:", "blob:")
    page.on("console", lambda m: said.append(f"{m.type}: {m.text}") if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on("request", lambda request: None if request.url.startswith(own) else said.append(f"asked {request.url}"))
