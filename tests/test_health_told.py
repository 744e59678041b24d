"""Health as its page tells it: the chain, and the processes side by side."""

import pytest
from desks import START, beat

from scanner_kit.health import Health, State
from scanner_kit.views.health.told import processes_of, stations


def test_processes_are_compared_where_they_should_be_alike() -> None:
    at_work = [beat(role, START, version=2) for role in ("engine", "store", "serve")]
    ingest, gone = (
        beat("ingest", START, version=0),
        beat("engine", START, version=None, state="stopped", name="e9"),
    )
    told = processes_of(vars(one) for one in (*at_work, ingest, gone))
    assert [values[-1] for values in told.values()] == [[]] * 5
    behind, elsewhere = (
        beat("store", START, version=1, name="s9"),
        beat("serve", START, version=2, prefix="x", name="w9"),
    )
    told = processes_of(vars(one) for one in (*at_work, behind, elsewhere))
    assert (told["s9"][-1], told["w9"][-1]) == (["version"], ["prefix"])


@pytest.mark.parametrize("subject", ["disk of desk1", "clock of desk1", "Redis"])
def test_a_fault_of_the_machine_is_the_bus_on_the_page_and_for_the_doctor(subject: str) -> None:
    chain = {name: colour for name, _, colour, *_ in stations([Health(subject, State.FAULT, "it is full")])}
    assert {name for name, colour in chain.items() if colour == "red"} == {"bus"}
