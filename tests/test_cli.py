"""The command line as a user meets it: what it prints, what it writes, and what it says when something is wrong."""

import json
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from scanner_kit import metrics as m
from scanner_kit import scanners as built_in
from scanner_kit.cli import app, spread
from scanner_kit.seal import seal_of
from scanner_kit.sources.simulated import SimulatedMarket

DAY = date(2025, 6, 18)
SCANNER_KIT = [sys.executable, "-c", "from scanner_kit.cli import main; main()"]
LOOSE = ["--set", "hod_break.min_rvol=none", "hod_break.min_dollar_volume=none"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bars and daily rows of two simulated days of five symbols."""
    folder = tmp_path_factory.mktemp("files")
    markets = [SimulatedMarket(symbols=5, day=day) for day in (date(2025, 6, 17), DAY)]
    for market in markets:
        market.frame().to_parquet(folder / f"{market.day}.parquet")
    markets[0].daily().to_csv(folder / "daily.csv", index=False)
    markets[1].frame().drop(columns="ts").to_csv(folder / "timeless.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def symbol(files: Path) -> str:
    """The symbol with the most bars on the second day."""
    return str(pd.read_parquet(files / f"{DAY}.parquet")["symbol"].value_counts().index[0])


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(app, list(map(str, args)), prog_name="scanner-kit")


def said(*args: str | Path) -> tuple[int, str]:
    """The exit status and what is said on stderr: one line."""
    result = run(*args)
    assert result.stdout == ""
    assert result.stderr.endswith("\n")
    assert result.stderr.count("\n") == 1
    return result.exit_code, result.stderr.strip()


def process(*args: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [*SCANNER_KIT, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **options)


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    heavy = "{'numpy', 'pandas', 'pyarrow', 'numba', 'param', 'panel', 'rich', 'exchange_calendars'}"
    code = (
        f"import sys; from scanner_kit.cli import app\ntry: app(['--help'])\nfinally: print({heavy} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.rstrip().endswith("set()")
    assert all(f"\n  {command} " in told for command in ("demo", "replay", "why", "scanners", "metrics"))
    assert "--install-completion" in told


def test_without_a_command_help_is_shown() -> None:
    assert run().stdout == run("--help").stdout


@pytest.mark.parametrize("command", ["demo", "replay", "why", "scanners", "metrics"])
def test_every_option_says_what_it_is_for(command: str) -> None:
    result = run(command, "--help")
    assert (result.exit_code, result.stderr) == (0, "")


def test_several_values_may_follow_an_option() -> None:
    assert spread(["replay", "--set", "hot.top=1", "hot.steps=1", "a.parquet", "b.csv"]) == [
        *("replay", "--set", "hot.top=1", "--set", "hot.steps=1", "a.parquet", "b.csv"),
    ]
    assert spread(["why", "--bars", "A", "NVDA", "2025"]) == ["why", "--bars", "A", "NVDA", "2025"]
    assert spread(["why", "--bars", "a.pq", "b.pq", "--fills", "c.pq"]) == [
        *("why", "--bars", "a.pq", "--bars", "b.pq", "--fills", "c.pq"),
    ]


# replay


def test_replay_writes_tables_report_and_seal(files: Path, tmp_path: Path) -> None:
    bars = (files / "2025-06-17.parquet", files / f"{DAY}.parquet")
    result = run("replay", *bars, "--daily", files / "daily.csv", *LOOSE, "--metrics", "--out", tmp_path / "out")
    assert (result.exit_code, result.stderr) == (0, "")
    triggers, lists, metrics = (
        pq.read_table(tmp_path / "out" / f"{name}.parquet") for name in ("triggers", "lists", "metrics")
    )
    seal = json.loads((tmp_path / "out" / "seal.json").read_text())
    assert [seal[name] for name in ("triggers", "lists", "metrics")] == [
        seal_of(triggers),
        seal_of(lists),
        seal_of(metrics),
    ]
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == {}
    assert metrics.num_rows == 2 * 960 * 5
    assert "hod_break" in set(triggers["scanner"].to_pylist())
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "days 2 (2025-06-17 to 2025-06-18)" in lines
    assert {"symbols 5", "steps 1,920", f"triggers {triggers.num_rows:,}", "refused or mended nothing"} <= set(lines)


def test_replay_takes_one_day_or_a_range(files: Path) -> None:
    bars = (files / "2025-06-17.parquet", files / f"{DAY}.parquet", "--scanners", "hot")
    assert "1  (2025-06-18)" in run("replay", *bars, "--day", str(DAY)).stdout
    assert "1  (2025-06-17)" in run("replay", *bars, "--days", "2025-06-01:2025-06-17").stdout
    assert "2  (2025-06-17 to 2025-06-18)" in run("replay", *bars, "--days", "2025-06-17:2025-06-18").stdout
    assert "1  (2025-06-18)" in run("replay", *bars, "--days", "2025-06-18:").stdout
    assert "1  (2025-06-17)" in run("replay", *bars, "--days", ":2025-06-17").stdout


def test_replay_keeps_to_the_scanners_named(files: Path, tmp_path: Path) -> None:
    run("replay", files / f"{DAY}.parquet", "--scanners", "hod_break,winners", *LOOSE, "--out", tmp_path)
    assert set(pq.read_table(tmp_path / "lists.parquet")["list"].to_pylist()) <= {"winners"}
    assert set(pq.read_table(tmp_path / "triggers.parquet")["scanner"].to_pylist()) == {"hod_break"}


def test_thresholds_of_a_file_and_of_the_command_are_one(files: Path, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("[scanners.hod_break]\nmin_rvol = 'none'\nmin_dollar_volume = 'none'\n")
    common = ("replay", files / f"{DAY}.parquet", "--scanners", "hod_break", "--out")
    assert run(*common, tmp_path / "a", *LOOSE).exit_code == 0
    assert run(*common, tmp_path / "b", "--settings", tmp_path / "settings.toml").exit_code == 0
    assert (tmp_path / "a" / "seal.json").read_text() == (tmp_path / "b" / "seal.json").read_text()


def test_what_entry_counted_is_told(files: Path, tmp_path: Path) -> None:
    frame = pd.read_parquet(files / f"{DAY}.parquet")
    frame.loc[0, "close"], frame.loc[1, "volume"] = -1.0, np.nan
    frame.to_csv(tmp_path / "odd.csv", index=False)
    result = run("replay", tmp_path / "odd.csv", "--scanners", "hot", "--out", tmp_path)
    assert "bad_price 1  nan_volume 1" in result.stdout
    assert json.loads((tmp_path / "report.json").read_text()) == {"bad_price": 1, "nan_volume": 1}


# why


def test_why_answers_for_every_scanner(files: Path, symbol: str) -> None:
    result = run("why", symbol, f"{DAY}T09:37", "--bars", files / f"{DAY}.parquet", "--daily", files / "daily.csv")
    assert (result.exit_code, result.stderr) == (0, "")
    head = result.stdout.splitlines()[0]
    assert head.startswith(
        f"{symbol}  step that ended 2025-06-18 09:37 New York (13:37 UTC), k=336, REGULAR, not halted"
    )
    titles = [line.split("  ")[0].split(" (")[0] for line in result.stdout.splitlines()[1:] if line[:1].strip()]
    assert set(titles) == set(built_in.CLASSES)
    assert "✗  " in result.stdout
    assert "✓  session" in result.stdout
    assert "not known: " in result.stdout


def test_why_as_json_holds_conditions_with_margins(files: Path, symbol: str) -> None:
    args = (
        "why",
        symbol,
        f"{DAY}T13:37Z",
        "--bars",
        files / f"{DAY}.parquet",
        "--json",
        "--scanners",
        "hod_break,winners",
    )
    answers = json.loads(run(*args).stdout)
    assert [(answer["scanner"], answer["k"], answer["symbol"]) for answer in answers] == [
        *(("hod_break", 336, symbol), ("winners", 336, symbol)),
    ]
    reasons = {reason["what"]: reason for reason in answers[0]["reasons"]}
    assert reasons["last"].keys() >= {"value", "op", "threshold", "margin", "holds", "unknown", "unit"}
    assert reasons["last"]["margin"] == reasons["last"]["value"] - reasons["last"]["threshold"]
    assert (reasons["rvol_tod"]["holds"], reasons["rvol_tod"]["value"]) == (None, None)
    assert reasons["rvol_tod"]["unknown"]


def test_why_tells_the_score_of_who_passes_but_is_not_shown(files: Path) -> None:
    bars, gates = files / f"{DAY}.parquet", ("top=1", "min_rvol=none", "min_price=none", "min_dollar_volume=none")
    roster = ("--scanners", "high_volume", *(word for gate in gates for word in ("--set", f"high_volume.{gate}")))
    busiest = pd.read_parquet(bars)["symbol"].value_counts().index[:2]
    told = "".join(run("why", symbol, f"{DAY}T12:00", "--bars", bars, *roster).stdout for symbol in busiest)
    assert "high_volume  passes with a score of " in told
    assert "but is not among the 1 shown, of which the last has " in told


def test_why_names_the_scanner_that_fired(files: Path, tmp_path: Path) -> None:
    bars = files / f"{DAY}.parquet"
    run("replay", bars, "--scanners", "hod_break", *LOOSE, "--out", tmp_path)
    first = pq.read_table(tmp_path / "triggers.parquet").to_pylist()[0]
    result = run("why", first["symbol"], first["time"].isoformat(), "--bars", bars, "--scanners", "hod_break", *LOOSE)
    assert "hod_break  fired" in result.stdout


# catalogues


def test_scanners_and_metrics_are_told_from_their_classes() -> None:
    facts = {told["name"]: told for told in json.loads(run("scanners", "--json").stdout)}
    assert list(facts) == list(built_in.CLASSES)
    assert facts["hod_break"]["thresholds"]["min_rvol"] == {
        "default": 3.0,
        "unit": "×",
        "bounds": [0, None],
        "inclusive": [True, True],
        "choices": None,
        "doc": "Relative volume for the time of day at least.",
    }
    assert facts["hod_break"]["thresholds"]["breakout"]["choices"] == ["wick", "close"]
    assert (facts["hot"]["kind"], facts["winners"]["kind"], facts["momentum"]["kind"]) == ("hot", "category", "trigger")
    assert [told["name"] for told in json.loads(run("metrics", "--json").stdout)] == [metric.name for metric in m.ALL]


def test_tables_of_scanners_and_metrics_name_them_all() -> None:
    scanners, metrics, one = run("scanners").stdout, run("metrics").stdout, run("scanners", "hod_break").stdout
    assert all(f"\n{name} " in scanners for name in built_in.CLASSES)
    assert all(f"\n{metric.name} " in metrics for metric in m.ALL)
    assert "\nmin_rvol           3 " in one
    assert "pmh_break" not in one


# what is wrong

SPOKEN = [
    (["replay", "nowhere.parquet"], 1, "There is no file 'nowhere.parquet'. Check the path, from '"),
    (["replay", "{timeless}"], 1, "missing ts, found symbol, open, high, low, close, volume, vwap."),
    (["replay", "{bars}", "--day", "2025-06-19"], 1, "2025-06-19 is no trading day of XNYS"),
    (["replay", "{bars}", "--day", "2025-06-20"], 1, "has no bars on 2025-06-20. It has 1 days from 2025-06-18"),
    (["replay", "{bars}", "--day", "monday"], 1, "A day is a date like 2025-01-27; found 'monday'."),
    (["replay", "{bars}", "--days", "2025-06-18"], 1, "or :B from the first; found '2025-06-18'. Write, say,"),
    (["replay", "{bars}", "--days", ":"], 1, "--days is A:B, or A: to the last day, or :B from the first; found ':'."),
    (["replay", "{bars}", "--days", "2025-06-19:"], 1, "--days 2025-06-19: holds no day with bars; the"),
    (["replay", "{bars}", "--days", ":monday"], 1, "A day is a date like 2025-01-27; found 'monday'."),
    (["replay", "{bars}", "--days", "2025-06-20:2025-06-18"], 1, "--days is A:B with A not after B"),
    (["replay", "{bars}", "--days", "2025-01-01:2025-01-31"], 1, "holds no day with bars; the bars have"),
    (["replay", "{bars}", "--day", "2025-06-18", "--days", "a:b"], 2, "Give one of the two. See scanner-kit"),
    (["replay", "{bars}", "--scanners", "hod_brake"], 1, "There is no scanner 'hod_brake'. Did you mean 'hod_break'?"),
    (["replay", "{bars}", "--scanners", ","], 1, "--scanners names scanners, like hod_break,hot; found ','."),
    (["replay", "{bars}", "--set", "hod_break.min_rvl=1"], 1, "hod_break has no threshold 'min_rvl'."),
    (["replay", "{bars}", "--set", "hod_break.min_rvol=-1"], 1, "must be at least 0, not -1. What it takes:"),
    (["replay", "{bars}", "--settings", "nowhere.toml"], 1, "'nowhere.toml' cannot be read: No such file"),
    (["replay", "{bars}", "--share-of-market", "2"], 1, "share_of_market is above 0 and at most 1; found 2.0."),
    (["replay", "{bars}", "--share-of-market", "x"], 2, "Invalid value for '--share-of-market'"),
    (["replay", "{bars}", "--out", "{bars}"], 1, "cannot be written: File exists. Name another."),
    (["replay", "{bars}", "--metrcs"], 2, "No such option: --metrcs"),
    (["replay"], 2, "Missing argument"),
    (["repaly"], 2, "No such command 'repaly'."),
    (["why", "NVDA", "2025-06-18T09:37"], 2, "Missing option '--bars'. See scanner-kit why --help."),
    (["why", "NOPE!", "2025-06-18T09:37", "--bars", "{bars}"], 1, "The universe of 2025-06-18 has no symbol 'NOPE!'."),
    (["why", "NVDA", "2025-06-18", "--bars", "{bars}"], 1, "a time like 2025-01-27T09:37; found '2025-06-18'."),
    (["why", "NVDA", "9:37", "--bars", "{bars}"], 1, "TIME is a date and a time like 2025-01-27T09:37; found '9:37'."),
    (["why", "NVDA", "2025-06-18T04:00", "--bars", "{bars}"], 1, "end from 04:01 to 20:00 New York; found 04:00."),
    (["why", "NVDA", "2025-06-18T09:37:30", "--bars", "{bars}"], 1, "found 09:37:30. Ask for 09:37 or 09:38."),
    (["why", "NVDA", "2025-06-18T13:59:00.5Z", "--bars", "{bars}"], 1, "found 13:59:00.500000. Ask for 13:59 or"),
    (["why", "NVDA", "2025-06-19T10:00", "--bars", "{bars}"], 1, "2025-06-19 is no trading day of XNYS"),
    (["scanners", "hod_brake"], 1, "There is no scanner 'hod_brake'. Did you mean 'hod_break'?"),
    (["demo", "--symbols", "0"], 2, "Invalid value for '--symbols'"),
]  # fmt: skip


@pytest.mark.parametrize(("args", "status", "sentence"), SPOKEN, ids=[" ".join(args) for args, _, _ in SPOKEN])
def test_what_is_wrong_is_said_in_one_sentence(files: Path, args: list[str], status: int, sentence: str) -> None:
    names = {"bars": files / f"{DAY}.parquet", "timeless": files / "timeless.csv"}
    found, told = said(*(arg.format(**names) for arg in args))
    assert found == status
    assert sentence in told


def test_a_process_says_one_sentence_and_ends_with_its_status() -> None:
    result = process("replay", "nowhere.parquet", env={**os.environ, "COLUMNS": "40"})
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1)


def test_progress_is_silent_where_there_is_no_terminal(files: Path) -> None:
    result = process("replay", files / f"{DAY}.parquet", "--scanners", "hot")
    assert (result.returncode, result.stderr) == (0, "")
    assert "Nothing was written: name a folder with --out." in result.stdout


def test_a_reader_who_leaves_early_sees_no_traceback() -> None:
    shell = f'"{sys.executable}" -c "from scanner_kit.cli import main; main()" metrics --json | head -n 1'
    result = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True, timeout=120)
    assert (result.stdout, result.stderr) == ("[\n", "")


def test_ctrl_c_ends_with_130_and_leaves_no_files(files: Path, tmp_path: Path) -> None:
    bars = [str(files / name) for name in ("2025-06-17.parquet", f"{DAY}.parquet")]
    code = (
        "import signal, sys; from scanner_kit import engine\n"
        "step = engine.Engine.step\n"
        "def stopped(self, bars):\n"
        "    if bars.k == 5: signal.raise_signal(signal.SIGINT)\n"
        "    return step(self, bars)\n"
        "engine.Engine.step = stopped\n"
        "from scanner_kit.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "replay", *bars, "--scanners", "hot", "--out", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (result.returncode, result.stderr) == (128 + signal.SIGINT, "Stopped by Ctrl-C.\n")
    assert list(tmp_path.iterdir()) == []
