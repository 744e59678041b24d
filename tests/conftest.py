"""What every test may ask for: real bars, a browser, a bus, a store; and CI's rule that nothing is skipped."""

import itertools
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from buses import KINDS, any_program, fresh, private_server, program
from hypothesis import settings
from playwright.sync_api import Browser, expect

from benchmarks import clusters
from benchmarks.browser import MISSING, chromium, executable
from scanner_kit.bus.connection import Bus

ROOT = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get("CI", "").lower() == "true"
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if IN_CI else "local")


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of real bars: SCANNER_KIT_DATA, else the one beside the repository."""
    folder = Path(os.environ.get("SCANNER_KIT_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "bars_1m").is_dir():
        pytest.skip(f"no real bars: {folder} has no bars_1m; set SCANNER_KIT_DATA to a folder that has")
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One headless Chromium for all tests; each opens a page or a context of its own."""
    if executable() is None:
        pytest.skip(MISSING)
    expect.set_options(timeout=60_000)  # a machine that does other things too
    with chromium() as browser:
        yield browser


NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL cluster of the tests' own."""
    if clusters.binaries() is None:
        pytest.skip(clusters.MISSING)
    with clusters.cluster() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgres"])
def store_address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty store: one of SQLite, then one of PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.sqlite'}"
    else:
        with clusters.database(request.getfixturevalue("postgres"), f"test_{next(NUMBERS)}") as address:
            yield address


@pytest.fixture(scope="session")
def bus_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A private server of a real Redis or Valkey, for all tests."""
    with private_server(tmp_path_factory.mktemp("bus"), any_program()) as url:
        yield url


@pytest.fixture
def a_bus(bus_url: str) -> Iterator[Bus]:
    """A bus of a test's own: on the server of all, under a prefix that nobody used before."""
    with fresh(bus_url) as bus:
        yield bus


@pytest.fixture(scope="session", params=KINDS)
def any_bus_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A private server of each kind in turn: a plain Redis, the wheel's Valkey, the stand-in; and whose it is."""
    with private_server(tmp_path_factory.mktemp(request.param), program(request.param)) as url:
        yield url, "demo" if request.param == "demo" else "private"


@pytest.fixture
def any_bus(any_bus_url: tuple[str, str]) -> Iterator[Bus]:
    """As `a_bus`, on each kind of server in turn."""
    with fresh(*any_bus_url) as bus:
        yield bus


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the browser's tests last: Playwright keeps an event loop running, and asyncio.run allows no second one."""
    items.sort(key=lambda item: "browser" in getattr(item, "fixturenames", ()))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped test is a failed test."""
    report = yield
    if not hasattr(report, "wasxfail"):
        _fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """In CI a skipped module is a failed module."""
    report = yield
    _fail_if_skipped(report)
    return report


def _fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    if IN_CI and report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"In CI nothing is skipped. {reason}"
