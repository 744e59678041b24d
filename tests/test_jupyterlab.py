"""A real JupyterLab: the notebook of the lab runs, a desk's blocks come whole in cells, and nobody outside is asked."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from benchmarks.browser import listen

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "notebooks" / "03_tune_thresholds.ipynb"
BLOCKS = "blocks.ipynb"
CELLS = (
    "import kept\nimport scanner_kit as sk\nfrom pathlib import Path\nfrom fake_board import Market, make_board\n"
    "from scanner_kit.health import Health, State\nfrom scanner_kit.views.explorer import explorer\n"
    "from scanner_kit.views.health.page import health\nsk.notebook.setup()",
    "records = kept.records()\nboard = make_board(Market(symbols=40, k=420))\n"
    "board.report([Health('store', State.FAULT, 'the disk is full'), Health('bus', State.LIVE, 'it answers')])",
    "explorer(records, kept.reviewing(Path('.'), 3), scanners=[one.name for one in kept.roster()])",
    "health(board)",
)
"""A notebook of blocks that answer as soon as they can, while the browser still draws."""
TOKEN = "of-this-test"
SECONDS = 150.0
"""So long may take what takes seconds on a machine that has nothing else to do."""
OPTIONS = (
    "--no-browser",
    "--allow-root",
    "--ServerApp.port_retries=0",
    "--ServerApp.open_browser=False",
    f"--IdentityProvider.token={TOKEN}",
    "--LabApp.extension_manager=readonly",
    "--LabApp.news_url=",
)


@dataclass
class Lab:
    """A page of JupyterLab with the notebook; `said` is what the console and the network had to say."""

    page: Page
    said: list[str] = field(default_factory=list)

    def faults(self) -> list[str]:
        """Errors, and requests to anyone but the server."""
        return [one for one in self.said if not one.startswith("warning:")]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """JupyterLab over a folder of its own, with settings of its own."""
    pytest.importorskip("jupyterlab", reason="no JupyterLab: pip install 'scanner-kit[notebook]'")
    room = tmp_path_factory.mktemp("jupyterlab")
    (room / "notebooks").mkdir()
    shutil.copy(NOTEBOOK, room / "notebooks")
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    kernel = {"kernelspec": nbformat.read(NOTEBOOK, as_version=4).metadata["kernelspec"]}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), room / "notebooks" / BLOCKS)
    quiet = room / "jupyterlab_settings_dir" / "@jupyterlab" / "apputils-extension"
    quiet.mkdir(parents=True)
    (quiet / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = {
        **{name: str(room / name.lower()) for name in ("JUPYTERLAB_WORKSPACES_DIR", "JUPYTERLAB_SETTINGS_DIR")},
        **{name: str(room / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")},
        "SCANNER_KIT_CACHE": str(room / "cache"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    command = [sys.executable, "-m", "jupyterlab", *OPTIONS, "--ip=127.0.0.1", f"--port={port}"]
    log = (room / "server.log").open("w")
    server = subprocess.Popen(
        [*command, f"--ServerApp.root_dir={room / 'notebooks'}"],
        env={**os.environ, **folders},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        await_server(f"http://127.0.0.1:{port}/api/status?token={TOKEN}", server, room / "server.log")
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(60)
        log.close()


def await_server(url: str, server: "subprocess.Popen[Any]", log: Path) -> None:
    end = time.monotonic() + SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=10).close()
        except (urllib.error.URLError, OSError):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.2)
        else:
            return


@contextlib.contextmanager
def opened(browser: Browser, address: str, notebook: str) -> Iterator[Lab]:
    """A notebook, opened and run from top to bottom."""
    context = browser.new_context(viewport={"width": 1500, "height": 1100})
    context.set_default_timeout(1000 * SECONDS)
    expect.set_options(timeout=1000 * SECONDS)
    lab = Lab(context.new_page())
    listen(lab.page, address, lab.said)
    lab.page.goto(f"{address}lab/tree/{notebook}?token={TOKEN}&reset")
    expect(lab.page.locator(".jp-Notebook .jp-Cell").first).to_be_visible(timeout=1000 * SECONDS)
    expect(lab.page.locator("#jp-main-statusbar")).to_contain_text("| Idle")
    run_all(lab.page)
    yield lab
    context.close()
    expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
def lab(browser: Browser, address: str) -> Iterator[Lab]:
    with opened(browser, address, NOTEBOOK.name) as lab:
        yield lab


def run_all(page: Page) -> None:
    """Run every cell, by the menu, and wait for the last."""
    page.locator(".lm-MenuBar-item").filter(has_text=re.compile("^Run$")).click()
    page.locator(".lm-Menu-item").filter(has_text=re.compile("^Run All Cells$")).click()
    last = page.locator(".jp-Notebook .jp-CodeCell").last
    expect(last.locator(".jp-InputPrompt")).to_have_text(re.compile(r"^\[\d+\]:\s*$"))


def slider(page: Page) -> Locator:
    return page.locator(".jp-Notebook input.slide[aria-label^='Min RVOL']").first


def drag(page: Page, to: float) -> None:
    """Drag the slider to a share of its length, as a hand does."""
    slider(page).scroll_into_view_if_needed()
    box = slider(page).bounding_box()
    assert box is not None
    y, x = box["y"] + box["height"] / 2, [box["x"] + share * box["width"] for share in (0.3, to)]
    page.mouse.move(x[0], y)
    page.mouse.down()
    page.mouse.move(x[1], y, steps=12)
    page.mouse.up()


def test_every_cell_runs_without_an_error(lab: Lab) -> None:
    expect(lab.page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']")).to_have_count(0)


def figure(page: Page, name: str, part: str = ".value") -> Locator:
    return page.locator(f".jp-Notebook .cell[data-figure='{name}'] {part}").first


def test_a_dragged_slider_changes_the_figures(lab: Lab) -> None:
    a_day, n = figure(lab.page, "Triggers a day"), figure(lab.page, "Mean R", ".n")
    expect(a_day).to_have_text(re.compile(r"\d"))
    before = a_day.inner_text(), n.inner_text()
    drag(lab.page, 0.75)
    expect(a_day).not_to_have_text(before[0])
    expect(n).not_to_have_text(before[1])
    assert float(a_day.inner_text()) < float(before[0])


def test_nothing_failed_and_nobody_outside_was_asked(lab: Lab) -> None:
    assert lab.faults() == []


def test_blocks_come_whole_in_cells_whatever_is_answered_while_they_are_drawn(browser: Browser, address: str) -> None:
    with opened(browser, address, BLOCKS) as blocks:
        page = blocks.page
        rows = page.locator(".rows tbody tr[data-key]")
        expect(rows).to_have_count(100)
        expect(page.locator(".rows .count")).to_have_text("100 on this page")
        expect(page.locator(".asked .chips .muted")).to_contain_text("3 days stored")
        expect(page.locator("td.result.up, td.result.down").first).to_be_visible()
        rows.first.click()
        expect(page.locator("table.conditions tr.yes").first).to_be_visible()
        expect(page.locator(".all tbody tr").first).to_contain_text("the disk is full")
        assert blocks.faults() == []
