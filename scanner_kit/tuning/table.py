"""The table of outcomes: a row for each trigger of a replay and each horizon, none left out.

Unknown numbers are NaN; `entry_k` is one where a trigger was not tradable, and there `result` is null.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from scanner_kit.day import Day
from scanner_kit.engine import Scan
from scanner_kit.metrics import Halt
from scanner_kit.triggers import Trigger
from scanner_kit.tuning.chance import Chance, chance
from scanner_kit.tuning.outcomes import (
    COST_BPS,
    HORIZONS,
    NOT_TRADABLE,
    RESULTS,
    Outcomes,
    Prices,
    check_costs,
    check_seed,
    outcomes,
)
from scanner_kit.universe import Floats

OF_TRIGGERS = ("tradable", "entry_k", "entry", "r", "beyond_stop")
BY_HORIZON = ("mfe_pct", "mae_pct", "mfe_r", "mae_r", "result", "result_r", "chance_win_rate", "chance_mean_r")
OUTCOMES = pa.schema(
    [
        ("day", pa.date32()),
        ("k", pa.int64()),
        *((name, pa.string()) for name in ("symbol", "scanner", "kind", "horizon")),
        ("tradable", pa.bool_()),
        *((name, pa.float64()) for name in ("entry_k", "entry", "r", "mfe_pct", "mae_pct", "mfe_r", "mae_r")),
        ("result", pa.string()),
        ("result_r", pa.float64()),
        ("beyond_stop", pa.bool_()),
        *((name, pa.float64()) for name in ("chance_win_rate", "chance_mean_r")),
    ]
)


@dataclass
class OutcomeRows:
    """The outcomes of a day, step by step: who was halted, and when all is over the rows."""

    cost_bps: float = COST_BPS
    seed: int = 0
    halts: list[Floats] = field(default_factory=list)

    def __post_init__(self) -> None:
        check_costs(self.cost_bps)
        check_seed(self.seed)

    def take(self, scan: Scan) -> None:
        """Keep who is halted in this step."""
        self.halts.append(scan.snapshot.values[Halt()])

    def table(self, day: Day, triggers: Sequence[Trigger]) -> pa.Table:
        """The outcomes of the day's triggers, in their order, over the day's bars as they stand at its end."""
        prices = Prices(day.universe.day, day.open, day.high, day.low, day.close, np.stack(self.halts))
        column, k = [day.universe.row(trigger.symbol) for trigger in triggers], [trigger.k for trigger in triggers]
        side = [float(trigger.side) for trigger in triggers]
        risks = ([getattr(trigger, name) for trigger in triggers] for name in ("stop", "distance"))
        found = outcomes(prices, column, k, side, *risks, cost_bps=self.cost_bps)
        random = chance(
            *(prices, column, k, side, found.entry, found.entry_k, found.r),
            symbols=[trigger.symbol for trigger in triggers],
            dates=[trigger.day for trigger in triggers],
            seed=self.seed,
            cost_bps=self.cost_bps,
        )
        return outcome_table(triggers, found, random)


def outcome_table(triggers: Sequence[Trigger], found: Outcomes, random: Chance) -> pa.Table:
    """The outcomes of triggers as rows, those of a trigger one after the other in the order of the horizons."""
    by_horizon = {"chance_win_rate": random.win_rate, "chance_mean_r": random.mean_r}
    columns: dict[str, Any] = {
        name: _repeated([getattr(trigger, name) for trigger in triggers], OUTCOMES.field(name).type)
        for name in ("day", "k", "symbol", "scanner", "kind")
    }
    columns["horizon"] = pa.array(HORIZONS * len(triggers), pa.string())
    columns |= {name: np.repeat(getattr(found, name), len(HORIZONS)) for name in OF_TRIGGERS}
    columns["entry_k"] = np.where(columns["tradable"], columns["entry_k"], np.nan)
    columns |= {
        name: by_horizon[name].ravel() if name in by_horizon else getattr(found, name).ravel() for name in BY_HORIZON
    }
    columns["result"] = pa.array(RESULTS).take(pa.array(columns["result"], mask=columns["result"] == NOT_TRADABLE))
    return pa.table([pa.array(columns[one.name], one.type) for one in OUTCOMES], OUTCOMES)


def _repeated(values: Sequence["dt.date | int | str"], kind: pa.DataType) -> pa.Array:
    """Each value once for each horizon."""
    told = pa.array(map(str, values) if pa.types.is_string(kind) else values, kind)
    return told.take(pa.array(np.repeat(np.arange(len(values)), len(HORIZONS))))
