"""Settings: the only reader of files and environment. Read once, checked as a whole, and handed on as plain values.

A settings file is TOML, named by `--settings` or by the environment's `SCANNER_KIT_SETTINGS`; without one the defaults
hold:

    link = "https://finance.yahoo.com/quote/{symbol}"

    [live]
    redis = "redis://10.0.0.7:6379"   # without it a private server of the user's own
    prefix = "desk"

    [scanners.hod_break]
    min_rvol = 2.5
    max_price = "none"   # unset

What `[live]` holds may be said by the environment too, which wins.

>>> settings = Settings.of({"scanners": {"hod_break": {"min_rvol": 2.5}}})
>>> [scanner.min_rvol for scanner in settings.roster(["hod_break", "pmh_break"])]
[2.5, 3.0]
>>> settings.page_of("NVDA")
'https://finance.yahoo.com/quote/NVDA'
"""

import os
import re
import string
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import param

from scanner_kit import scanners as built_in
from scanner_kit.bus.keys import PREFIX
from scanner_kit.composition import AnyScanner
from scanner_kit.errors import InvalidInput, ScannerKitError, UnknownName, must_be
from scanner_kit.scanner import Scanner
from scanner_kit.thresholds import PerSession

VARIABLE = "SCANNER_KIT_SETTINGS"
CACHE = "SCANNER_KIT_CACHE"
OF_THE_ENVIRONMENT = {
    "redis": "SCANNER_KIT_REDIS_URL",
    "server": "SCANNER_KIT_REDIS_SERVER",
    "prefix": "SCANNER_KIT_PREFIX",
    "store": "SCANNER_KIT_STORE_URL",
    "state": "SCANNER_KIT_STATE",
}
"""What `[live]` holds, and the variable that says the same."""
LINK = "https://finance.yahoo.com/quote/{symbol}"
Thresholds = Mapping[str, Mapping[str, Any]]
"""Scanner → threshold → value."""


@dataclass(frozen=True)
class LiveSettings:
    """Where the processes of a desk meet.

    `redis`: the URL of the bus; None is a private server. `server`: the program of the private server; None looks for
    one. `prefix`: of all keys. `store`: the URL of the store; None is a file of SQLite in the state folder. `state`:
    that folder; None is the user's. `scanners`: of the user's own, as `module:Scanner`, beside the built-in ones.
    `intrabar`: triggers fire within the minute too.
    """

    redis: str | None = None
    server: str | None = None
    prefix: str = PREFIX
    store: str | None = None
    state: str | None = None
    scanners: tuple[str, ...] = ()
    intrabar: bool = False

    def __post_init__(self) -> None:
        given: dict[str, Any] = self.given()
        for name, variable in OF_THE_ENVIRONMENT.items():
            value = given.get(name, "none")
            if not isinstance(value, str) or not value.strip():
                raise InvalidInput(f"live.{name} is a text; found {value!r}. Write it in [live], or set {variable}.")
        own: Any = self.scanners
        if not isinstance(own, tuple) or not all(isinstance(one, str) and ":" in one for one in own):
            raise InvalidInput(
                f'live.scanners names scanners of your own; found {self.scanners!r}. Write ["my_scanners:GapAndGo"].'
            )
        within: Any = self.intrabar
        if not isinstance(within, bool):
            raise InvalidInput(f"live.intrabar is true or false; found {within!r}. Write one of these.")

    @classmethod
    def of(cls, table: Any) -> "LiveSettings":
        """From what the table `[live]` holds."""
        names = [one.name for one in fields(cls)]
        if not isinstance(table, dict):
            raise InvalidInput(f"Settings hold the bus and the store in a table [live]; found {table!r}. Write that.")
        for name in table:
            if name not in names:
                raise UnknownName.of("[live] has no", name, names)
        listed: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in table.items()}
        return cls(**listed)

    def given(self) -> dict[str, Any]:
        """What is said, by name; what is left to find is not among it."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in values.items() if value not in (None, (), False)}

    @property
    def folder(self) -> Path:
        """The state folder: private server, store and archive of the tape."""
        if self.state:
            return Path(self.state).expanduser()
        return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "scanner_kit"

    @property
    def home(self) -> Path:
        """What is of this desk alone in the state folder, which desks of several prefixes may share."""
        return self.folder if self.prefix == PREFIX else self.folder / "desks" / self.prefix

    @property
    def archive(self) -> Path:
        """The folder of finished days."""
        return self.home / "tape"

    @property
    def store_file(self) -> Path:
        """The store's file, where no other is named."""
        return self.home.absolute() / "store.db"

    @property
    def store_url(self) -> str:
        """The URL of the store."""
        return self.store or f"sqlite:///{self.store_file}"


@dataclass(frozen=True)
class Settings:
    """What may be set: the address of a symbol's page, thresholds by scanner, and where the processes of a desk meet.

    The rest keep their defaults.
    """

    link: str = LINK
    thresholds: Thresholds = field(default_factory=dict)
    live: LiveSettings = LiveSettings()
    said: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """Of what `[live]` holds, where it was said that was said in a file: name → place."""

    def __post_init__(self) -> None:
        _check_link(self.link)
        must_be(
            Mapping, self.thresholds, "Thresholds are by scanner and name", "Write {'hod_break': {'min_rvol': 2.5}}."
        )
        must_be(LiveSettings, self.live, "Where a desk meets is said by LiveSettings", "Write, say, LiveSettings().")
        known = {scanner.name for scanner in built_in.roster()} if self.live.scanners else {*self.thresholds}
        for name, thresholds in self.thresholds.items():
            if name in known:  # those of the user's own are checked where these are imported
                _scanner(name, thresholds)

    @classmethod
    def of(cls, tables: Mapping[str, Any]) -> "Settings":
        """Settings from what a settings file holds; `InvalidInput` says what is not as it should be."""
        for name in tables:
            if name not in ("link", "live", "scanners"):
                raise UnknownName.of("Settings have no", name, ["link", "live", "scanners"])
        given = tables.get("scanners", {})
        if not isinstance(given, dict) or not all(isinstance(values, dict) for values in given.values()):
            raise InvalidInput(
                f"Settings hold thresholds in tables like [scanners.hod_break]; found {given!r}. Write these."
            )
        thresholds = {name: {key: unset_or(value) for key, value in values.items()} for name, values in given.items()}
        return cls(tables.get("link", LINK), thresholds, LiveSettings.of(tables.get("live", {})))

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Within, an error about a value that a file says names the file, not the variable that may say the same."""
        try:
            yield
        except ScannerKitError as fault:
            told = str(fault)
            for name, place in self.said.items():
                told = re.sub(rf"\b{OF_THE_ENVIRONMENT[name]}\b", lambda _: place, told)  # noqa: B023  called at once
            if told == str(fault):
                raise
            raise type(fault)(told) from fault

    def changed(self, changes: Thresholds) -> "Settings":
        """The same settings, with these thresholds instead of or beside its own."""
        names = dict.fromkeys((*self.thresholds, *changes))
        both = {name: {**self.thresholds.get(name, {}), **changes.get(name, {})} for name in names}
        return replace(self, thresholds=both)

    def roster(self, names: Iterable[str] | None = None) -> list[Scanner]:
        """The built-in scanners under these thresholds, all of them or those named, each once."""
        chosen = built_in.roster(None if names is None else dict.fromkeys(names))
        return [scanner.with_settings(**self.thresholds.get(scanner.name, {})) for scanner in chosen]

    def page_of(self, symbol: str) -> str:
        """The address of a symbol's page."""
        return self.link.format(symbol=quote(symbol, safe=""))


def read_settings(path: str | Path | None = None) -> Settings:
    """The settings of a file: the one given, else that of `SCANNER_KIT_SETTINGS`, else the defaults.

    Of what `[live]` holds, the environment's word counts more than the file's.
    """
    must_be((str, Path, type(None)), path, "Settings are a TOML file", "Give its path, or nothing for the defaults.")
    named = path or os.environ.get(VARIABLE)
    settings = _of_file(named) if named else Settings()
    places = {name: f"live.{name} in {str(named)!r}" for name in settings.live.given() if name in OF_THE_ENVIRONMENT}
    said: dict[str, Any] = {
        name: value for name, variable in OF_THE_ENVIRONMENT.items() if (value := os.environ.get(variable))
    }
    in_file = {name: place for name, place in places.items() if name not in said}
    return replace(settings, live=replace(settings.live, **said), said=in_file)


def _of_file(named: str | Path) -> Settings:
    try:
        return Settings.of(tomllib.loads(Path(named).read_text(encoding="utf-8-sig")))
    except OSError as fault:
        raise InvalidInput(
            f"Settings are a TOML file; {str(named)!r} cannot be read: {fault.strerror}. See --settings or {VARIABLE}."
        ) from fault
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise InvalidInput(f"{str(named)!r} is no TOML: {str(fault).rstrip('.')}. Mend that line.") from fault
    except InvalidInput as fault:
        raise InvalidInput(f"{str(named)!r}: {fault}") from fault


def cache_folder() -> Path:
    """Where what can be made again is kept: `SCANNER_KIT_CACHE`, else the user's cache folder."""
    named = os.environ.get(CACHE)
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scanner_kit"


def threshold_of(text: str) -> tuple[str, str, Any]:
    """A threshold as written in a command: its scanner, its name and its value.

    Values are those of TOML: numbers, true, false, texts and lists. Quotes may be left out, the brackets of a list
    (`thresholds_of`) too, and `none` unsets.

    >>> threshold_of("hod_break.min_dollar_volume=[100000, 500000]")
    ('hod_break', 'min_dollar_volume', [100000, 500000])
    >>> threshold_of("hod_break.sectors=[Energy, Health Care]"), threshold_of("hod_break.max_price=none")
    (('hod_break', 'sectors', ['Energy', 'Health Care']), ('hod_break', 'max_price', None))
    """
    name, equals, value = text.partition("=")
    scanner, dot, threshold = name.strip().partition(".")
    if not (equals and dot and scanner and threshold and value.strip()):
        raise InvalidInput(
            f"A threshold is set as scanner.threshold=value; found {text!r}. Write, say, hod_break.min_rvol=2.5."
        )
    return scanner, threshold, _value(value.strip())


def thresholds_of(texts: Iterable[str], roster: Iterable[AnyScanner] | None = None) -> dict[str, dict[str, Any]]:
    """Thresholds as written in a command, by scanner; of two of one name the later counts.

    `roster` are the scanners that there are; by default the built-in ones.
    """
    found: dict[str, dict[str, Any]] = {}
    known = {scanner.name: scanner for scanner in (built_in.roster() if roster is None else roster)}
    for text in texts:
        name, threshold, value = threshold_of(text)
        if name not in known:
            raise UnknownName.of("There is no scanner", name, known)
        scanner, value = name, _several(known[name], threshold, value)
        _under(known[name], {threshold: value})
        found.setdefault(scanner, {})[threshold] = value
    return found


def _several(scanner: AnyScanner, threshold: str, value: Any) -> Any:
    """The value as a list where the threshold takes several and they are written without brackets."""
    known: Any = type(scanner).param if isinstance(scanner, Scanner) else {}
    several = threshold in known and isinstance(known[threshold], param.List | param.ListSelector | PerSession)
    return _value(f"[{value}]") if several and isinstance(value, str) else value


def unset_or(value: Any) -> Any:
    """The value, where "none" says that there is no limit: None."""
    return None if isinstance(value, str) and value.lower() == "none" else value


def _value(text: str) -> Any:
    if text.startswith("[") and text.endswith("]"):
        return [_value(part.strip()) for part in text[1:-1].split(",") if part.strip()]
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return unset_or(text)


def _scanner(name: str, thresholds: Mapping[str, Any]) -> AnyScanner:
    """The built-in scanner of that name under these thresholds."""
    return _under(built_in.roster([name])[0], thresholds)


def _under(scanner: AnyScanner, thresholds: Mapping[str, Any]) -> AnyScanner:
    """The scanner under these thresholds; `InvalidInput` for what it does not have or does not take."""
    name = scanner.name
    for threshold in thresholds:
        if threshold not in scanner.settings():
            raise UnknownName.of(f"{name} has no threshold", threshold, scanner.settings())
    try:
        return scanner.with_settings(**thresholds)
    except InvalidInput as fault:
        raise InvalidInput(f"{str(fault).rstrip('.')}. What it takes: scanner-kit scanners {name}.") from fault


def _check_link(link: Any) -> None:
    rule = "link is an address with {symbol} in it, such as " + LINK
    if not isinstance(link, str) or not link.startswith(("https://", "http://")) or _fields(link) != {"symbol"}:
        raise InvalidInput(f"{rule}; found {link!r}. Put {{symbol}} where the symbol goes.")


def _fields(link: str) -> set[str | None]:
    try:
        return {name for _, name, spec, _ in string.Formatter().parse(link) if name is not None}
    except ValueError:
        return set()
