"""Rows as the kernels take them: nothing is lost of their digits, their grid or their place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from polar_monitor.arrays import columns as blocks
from polar_monitor.arrays.columns import centre_and_exponent, columns, log_cell, precision, scaled, transposed
from polar_monitor.arrays.rows import as_rows

X = np.random.default_rng(0).normal(size=(400, 5))


def back(part: Any, x: np.ndarray) -> np.ndarray:
    """Differences of neighbours in the given unit, which a shift does not change."""
    return np.diff(part.rows.astype(np.float64) * np.exp(part.log_scale)[:, None], axis=1)


@pytest.mark.parametrize("shift", [0.0, 1e6])
@pytest.mark.parametrize("scale", [1e-200, 1e-4, 1.0, 1e200])
def test_float64_keeps_its_digits(shift: float, scale: float) -> None:
    x = scale * (X + shift)
    for part in columns(as_rows("x", x)):
        expected = np.diff(x[:, part.which].T, axis=1)
        np.testing.assert_allclose(back(part, x) / scale, expected / scale, atol=1e-5)


def test_each_dimension_has_its_own_finite_rows() -> None:
    x = X.copy()
    x[3, 1] = np.nan
    x[[0, 7], 4] = np.inf
    seen = {}
    for part in columns(as_rows("x", x.astype(np.float32))):
        assert np.isfinite(part.rows).all() and part.rows.flags.c_contiguous
        for place, j in enumerate(part.which):
            seen[int(j)] = part.rows[place], np.arange(400)[part.kept]
    assert sorted(seen) == [0, 1, 2, 3, 4]
    for j, (values, kept) in seen.items():
        np.testing.assert_array_equal(values, x[kept, j].astype(np.float32))
        assert len(values) == np.isfinite(x[:, j]).sum()


def test_rows_can_be_left_out_for_another_reason() -> None:
    keep = np.ones(X.shape, bool)
    keep[::2, 0] = False
    sizes = {int(j): part.rows.shape[1] for part in columns(as_rows("x", X), keep) for j in part.which}
    assert sizes == {0: 200, 1: 400, 2: 400, 3: 400, 4: 400}


def test_blocks_have_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MAX_BLOCK_BYTES", 8 * 400 * 2)
    assert [list(part.which) for part in columns(as_rows("x", X))] == [[0, 1], [2, 3], [4]]


def test_low_precision_in_a_wide_type_is_recognised() -> None:
    half = X[:, 0].astype(np.float16)
    assert precision(half.astype(np.float32), 23) == 10
    assert precision(half.astype(np.float64), 52) == 10
    assert precision(X[:, 0], 52) == 52
    assert precision(np.repeat(half[:4], 100).astype(np.float32), 23) == 23  # too few distinct values to know
    (part,) = columns(as_rows("x", half.astype(np.float64)))
    assert part.mantissa == 10 and part.log_scale[0] == 0.0  # on its grid
    np.testing.assert_array_equal(part.rows[0], half.astype(np.float32))


def test_centre_and_exponent_bring_the_spread_near_one() -> None:
    centre, exponent = centre_and_exponent(1e-30 * (X.T + 5))
    np.testing.assert_allclose(centre, 5e-30, rtol=0.1)
    moved = scaled(1e-30 * (X.T + 5), centre, exponent)
    assert (moved.std(axis=1) > 0.1).all() and (moved.std(axis=1) < 1).all()


def test_finite_values_stay_finite() -> None:
    x = np.array([[1e300, -1e300, np.inf, np.nan]])
    moved = scaled(x, np.zeros(1), np.array([0]))
    assert np.isfinite(moved[0, :2]).all() and np.isinf(moved[0, 2]) and np.isnan(moved[0, 3])


@pytest.mark.parametrize("dimensions", [1, 3, 4, 10, 33, 513, 515])
@pytest.mark.parametrize("n", [0, 1, 7, 130])
def test_transposed_is_the_transpose(n: int, dimensions: int) -> None:
    rows = np.random.default_rng(0).normal(size=(n, dimensions)).astype(np.float32)
    read_only = rows.copy()
    read_only.flags.writeable = False
    for same in (rows, read_only, np.asfortranarray(rows), np.repeat(rows, 2, axis=0)[::2]):
        out = np.full((dimensions, n + 5), 7.0, np.float32)
        assert transposed(same, out, 3) is out
        np.testing.assert_array_equal(out[:, 3 : n + 3], rows.T)
        assert (out[:, [0, 1, 2, n + 3, n + 4]] == 7.0).all()


@pytest.mark.parametrize(("shape", "place"), [((5, 9), 0), ((5, 12), 3), ((4, 12), 0), ((6, 12), 0), ((5, 12), -1)])
def test_transposed_writes_inside_only(shape: tuple[int, int], place: int) -> None:
    with pytest.raises(ValueError, match="room for 10 rows of 5"):
        transposed(np.zeros((10, 5), np.float32), np.zeros(shape, np.float32), place)


@pytest.mark.parametrize(("value", "dtype"), [(3.0, np.float32), (-1e-3, np.float32), (1e-310, np.float64)])
def test_the_cell_is_the_distance_to_the_next_number(value: float, dtype: Any) -> None:
    mantissa = {np.float32: 23, np.float64: 52}[dtype]
    step = np.spacing(np.abs(dtype(value))) if value > 1e-300 or value < 0 else None
    if step is not None:
        assert log_cell(value, mantissa) == pytest.approx(math.log(step))
    assert log_cell(0.0, mantissa) == pytest.approx(-149 * math.log(2))
