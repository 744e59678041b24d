"""Triggers are opened: the decision is made again, and the notebook that is written runs and shows it."""

import datetime as dt
import importlib
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import scanner_kit as sk
from scanner_kit import scanners as built_in
from scanner_kit.bars import FIELDS, Event, LateBars, SettingsChange, Tape, VendorHalt
from scanner_kit.composition import AnyScanner
from scanner_kit.expressions import code_of
from scanner_kit.replay import Folder, Tapes, replay
from scanner_kit.tables import trigger_table
from scanner_kit.tuning.outcomes import HORIZONS

MARKET = sk.SimulatedMarket(symbols=40)
TAPE = sk.simulated_tape(MARKET)
LOW: dict[str, Any] = {"min_rvol": 1.5, "min_dollar_volume": 50_000}
HOD = built_in.HodBreak(**LOW)
ANY = HOD.with_settings(min_rvol=None)
"""Files of one day know no usual volume."""


def said(scanner: AnyScanner, tape: Tape = TAPE) -> tuple[sk.Trigger, ...]:
    engine = sk.Engine(tape.universe, [scanner])
    for bars in tape:
        engine.step(bars)
    assert engine.triggers
    return tuple(engine.triggers)


TRIGGERS = said(HOD)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    frames = {"bars": MARKET.frame(), "daily": MARKET.daily(), "reference": MARKET.reference()}
    paths = {name: folder / f"{name}.parquet" for name in frames}
    for name, frame in frames.items():
        frame.to_parquet(paths[name])
    return paths


def run(path: Path) -> Any:
    """A written notebook after it ran, in its own folder."""
    client = pytest.importorskip("nbclient")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert len(notebook.cells) <= 8
    resources = {"metadata": {"path": str(path.parent)}}
    return client.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()


def shown(notebook: Any) -> str:
    """All that its cells show, as text."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", ()))
    return "\n".join(str(output.get("data", {}).get("text/plain", "")) for output in outputs)


def test_a_notebook_over_files_names_them_and_runs(files: dict[str, Path], tmp_path: Path) -> None:
    source = sk.TapeSource(files["bars"], daily=files["daily"], reference=str(files["reference"]))
    trigger = said(ANY, source.tape(MARKET.day))[-1]
    path = sk.open_trigger(trigger, source, scanner=ANY, path=tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == [path.name]
    text = path.read_text(encoding="utf-8")
    assert all(json.dumps(str(file.resolve()))[1:-1] in text for file in files.values())
    assert trigger.identity in shown(run(path))


def test_a_notebook_over_a_simulated_market_needs_nothing_beside_it_and_runs(tmp_path: Path) -> None:
    path = sk.open_trigger(TRIGGERS[0], MARKET, scanner=HOD, path=tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    told = shown(run(path))
    assert TRIGGERS[0].identity in told
    assert all(word in told for word in ("rvol_tod", "◀", "result_r", "chance_mean_r", *HORIZONS))


def test_a_notebook_of_a_composite_over_tapes_has_its_tape_beside_it_and_runs(tmp_path: Path) -> None:
    composite = (HOD.with_settings(min_price=40) & ~built_in.GappersUp(min_gap=50)) | built_in.LodBreak(**LOW)
    trigger = next(t for t in said(composite) if t.side < 0)
    path = sk.open_trigger(trigger, [TAPE], scanner=composite, path=tmp_path / "a look.ipynb")
    assert {one.name for one in tmp_path.iterdir()} == {"a look.ipynb", "a look.tape"}
    assert trigger.identity in shown(run(path))


def test_what_a_history_and_frames_hold_is_saved_beside_the_notebook(tmp_path: Path) -> None:
    history = sk.measure(MARKET, 1, [HOD], cache=False)
    frames = sk.TapeSource(MARKET.frame(), daily=MARKET.daily())
    from_frames = said(ANY, frames.tape(MARKET.day))[0]
    cases = ((HOD, TRIGGERS[0], history), (ANY, from_frames, frames))
    for i, (scanner, trigger, source) in enumerate(cases):
        path = sk.open_trigger(trigger, source, scanner=scanner, path=tmp_path / f"{i}.ipynb")
        tape = sk.load_tape(path.with_suffix(".tape"))
        assert sk.decide(scanner, tape, trigger.symbol, trigger.k).identity == trigger.identity


def test_the_rows_of_a_replay_are_opened(tmp_path: Path) -> None:
    with Folder(tmp_path) as folder:
        replay(Tapes([TAPE]), folder, scanners=[built_in.HodBreak()])
    table = pd.read_parquet(tmp_path / "triggers.parquet")
    path = sk.open_trigger(table.iloc[-1], MARKET, path=tmp_path)
    last = pq.read_table(tmp_path / "triggers.parquet").to_pylist()[-1]
    assert sk.open_trigger(last, MARKET, path=tmp_path) == path
    identity = said(built_in.HodBreak())[-1].identity
    assert json.loads(path.read_text(encoding="utf-8"))["metadata"]["scanner_kit"] == {"trigger": identity}


def test_a_row_is_read_however_it_was_kept(tmp_path: Path) -> None:
    table = trigger_table(list(TRIGGERS[:2])).to_pandas()
    table.to_csv(tmp_path / "triggers.csv")
    row = table.iloc[0]
    ways = [
        row,
        row.to_dict(),
        {**row, "time": row.time.tz_convert("America/New_York")},
        {**row, "time": row.time.tz_convert("America/New_York").tz_localize(None)},
        {**row, "day": pd.Timestamp(row.day), "k": float(row.k), "level": None if np.isnan(row.level) else row.level},
        {**row, "day": str(row.day), "time": str(row.time)},
        {name: row[name] for name in ("day", "k", "time", "symbol", "scanner", "kind", "settings")},
        next(table.itertuples()),
        pd.read_csv(tmp_path / "triggers.csv").iloc[0],
    ]
    paths = {sk.open_trigger(way, MARKET, scanner=HOD, path=tmp_path / "looks") for way in ways}
    assert [path.name for path in paths] == [one.name for one in (tmp_path / "looks").iterdir()]


def test_a_notebook_that_cannot_be_written_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    for path in (tmp_path / "notes.txt", tmp_path / "notes.txt" / "a.ipynb", tmp_path / f"{'x' * 300}.ipynb"):
        for source in (MARKET, TAPE):
            with pytest.raises(sk.InvalidInput, match=r"cannot be written: .*\. Name another place with path=…\.$"):
                sk.open_trigger(TRIGGERS[0], source, scanner=HOD, path=path)
    assert [one.name for one in tmp_path.iterdir()] == ["notes.txt"]


def test_a_notebook_that_is_there_keeps_what_was_written_into_it(tmp_path: Path) -> None:
    path = sk.open_trigger(TRIGGERS[0], MARKET, scanner=HOD, path=tmp_path)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_markdown_cell("A note."))
    nbformat.write(notebook, path)
    assert sk.open_trigger(TRIGGERS[0], MARKET, scanner=HOD, path=tmp_path) == path
    assert nbformat.read(path, as_version=4).cells[-1].source == "A note."
    with pytest.raises(sk.InvalidInput, match=f"found there {TRIGGERS[0].identity}. Name another with path="):
        sk.open_trigger(TRIGGERS[1], MARKET, scanner=HOD, path=path)


def test_an_own_scanner_is_imported_from_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = tmp_path / "my room"
    (room / "ideas").mkdir(parents=True)
    text = "from scanner_kit.scanners import HodBreak\n\n\nclass Mine(HodBreak):\n    min_rvol = 1.5\n"
    (room / "ideas" / "__init__.py").write_text("", encoding="utf-8")
    (room / "ideas" / "breaks.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(room)
    mine = importlib.import_module("ideas.breaks").Mine()
    trigger = said(mine)[0]
    path = sk.open_trigger(trigger, MARKET, scanner=mine, path=tmp_path / "looks")
    assert trigger.identity in shown(run(path))  # a kernel of its own, elsewhere, knows nothing of the room


class Own(sk.Scanner):
    """A scanner of one's own in a module."""

    def trigger(self, now: sk.Snapshot) -> Any:
        return now[self.rvol] >= 2


VARIANTS: Sequence[AnyScanner] = [
    built_in.HodBreak(),
    built_in.OrbBreakUp(
        name="early", minutes=5, sessions=["REGULAR", "POST"], min_dollar_volume=(1, 2), sectors=["A'b"]
    ),
    built_in.UnusualVolume(max_price=20, min_price=None, exclude=["X"]),
    built_in.HodBreak(breakout="close"),
    (built_in.HodBreak(min_rvol=2) & built_in.GappersUp()).named("both"),
    built_in.HodBreak()
    | built_in.LodBreak(min_rvol=1) & built_in.GappersDown() & ~(built_in.Losers() & built_in.NewLows()),
    built_in.PmhBreak() & ~(built_in.Losers() | built_in.NewLows() & ~built_in.Winners()),
    Own(min_rvol=2.25),
]


@pytest.mark.parametrize("scanner", VARIANTS, ids=lambda one: one.name)
def test_a_scanner_is_written_so_that_it_is_the_same_again(scanner: AnyScanner) -> None:
    made, needed = code_of(scanner)
    room: dict[str, Any] = {"sk": sk}
    exec(needed, room)
    again = eval(made, room)
    assert (again.name, again.settings_id) == (scanner.name, scanner.settings_id)
    assert (code_of(again), again.settings()) == ((made, needed), scanner.settings())


def test_a_scanner_that_nobody_can_import_is_refused(tmp_path: Path) -> None:
    class Here(built_in.HodBreak):
        """Written inside a function."""

    here = Here(**LOW)
    with pytest.raises(
        sk.InvalidInput, match=r"Here cannot be imported.* Put it into a module and import it from there"
    ):
        sk.open_trigger(said(here)[0], TAPE, scanner=here, path=tmp_path)
    assert list(tmp_path.iterdir()) == []


def refusal(trigger: Any, source: Any = TAPE, **given: Any) -> str:
    with pytest.raises(sk.InvalidInput) as refused:
        sk.open_trigger(trigger, source, path="nowhere", **given)
    assert not Path("nowhere").exists()
    return str(refused.value)


def test_other_thresholds_and_other_bars_are_refused_with_what_came_instead() -> None:
    one = TRIGGERS[0]
    assert refusal(one) == (
        f"The trigger was said under the settings {one.settings}; found hod_break under "
        f"{built_in.HodBreak().settings_id}. Give scanner=… with the thresholds that were in force, of a settings file "
        "sk.read_settings(path).roster(['hod_break'])[0]."
    )
    lower = Tape(
        TAPE.universe,
        **{name: getattr(TAPE, name).copy() for name in ("open", "high", "low", "close", "volume", "vwap")},
    )
    row = TAPE.universe.row(one.symbol)
    for name in ("open", "high", "low", "close"):
        getattr(lower, name)[one.k, row] = 0.9 * TAPE.low[one.k - 40 : one.k, row].min(
            initial=np.inf, where=np.isfinite(TAPE.low[one.k - 40 : one.k, row])
        )
    told = refusal(one, lower, scanner=HOD)
    assert told.startswith(
        f"{one.symbol} at {one.time:%Y-%m-%d %H:%M} UTC does not come again from this tape: hod_break: no"
    )
    assert told.endswith("Give the bars, daily and reference rows that it was said over.")


def test_the_same_moment_with_another_stop_is_another_decision() -> None:
    one = next(t for t in TRIGGERS if np.isfinite(t.stop))
    other = {**trigger_table([one]).to_pylist()[0], "stop": one.stop + 0.25, "severity": None}
    assert refusal(other, scanner=HOD) == (
        f"{one.symbol} at {one.time:%Y-%m-%d %H:%M} UTC comes again from this tape, but with severity "
        f"{one.severity:,.10g} instead of None, stop {one.stop:,.10g} instead of {one.stop + 0.25}. Give the bars, "
        "daily and reference rows that it was said over."
    )


def test_what_was_said_while_a_minute_was_forming_is_not_made_again() -> None:
    one = TRIGGERS[0]
    engine = sk.Engine(TAPE.universe, [HOD], intrabar=True)
    for k in range(one.k):
        engine.step(TAPE.bars(k))
    instant = TAPE.universe.day.time(one.k) - dt.timedelta(seconds=13)
    engine.step(replace(TAPE.bars(one.k), forming=True, instant=instant))
    early = next(t for t in engine.triggers if t.symbol == one.symbol and t.intrabar)
    for trigger in (early, trigger_table([early]).to_pylist()[0]):
        assert refusal(trigger, scanner=HOD) == (
            f"The trigger was said at {instant:%H:%M:%S} UTC, while its minute was still forming; a tape of whole "
            "minutes does not hold what was known then. Open one that was said at the end of a minute."
        )


def test_a_wrong_question_has_its_sentence() -> None:
    one = TRIGGERS[0]
    row = trigger_table([one]).to_pylist()[0]
    assert refusal({**row, "k": math.nan}) == "A trigger's k is a whole number; found nan. Give the whole row."
    assert refusal({**row, "time": "soon"}) == "A trigger's time is when it was said; found 'soon'. Give the whole row."
    assert "found DataFrame without day" in refusal(trigger_table([one]).to_pandas())
    told = "The scanner is the one that spoke; found 'hod_break'. Give one, such as HodBreak()."
    assert refusal(one, scanner="hod_break") == told
    assert "said by 'hod_break'; found 'lod_break'" in refusal(one, scanner=built_in.LodBreak())
    assert "found dict without k, time, symbol, scanner, kind, settings" in refusal({"day": one.day})
    assert "found int without day" in refusal(3)
    own = {**trigger_table([one]).to_pylist()[0], "scanner": "mine"}
    assert refusal(own) == "'mine' is none of the kit's own scanners. Give the one that spoke: scanner=…."
    other = sk.simulated_tape(sk.SimulatedMarket(symbols=5, day=dt.date(2025, 6, 20)))
    assert "There is no tape of 2025-06-18; found 2025-06-20" in refusal(one, other, scanner=HOD)


def test_thresholds_that_changed_on_the_tape_are_those_of_the_decision(tmp_path: Path) -> None:
    events: dict[int, tuple[Event, ...]] = {
        340: (SettingsChange.of(hod_break={"min_rvol": 1.25}, lod_break={"min_rvol": 1.0}),),
        400: (VendorHalt(TAPE.universe.symbols[0], True),),
    }
    tape = Tape(TAPE.universe, TAPE.open, TAPE.high, TAPE.low, TAPE.close, TAPE.volume, TAPE.vwap, events=events)
    engine = sk.Engine(tape.universe, [HOD, built_in.LodBreak()])
    for bars in tape:
        engine.step(bars)
    trigger = next(t for t in engine.triggers if t.scanner == "hod_break" and t.k > 450)
    assert trigger.settings != HOD.settings_id
    path = sk.open_trigger(trigger, tape, scanner=HOD, path=tmp_path)
    again = sk.load_tape(path.with_suffix(".tape"))
    assert sk.decide(HOD, again, trigger.symbol, trigger.k).trigger == trigger
    assert again.events[400] == events[400]


def test_a_history_is_saved_and_loaded_whole(tmp_path: Path) -> None:
    history = sk.measure(MARKET, 2, [HOD], cache=False)
    loaded = sk.History.load(history.save(tmp_path / "days"))
    before = sorted(str(one) for one in tmp_path.rglob("*"))
    assert loaded.dates == history.dates
    for day, other in zip(history.days, loaded.days, strict=True):
        assert day.universe.symbols == other.universe.symbols
        assert said(HOD, other.tape) == said(HOD, day.tape)
    loaded.require([sk.metrics.HighOfDay()])
    assert sorted(str(one) for one in tmp_path.rglob("*")) == before
    with pytest.raises(sk.InvalidInput, match="holds none, or not all of it"):
        sk.History.load(tmp_path)


def test_a_trigger_after_late_bars_is_opened_over_the_tape_as_it_came(tmp_path: Path) -> None:
    one = max(TRIGGERS, key=lambda t: t.k)
    row = TAPE.universe.row(one.symbol)
    k = one.k - 2 - int(np.isfinite(TAPE.close[one.k - 2 :: -1, row]).argmax())
    columns = {name: getattr(TAPE, name).copy() for name in FIELDS}
    late = LateBars(np.array([k]), np.array([row]), *(column[[k], [row]] for column in columns.values()))
    for name, column in columns.items():
        column[k, row] = 0.0 if name == "volume" else np.nan
    tape = Tape(TAPE.universe, **columns, late={one.k - 1: late})
    assert all(np.array_equal(getattr(tape.in_time(), name), getattr(TAPE, name), equal_nan=True) for name in FIELDS)
    trigger = next(t for t in said(HOD, tape) if (t.symbol, t.k) == (one.symbol, one.k))
    again = sk.decide(HOD, tape, one.symbol, one.k)
    assert again.trigger == trigger
    pd.testing.assert_frame_equal(again.bars(4), sk.decide(HOD, TAPE, one.symbol, one.k).bars(4))
    path = sk.open_trigger(trigger, tape, scanner=HOD, path=tmp_path)
    kept = sk.load_tape(path.with_suffix(".tape"))
    assert list(kept.late) == [one.k - 1]
    for name in ("k", "row", *FIELDS):
        np.testing.assert_array_equal(getattr(kept.late[one.k - 1], name), getattr(late, name), strict=True)
    assert trigger.identity in shown(run(path))


def test_a_folder_without_a_tape_says_so(tmp_path: Path) -> None:
    sk.measure(MARKET, 1, [HOD], cache=False).save(tmp_path / "days")
    for folder in (tmp_path / "days", tmp_path / "nowhere"):
        with pytest.raises(sk.InvalidInput, match=r"holds none, or not all of it\. Look from which folder"):
            sk.load_tape(folder)


def test_a_decision_that_kept_quiet_tells_why_and_has_nothing_after_it() -> None:
    one = TRIGGERS[0]
    quiet = sk.decide(HOD.with_settings(min_rvol=1_000), TAPE, one.symbol, one.time)
    assert quiet.trigger is None
    assert [reason.what for reason in quiet.why.blocking] == ["rvol_tod"]
    assert repr(quiet).endswith("did not fire>")
    with pytest.raises(sk.UnknownName, match="There is no horizon '7m'"):
        quiet.chart("7m")
    with pytest.raises(sk.InvalidInput, match=r"0 or more minutes around; found -3\. Give, say, around=10"):
        quiet.bars(-3)
    assert quiet.chart().object.x_range.start < quiet.chart().object.x_range.end
    with pytest.raises(sk.InvalidInput, match="hod_break did not fire: hod_break: no, because rvol_tod"):
        quiet.outcomes()


def test_a_decision_is_of_a_minute_of_the_day_and_of_what_the_scanner_says() -> None:
    symbol = TAPE.universe.symbols[0]
    with pytest.raises(sk.InvalidInput, match="k=0…959; found k=960"):
        sk.decide(HOD, TAPE, symbol, 960)
    with pytest.raises(sk.InvalidInput, match="hod_break never says 'halted'"):
        sk.decide(HOD, TAPE, symbol, 340, kind="halted")
    with pytest.raises(sk.UnknownName, match="has no symbol 'NOBODY'"):
        sk.decide(HOD, TAPE, "NOBODY", 340)


def test_the_outcomes_of_a_decision_are_those_of_a_replay(tmp_path: Path) -> None:
    from scanner_kit.tuning.table import OutcomeRows

    with Folder(tmp_path) as folder:
        replay(Tapes([TAPE]), folder, scanners=[HOD], outcomes=OutcomeRows)
    rows = pd.read_parquet(tmp_path / "outcomes.parquet")
    for trigger in TRIGGERS[:5]:
        mine = rows[(rows.k == trigger.k) & (rows.symbol == trigger.symbol)].set_index("horizon")
        own = sk.decide(HOD, TAPE, trigger.symbol, trigger.k).outcomes()
        pd.testing.assert_frame_equal(own, mine[own.columns], check_dtype=False)


def test_a_decision_is_about_a_minute_of_a_tape() -> None:
    one = TRIGGERS[0]
    ways: list[Any] = [one.k, np.int64(one.k), one.time, pd.Timestamp(one.time)]
    for when in ways:
        assert sk.decide(HOD, TAPE, one.symbol, when).trigger == one
    wrong: dict[Any, str] = {
        "10:00": "A decision is about an instant or a minute k; found '10:00'. Give a datetime.",
        True: "A decision is about an instant or a minute k; found True. Give a datetime.",
        one.time + dt.timedelta(seconds=5): "A step ends with a full minute; found 2025-06-18 ",
        960: "A decision is made in a minute of the day, k=0…959; found k=960. Give one of them.",
    }
    for when, told in wrong.items():
        with pytest.raises(sk.InvalidInput) as refused:
            sk.decide(HOD, TAPE, one.symbol, when)
        assert str(refused.value).startswith(told)
    with pytest.raises(sk.InvalidInput, match="A decision is made over the tape of a day; found "):
        sk.decide(HOD, MARKET, one.symbol, one.k)  # type: ignore[arg-type]
