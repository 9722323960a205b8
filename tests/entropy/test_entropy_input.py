"""Input that the functions of `polar_monitor.entropy` accept, and input that they refuse."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import polar_monitor
from polar_monitor import PolarMonitorError, entropy
from polar_monitor.entropy import Estimate

Array = np.ndarray[Any, Any]
ONE_SIDE: dict[str, Callable[[Any], Estimate]] = {
    "knn": entropy.knn,
    "histogram": entropy.histogram,
    "resolved": lambda x: entropy.resolved(x, 0.1),
    "negentropy": entropy.negentropy,
    "information": lambda x: entropy.information(x, np.full(getattr(x, "shape", (2000, 3)), 0.1)),
}
each = pytest.mark.parametrize("estimate", ONE_SIDE.values(), ids=ONE_SIDE.keys())


@pytest.fixture
def x() -> Array:
    return np.random.default_rng(0).normal(size=(2000, 3)) * [1.0, 0.1, 3.0]


def same(found: Estimate, expected: Estimate, within: float = 0.0) -> None:
    np.testing.assert_allclose(found.value, expected.value, rtol=within, atol=within)
    np.testing.assert_allclose(found.standard_error, expected.standard_error, rtol=max(within, 1e-12))


def test_it_is_there_without_an_import_of_its_own() -> None:
    assert polar_monitor.entropy is entropy
    with pytest.raises(AttributeError, match="no attribute 'entropie'"):
        polar_monitor.entropie  # noqa: B018


@each
def test_each_dimension_is_by_itself(estimate: Callable[[Any], Estimate], x: Array) -> None:
    together = estimate(x)
    for j in range(3):
        alone = estimate(x[:, j].copy())
        assert isinstance(alone.value, float)
        assert together.value[j] == pytest.approx(alone.value, abs=1e-12)
        assert together.standard_error[j] == pytest.approx(alone.standard_error, rel=1e-9)
        assert together.rows[j] == alone.rows == 2000
        assert float(alone) == alone.value
    with pytest.raises(TypeError, match="one dimension, got 3"):
        float(together)


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layout_changes_no_bit(estimate: Callable[[Any], Estimate], x: Array, dtype: Any, tmp_path: Path) -> None:
    x = x.astype(dtype)
    expected = estimate(x)
    wide = np.zeros((4000, 6), dtype)
    wide[::2, ::2] = x
    mapped = np.memmap(tmp_path / "rows", dtype, "w+", shape=x.shape)
    mapped[:] = x
    same(estimate(x.tolist() if dtype is np.float64 else torch.tensor(x)), expected)
    for other in (np.asfortranarray(x), wide[::2, ::2], mapped):
        same(estimate(other), expected)
    read_only = x.copy()
    read_only.flags.writeable = False
    same(estimate(read_only), expected)


@pytest.mark.parametrize("name", ["knn", "histogram", "resolved"])
def test_chunks_are_one_array(name: str, x: Array) -> None:
    x = x.astype(np.float32)
    # the error of a histogram learns of the dependence of rows from the first chunk alone
    estimate = ONE_SIDE[name] if name != "histogram" else partial(entropy.histogram, dependent=False)
    same(estimate(iter(np.array_split(x, 7))), estimate(x))


@each
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_near(estimate: Callable[[Any], Estimate], x: Array, dtype: torch.dtype) -> None:
    half = torch.tensor(x).to(dtype)
    found, expected = estimate(half), estimate(x)
    np.testing.assert_allclose(found.value, expected.value, atol=0.05)
    if dtype == torch.float16:
        same(estimate(half.numpy()), found)
    if estimate is entropy.knn:
        same(estimate(half.float()), found)  # recognised by its bits


def test_a_tensor_with_a_gradient_is_read(x: Array) -> None:
    same(entropy.knn(torch.tensor(x, requires_grad=True)), entropy.knn(x))


def test_long_input_is_thinned_out_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polar_monitor.entropy._nearest.MAX_ROWS", 1000)
    x = np.random.default_rng(1).normal(size=2500)
    found = entropy.knn(x)
    assert (found.rows, found.thinned) == (625, 2500 - 625)
    assert "thinned" in found.flags
    for pieces in (2, 9):
        same(entropy.knn(iter(np.array_split(x, pieces))), found)
    with_groups = entropy.knn(x, groups=np.arange(2500) // 2)
    assert with_groups.rows == 625 and with_groups.standard_error > 0


def test_thinning_sees_all_phases_of_a_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polar_monitor.entropy._nearest.MAX_ROWS", 4000)
    rng = np.random.default_rng(0)
    x = np.arange(32_000) % 8 * 100 + rng.uniform(size=32_000)
    assert float(entropy.knn(x)) == pytest.approx(np.log(8), abs=0.1)


def test_memory_is_bounded_whatever_the_length() -> None:
    def chunks() -> Any:
        rng = np.random.default_rng(0)
        for _ in range(300):
            yield rng.normal(size=(20_000, 2)).astype(np.float32)

    entropy.histogram(iter([np.zeros((100, 2), np.float32)]))
    tracemalloc.start()
    found = entropy.histogram(chunks())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert list(found.rows) == [6_000_000, 6_000_000]
    assert peak < 8 * 2**20, "48 MB went through"


@each
def test_too_few_rows_are_nan(estimate: Callable[[Any], Estimate]) -> None:
    if estimate is not entropy.histogram:
        assert np.isnan(estimate(np.zeros(3)).value)
    gone = np.full((100, 2), np.nan)
    gone[:, 1] = np.random.default_rng(0).normal(size=100)
    found = estimate(gone)
    assert np.isnan(found.value[0]) and np.isfinite(found.value[1])
    assert list(found.non_finite) == [100, 0]


@each
@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (np.zeros((2, 2, 2)), r"shape \(n,\) or \(n, D\)"),
        (np.zeros((0, 2)), "at least one row"),
        (np.zeros((2, 0)), "D above 0"),
        ("abc", "real numbers"),
        (np.zeros(4, complex), "real numbers"),
        ([[1.0], [2.0, 3.0]], "real numbers"),
    ],
    ids=str,
)
def test_what_is_refused(estimate: Callable[[Any], Estimate], bad: Any, said: str) -> None:
    with pytest.raises(PolarMonitorError, match=said):
        estimate(bad)


def test_arguments_are_checked(x: Array) -> None:
    with pytest.raises(PolarMonitorError, match="k: expected a whole number of 1 or more, got 0"):
        entropy.knn(x, k=0)
    for k in ("3", 2.5):
        with pytest.raises(PolarMonitorError, match="k: expected a whole number"):
            entropy.knn(x, k=k)  # type: ignore[arg-type]
    with pytest.raises(PolarMonitorError, match="groups: expected a number or a string"):
        entropy.knn(x, groups=[None, 1] * 1000)
    with pytest.raises(PolarMonitorError, match="tau"):
        entropy.resolved(x, "a")
    with pytest.raises(PolarMonitorError, match="bins: expected a whole number of 64 or more, got 2"):
        entropy.histogram(x, bins=2)
    with pytest.raises(PolarMonitorError, match="power of two"):
        entropy.histogram(x, bins=100)
    with pytest.raises(PolarMonitorError, match="tau: expected a number above 0"):
        entropy.resolved(x, 0.0)
    with pytest.raises(PolarMonitorError, match="one of var, logvar, std, logstd; got none"):
        entropy.information(x)
    with pytest.raises(PolarMonitorError, match="at most one"):
        entropy.information(x, np.ones_like(x), std=np.ones_like(x))
    with pytest.raises(PolarMonitorError, match=r"var: expected shape \(2000, 3\), got \(2000, 2\)"):
        entropy.information(x, np.ones((2000, 2)))
    with pytest.raises(PolarMonitorError, match="for each of 2000 rows, got"):
        entropy.knn(x, groups=np.zeros(5))
    with pytest.raises(PolarMonitorError, match="chunks of 3 dimensions, got 2"):
        entropy.knn(iter([x, x[:, :2]]))
    with pytest.raises(PolarMonitorError, match="at least one row"):
        entropy.histogram(iter([]))


def test_units_of_the_spread_agree(x: Array) -> None:
    var = np.random.default_rng(2).gamma(2, 0.1, x.shape)
    expected = entropy.information(x, var)
    same(entropy.information(x, logvar=np.log(var)), expected, 1e-6)
    same(entropy.information(x, std=np.sqrt(var)), expected, 1e-6)
    alone = entropy.information(x, var, dependent=False)
    same(entropy.information(1e5 * x, 1e10 * var, dependent=False), alone, 5e-3)
    assert not np.isfinite(entropy.information(x, np.zeros_like(x)).value).any()


def test_an_estimate_reads_well(x: Array) -> None:
    found = entropy.knn(np.where(x > 5, np.nan, x))
    assert "nats (non_finite" in str(found) and str(found).count("±") == 3
    low, high = found.interval()
    assert (low < found.value).all() and (found.value < high).all()


@pytest.mark.parametrize("estimate", [entropy.knn, entropy.histogram, entropy.negentropy])
@pytest.mark.parametrize("scale", [1e-300, 1e-45, 1e-20, 1e20, 1e300])
def test_float64_of_any_size_keeps_its_digits(estimate: Callable[[Any], Estimate], x: Array, scale: float) -> None:
    shift = 0.0 if estimate is entropy.negentropy else np.log(scale)
    within = 0.02 if estimate is entropy.histogram else 1e-3  # its bins lie elsewhere
    np.testing.assert_allclose(estimate(scale * x).value, estimate(x).value + shift, atol=within)


@pytest.mark.parametrize("scale", [1e-300, 1e-20, 1e20, 1e300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_information_does_not_change_with_the_unit(x: Array, scale: float, dtype: Any) -> None:
    if dtype is np.float32 and not 1e-30 < scale < 1e30:
        scale = np.sqrt(scale) ** 0.2
    found = entropy.resolved((scale * x).astype(dtype), 0.1 * scale)
    np.testing.assert_allclose(found.value, entropy.resolved(x, 0.1).value, atol=1e-4)
    if 1e-150 < scale < 1e150:
        told = entropy.information((scale * x).astype(dtype), np.full(x.shape, (0.1 * scale) ** 2))
        np.testing.assert_allclose(told.value, found.value, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_the_floor_is_the_cell_of_the_type(dtype: str) -> None:
    constant = torch.full((100,), 3.0, dtype=getattr(torch, dtype))
    cell = 1 - {"bfloat16": 7, "float16": 10, "float32": 23, "float64": 52}[dtype]
    for estimate in (entropy.knn, entropy.histogram):
        assert float(estimate(constant)) == pytest.approx(cell * np.log(2.0), abs=1e-9)


def test_masked_values_are_left_out(x: Array) -> None:
    masked = np.ma.masked_array(x, mask=x > 1)
    same(entropy.knn(masked), entropy.knn(np.where(x > 1, np.nan, x)))


def test_where_a_stream_begins_does_not_matter() -> None:
    far = 1e6 + 1e-4 * np.random.default_rng(0).normal(size=5000)
    found = entropy.histogram(iter([np.full(100, np.nan), np.zeros(0), far]))
    assert float(found) == pytest.approx(float(entropy.histogram(far)), abs=1e-9)
    assert found.non_finite == 100
