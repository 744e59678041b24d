"""Settings: read once, checked as a whole, and what is wrong is said in a sentence."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanner_kit import scanners as built_in
from scanner_kit.errors import InvalidInput, ScannerKitError, UnknownName
from scanner_kit.live.server import bus_of, bus_there
from scanner_kit.settings import (
    LINK,
    OF_THE_ENVIRONMENT,
    VARIABLE,
    LiveSettings,
    Settings,
    read_settings,
    threshold_of,
    thresholds_of,
)
from scanner_kit.tending import opened

EXAMPLE = """
link = "https://example.com/{symbol}/chart"

[scanners.hod_break]
min_rvol = 2.5
max_price = "none"
min_dollar_volume = [50_000, 500_000]

[scanners.winners]
top = 3
"""


def written(folder: Path, text: str = EXAMPLE) -> Path:
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_thresholds_of_own_scanners_wait_for_these_to_be_imported() -> None:
    tables = {"live": {"scanners": ["mine:Idea"]}, "scanners": {"idea": {"top": 3}}}
    assert Settings.of(tables).live.scanners == ("mine:Idea",)
    with pytest.raises(UnknownName, match=r"'idea'"):
        Settings.of({"scanners": {"idea": {"top": 3}}})


def test_without_a_file_the_defaults_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (VARIABLE, *OF_THE_ENVIRONMENT.values()):
        monkeypatch.delenv(variable, raising=False)
    settings = read_settings()
    assert settings == Settings()
    assert settings.link == LINK
    assert [repr(one) for one in settings.roster()] == [repr(one) for one in built_in.roster()]


def test_a_file_sets_link_and_thresholds(tmp_path: Path) -> None:
    settings = read_settings(written(tmp_path))
    hod, winners, losers = settings.roster(["hod_break", "winners", "losers"])
    assert (hod.min_rvol, hod.max_price, hod.min_dollar_volume) == (2.5, None, (50_000, 500_000))
    assert (winners.top, losers.top) == (3, 20)
    assert settings.page_of("BRK/B") == "https://example.com/BRK%2FB/chart"


def test_the_environment_names_a_file_and_an_argument_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(written(tmp_path)))
    assert read_settings().thresholds["winners"] == {"top": 3}
    other = tmp_path / "other.toml"
    other.write_text("[scanners.winners]\ntop = 4\n", encoding="utf-8")
    assert read_settings(other).thresholds == {"winners": {"top": 4}}


def test_a_file_may_begin_with_the_mark_that_windows_writes(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("[scanners.winners]\ntop = 4\n", encoding="utf-8-sig")
    assert read_settings(path).thresholds == {"winners": {"top": 4}}


def test_changes_stand_beside_and_above_what_the_file_says(tmp_path: Path) -> None:
    settings = read_settings(written(tmp_path)).changed({"winners": {"top": 9}, "hod_break": {"cooldown": 1}})
    hod, winners = settings.roster(["hod_break", "winners"])
    assert (hod.min_rvol, hod.cooldown, winners.top) == (2.5, 1, 9)


LIVE: dict[str, Any] = {
    "redis": "redis://10.0.0.7",
    "server": "demo",
    "prefix": "desk",
    "store": "postgresql+psycopg://db/desk",
    "state": "/var/lib/desk",
}


def test_file_and_environment_say_the_same_of_the_bus_and_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"{name} = '{value}'" for name, value in LIVE.items()]
    of_file = read_settings(written(tmp_path, "\n".join(["[live]", *lines]))).live
    for name, value in LIVE.items():
        monkeypatch.setenv(OF_THE_ENVIRONMENT[name], value)
    assert of_file == read_settings().live == LiveSettings(**LIVE)
    assert of_file.given() == LIVE
    assert (of_file.store_url, of_file.folder) == (LIVE["store"], Path(LIVE["state"]))


def test_the_environment_counts_more_than_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "[live]\nprefix = 'desk'\nredis = 'redis://a'\n[scanners.hot]\ntop = 3\n")
    monkeypatch.setenv("SCANNER_KIT_PREFIX", "other")
    settings = read_settings(path)
    assert settings.live == LiveSettings(redis="redis://a", prefix="other")
    assert settings.thresholds == {"hot": {"top": 3}}
    assert settings.changed({"hot": {"top": 4}}).live == settings.live


WRONG_LIVE = [
    ("redis = 'nonsense'", "redis", lambda known: bus_of(known)),
    ("redis = 'redis://127.0.0.1:1'", "redis", lambda known: bus_there(known)),
    ("redis = 'redis://127.0.0.1'\nprefix = 'a b'", "prefix", lambda known: bus_of(known)),
    ("server = 'no-such-server'", "server", lambda known: bus_of(known)),
    ("state = '/dev/null/desk'", "state", lambda known: bus_of(known)),
    ("store = 'mysql://db'", "store", lambda known: opened(known)),
]


@pytest.mark.parametrize(("text", "name", "use"), WRONG_LIVE)
def test_what_a_file_says_wrong_is_not_blamed_on_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, name: str, use: Callable[[Settings], Any]
) -> None:
    path = written(tmp_path, f"[live]\n{text}\n")
    with pytest.raises(ScannerKitError) as of_file:
        use(read_settings(path))
    assert f"live.{name} in {str(path)!r}" in str(of_file.value)
    assert "SCANNER_KIT_" not in str(of_file.value).replace("set SCANNER_KIT_REDIS_URL", "")
    for line in text.splitlines():
        key, _, value = line.partition(" = ")
        monkeypatch.setenv(OF_THE_ENVIRONMENT[key], value.strip("'"))
    with pytest.raises(ScannerKitError, match=OF_THE_ENVIRONMENT[name]) as of_environment:
        use(read_settings(path))
    assert str(path) not in str(of_environment.value)


def test_the_state_folder_is_the_users_and_the_store_a_file_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert LiveSettings().folder == tmp_path / "scanner_kit"
    assert LiveSettings().store_url == f"sqlite:///{tmp_path}/scanner_kit/store.db"


def test_a_scanner_named_twice_is_one() -> None:
    assert [one.name for one in Settings().roster(["hot", "hot"])] == ["hot"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("winners.top=5", 5),
        ("winners.min_price = 0.5", 0.5),
        ("hod_break.breakout=close", "close"),
        ('hod_break.breakout="close"', "close"),
        ("winners.min_dollar_volume=[100000,500000]", [100_000, 500_000]),
        ("winners.symbols=[AAPL, BRK.B]", ["AAPL", "BRK.B"]),
        ('winners.symbols=["AAPL"]', ["AAPL"]),
        ("winners.symbols=[]", []),
        ("winners.sessions=[PRE,REGULAR]", ["PRE", "REGULAR"]),
        ("winners.min_price=none", None),
        ("winners.min_change_pct=-3", -3),
        ("x.y=true", True),
    ],
)
def test_values_are_read_as_toml_with_fewer_quotes(text: str, value: Any) -> None:
    found = threshold_of(text)[2]
    assert (found, type(found)) == (value, type(value))


def test_of_two_thresholds_of_one_name_the_later_counts() -> None:
    assert thresholds_of(["hot.top=3", "hot.steps=1", "hot.top=4"]) == {"hot": {"top": 4, "steps": 1}}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hod_break", "A threshold is set as scanner.threshold=value; found 'hod_break'."),
        ("hod_break.min_rvol=", "A threshold is set as scanner.threshold=value; found 'hod_break.min_rvol='."),
        ("hod_brake.min_rvol=1", "There is no scanner 'hod_brake'. Did you mean 'hod_break'?"),
        ("hod_break.min_rvl=1", "hod_break has no threshold 'min_rvl'. Did you mean 'min_rvol'?"),
        ("hod_break.name=x", "hod_break has no threshold 'name'. Known: "),
        ("hod_break.min_rvol=-1", "must be at least 0, not -1. What it takes: scanner-kit scanners hod_break."),
        ("hod_break.min_rvol=high", "not <class 'str'>. What it takes: scanner-kit scanners hod_break."),
        ("winners.top=2.5", "must be an integer"),
        ("winners.min_price=nan", "is a finite number; found nan."),
        ("winners.min_dollar_volume=[1,2,3]", "must be a number or a pair of numbers (in PRE, after)"),
    ],
)  # fmt: skip
def test_a_wrong_threshold_is_said_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(sentence)):
        thresholds_of([text])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("lnik = 'x'", "settings.toml': Settings have no 'lnik'. Did you mean 'link'?"),
        ("link = 'https://example.com'", "link is an address with {symbol} in it, such as " + LINK + "; found 'https://example.com'."),
        ("link = 'https://example.com/{symbl}'", "link is an address with {symbol} in it"),
        ("link = 'https://example.com/{'", "link is an address with {symbol} in it"),
        ("link = 'javascript:{symbol}'", "link is an address with {symbol} in it"),
        ("link = 5", "link is an address with {symbol} in it"),
        ("scanners = 3", "Settings hold thresholds in tables like [scanners.hod_break]; found 3."),
        ("[scanners]\nhot = 3", "Settings hold thresholds in tables like [scanners.hod_break]"),
        ("[scanners.hod_break]\nmin_rvol = -1", "must be at least 0, not -1."),
        ("[scanners.hod_brake]\nmin_rvol = 1", "There is no scanner 'hod_brake'. Did you mean 'hod_break'?"),
        ("link = ", "is no TOML: "),
        ("live = 3", "Settings hold the bus and the store in a table [live]; found 3. Write that."),
        ("[live]\nredsi = 'x'", "[live] has no 'redsi'. Did you mean 'redis'?"),
        ("[live]\nprefix = 3", "live.prefix is a text; found 3. Write it in [live], or set SCANNER_KIT_PREFIX."),
        ("[live]\nstore = ' '", "live.store is a text; found ' '."),
        ("[live]\nscanners = 'a:B'", "live.scanners names scanners of your own; found 'a:B'."),
        ("[live]\nscanners = ['hot']", "live.scanners names scanners of your own; found ('hot',)."),
        ("[live]\nintrabar = 1", "live.intrabar is true or false; found 1."),
    ],
)  # fmt: skip
def test_wrong_settings_are_said_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(sentence)):
        read_settings(written(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nowhere\.toml' cannot be read: No such file or directory\."):
        read_settings(tmp_path / "nowhere.toml")


def test_lists_and_pairs_may_be_written_without_brackets() -> None:
    texts = ["winners.sessions=PRE,REGULAR", "winners.symbols=TSLA,PLTR", "winners.min_dollar_volume=1000,2000"]
    [scanner] = Settings().changed(thresholds_of(texts)).roster(["winners"])
    assert (scanner.sessions, scanner.symbols) == (["PRE", "REGULAR"], ["TSLA", "PLTR"])
    assert scanner.min_dollar_volume == (1000, 2000)
