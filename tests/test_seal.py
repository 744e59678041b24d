"""Seals: the same values, the same seal, however they come; other values, another."""

import hashlib
import struct
from datetime import UTC, date, datetime
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner_kit.errors import InvalidInput
from scanner_kit.seal import TableSeal, seal_of, seal_of_settings, seal_of_tape
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape

NAN = float("nan")


def table() -> pa.Table:
    return pa.table(
        {
            "day": pa.array([date(2025, 1, 27)] * 3, pa.date32()),
            "time": pa.array([datetime(2025, 1, 27, 14, 31, tzinfo=UTC)] * 3, pa.timestamp("us", tz="UTC")),
            "k": pa.array([1, 2, 3], pa.int64()),
            "symbol": ["A", "Ä", "A"],
            "score": [1.5, NAN, -0.0],
        }
    )


def by_hand(columns: dict[str, bytes]) -> str:
    whole = b"".join(text(name) + hashlib.sha256(columns[name]).digest() for name in sorted(columns))
    return hashlib.sha256(whole).hexdigest()


def text(word: str) -> bytes:
    return struct.pack("<q", len(word.encode())) + word.encode()


def test_a_seal_is_what_the_rules_give_by_hand() -> None:
    minute = int(datetime(2025, 1, 27, 14, 31, tzinfo=UTC).timestamp()) * 1_000_000
    expected = by_hand(
        {
            "day": struct.pack("<3q", *[date(2025, 1, 27).toordinal() - date(1970, 1, 1).toordinal()] * 3),
            "time": struct.pack("<3q", *[minute] * 3),
            "k": struct.pack("<3q", 1, 2, 3),
            "symbol": text("A") + text("Ä") + text("A"),
            "score": struct.pack("<d", 1.5) + bytes.fromhex("000000000000f87f") + bytes(8),
        }
    )
    assert seal_of(table()) == expected


@given(st.lists(st.integers(0, 3), max_size=4))
def test_parts_make_no_difference(cuts: list[int]) -> None:
    seal, edges = TableSeal(), [0, *sorted(cuts), 3]
    for start, end in pairwise(edges):
        seal.add(table().slice(start, end - start))
    assert seal.hexdigest() == seal_of(table())
    assert seal.rows == 3


def test_types_and_order_of_columns_make_no_difference() -> None:
    narrow = table().set_column(2, "k", pa.array([1, 2, 3], pa.int8()))
    coded = narrow.set_column(3, "symbol", table()["symbol"].dictionary_encode())
    assert seal_of(coded.select(sorted(coded.column_names, reverse=True))) == seal_of(table())
    assert seal_of(table().to_pandas()) == seal_of(table())


def test_every_nan_is_one_and_no_zero_is_negative() -> None:
    odd = np.array([0x7FF8000000000001, 0xFFF8000000000000, 0], dtype=np.uint64).view(np.float64)
    plain = pd.DataFrame({"x": [NAN, NAN, -0.0]})
    assert seal_of(pd.DataFrame({"x": odd})) == seal_of(plain)


@pytest.mark.parametrize(
    ("name", "values"),
    [("k", [1, 2, 4]), ("symbol", ["A", "A", "A"]), ("score", [np.nextafter(1.5, 2), NAN, 0.0])],
)
def test_any_other_value_gives_another_seal(name: str, values: list[object]) -> None:
    at = table().column_names.index(name)
    assert seal_of(table().set_column(at, name, pa.array(values))) != seal_of(table())


def test_texts_cannot_run_into_each_other() -> None:
    assert seal_of(pa.table({"a": ["ab", "c"]})) != seal_of(pa.table({"a": ["a", "bc"]}))


def test_order_of_rows_counts() -> None:
    assert seal_of(table().take([1, 0, 2])) != seal_of(table())


def test_a_table_without_rows_has_a_seal_of_its_columns() -> None:
    assert seal_of(table().slice(0, 0)) == seal_of(table().schema.empty_table())
    assert seal_of(pa.table({"a": pa.array([], pa.string())})) != seal_of(pa.table({"b": pa.array([], pa.string())}))


def test_true_and_false_are_1_and_0() -> None:
    flags = seal_of(pa.table({"tradable": [True, False, True]}))
    assert flags == seal_of(pa.table({"tradable": [1, 0, 1]})) != seal_of(pa.table({"tradable": [1, 1, 1]}))


def test_a_text_that_is_null_is_not_an_empty_one() -> None:
    expected = by_hand({"result": text("win") + struct.pack("<q", -1) + text("")})
    assert seal_of(pa.table({"result": ["win", None, ""]})) == expected
    assert seal_of(pd.DataFrame({"result": ["win", None, ""]})) == expected


def test_a_number_that_is_null_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"numbers has one in every row; 'k' has 1 nulls\. Write NaN\."):
        seal_of(pa.table({"k": [1, None]}))


def test_other_columns_are_refused() -> None:
    seal = TableSeal()
    seal.add(pa.table({"a": [1]}))
    with pytest.raises(InvalidInput, match=r"the same columns, \['a'\]; found \['b'\]\. Seal it apart\."):
        seal.add(pa.table({"b": [1]}))


def test_settings_are_sealed_by_value() -> None:
    assert seal_of_settings({"b": 1, "a": (1, 2)}) == seal_of_settings({"a": [1.0, 2.0], "b": 1.0})
    assert seal_of_settings({"a": True}) != seal_of_settings({"a": 1})


def test_a_tape_is_sealed_by_value() -> None:
    one, same, other = (simulated_tape(SimulatedMarket(symbols=3, seed=seed)) for seed in (7, 7, 8))
    assert seal_of_tape(one) == seal_of_tape(same) != seal_of_tape(other)
