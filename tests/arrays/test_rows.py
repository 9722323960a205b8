"""Arguments as rows: types, shapes, chunks, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from polar_monitor.arrays.rows import CHUNK_ROWS, Rows, as_array, as_rows, check_dimensions, chunks
from polar_monitor.errors import PolarMonitorError

X = np.random.default_rng(0).normal(size=(50, 3))


@pytest.mark.parametrize(
    ("value", "dtype", "mantissa"),
    [
        (X, np.float64, 52),
        (X.astype(np.float32), np.float32, 23),
        (X.astype(np.float16), np.float16, 10),
        (torch.tensor(X).bfloat16(), np.float32, 7),
        (torch.tensor(X, requires_grad=True), np.float64, 52),
        (X.tolist(), np.float64, 52),
        ((10 * X).astype(np.int32), np.float64, 52),
        (X > 0, np.float64, 52),
        (np.ma.masked_array(X, mask=X > 1), np.float64, 52),
    ],
    ids=["float64", "float32", "float16", "bfloat16", "gradient", "list", "integers", "bools", "masked"],
)
def test_any_real_numbers_are_read(value: Any, dtype: Any, mantissa: int) -> None:
    rows = as_rows("x", value)
    assert (rows.values.shape, rows.values.dtype, rows.mantissa) == ((50, 3), dtype, mantissa)
    assert (rows.flat, rows.given) == (False, 50)


def test_an_array_of_floats_is_not_copied() -> None:
    assert np.shares_memory(as_rows("x", X).values, X)


def test_one_axis_is_one_dimension() -> None:
    rows = as_rows("x", X[:, 0])
    assert rows.flat and rows.values.shape == (50, 1)


def test_chunks_give_the_rows_of_one_array() -> None:
    long = np.random.default_rng(1).normal(size=(5000, 2))
    expected = as_rows("x", long, 600)
    assert 300 <= len(expected.values) <= 600 and expected.given == 5000
    np.testing.assert_array_equal(expected.values, long[expected.taken])
    for pieces in (1, 3, 40):
        rows = as_rows("x", iter(np.array_split(long, pieces)), 600)
        np.testing.assert_array_equal(rows.values, expected.values)
        np.testing.assert_array_equal(rows.taken, expected.taken)


def test_a_long_array_is_read_in_pieces_and_an_iterator_in_its_own() -> None:
    long = np.zeros((CHUNK_ROWS + 5, 1), np.float32)
    assert [len(part.values) for part in chunks("x", long)] == [CHUNK_ROWS, 5]
    assert [len(part.values) for part in chunks("x", iter([X, X[:7]]))] == [50, 7]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (np.zeros((2, 2, 2)), r"x: expected shape \(n,\) or \(n, D\) with D above 0, got \(2, 2, 2\)"),
        (np.zeros((0, 2)), "x: expected at least one row, got none"),
        (iter([]), "x: expected at least one row, got an iterator of none"),
        (iter([X, X[:, :2]]), "x: expected chunks of 3 dimensions, got 2"),
        (np.zeros(3, complex), "x: expected an array of real numbers of at most 64 bits, got complex128"),
        ([[1.0], [2.0, 3.0]], "got list"),
        ("text", "got <U4|got str"),
        (torch.zeros(3, device="meta"), r"x: expected an array or a CPU tensor, got meta: pass .cpu\(\)"),
        (torch.eye(3).to_sparse(), "got Tensor"),
    ],
    ids=["three axes", "no row", "no chunk", "widths", "complex", "ragged", "text", "device", "sparse"],
)
def test_anything_else_is_refused(bad: Any, said: str) -> None:
    with pytest.raises(PolarMonitorError, match=said):
        as_rows("x", bad)


def test_dimensions_are_checked() -> None:
    rows: Rows = as_rows("x", X)
    assert check_dimensions("x", rows, 3) is rows
    with pytest.raises(PolarMonitorError, match=r"x: expected shape \(n, 2\), got \(n, 3\)"):
        check_dimensions("x", rows, 2)


def test_an_array_of_any_shape_is_read_with_its_own_type() -> None:
    array, mantissa = as_array("x", torch.zeros(2, 3, 4, dtype=torch.float16))
    assert (array.shape, array.dtype, mantissa) == ((2, 3, 4), np.float16, 10)
