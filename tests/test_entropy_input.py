"""What the functions of `polar_monitor.entropy` take, and what they refuse."""

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
    same(estimate(half.float()) if estimate is entropy.knn else found, found)


def test_a_tensor_with_a_gradient_is_read(x: Array) -> None:
    same(entropy.knn(torch.tensor(x, requires_grad=True)), entropy.knn(x))


def test_long_input_is_thinned_out_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polar_monitor.entropy._nearest.MOST_ROWS", 1000)
    x = np.random.default_rng(1).normal(size=2500)
    found = entropy.knn(x)
    assert (found.rows, found.thinned) == (834, 2500 - 834)
    assert "thinned" in found.flags
    same(found, entropy.knn(x[::3]))
    chunked = entropy.knn(iter(np.array_split(x, 9)))
    assert chunked.rows + chunked.thinned == 2500 and 1000 <= chunked.rows < 2000
    monkeypatch.undo()
    same(chunked, entropy.knn(x[:: round(2500 / chunked.rows)]))


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
    assert np.isnan(estimate(np.zeros(3)).value) or estimate is entropy.histogram
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
        (np.zeros((0, 2)), "above 0"),
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
    with pytest.raises(PolarMonitorError, match="k: expected 1 or more, got 0"):
        entropy.knn(x, k=0)
    with pytest.raises(PolarMonitorError, match="power of two"):
        entropy.histogram(x, bins=100)
    with pytest.raises(PolarMonitorError, match="tau: expected a number above 0"):
        entropy.resolved(x, 0.0)
    with pytest.raises(PolarMonitorError, match="one of var, logvar, std; got none"):
        entropy.information(x)
    with pytest.raises(PolarMonitorError, match="at most one"):
        entropy.information(x, np.ones_like(x), std=np.ones_like(x))
    with pytest.raises(PolarMonitorError, match=r"var: expected shape \(2000, 3\), got \(2000, 2\)"):
        entropy.information(x, np.ones((2000, 2)))
    with pytest.raises(PolarMonitorError, match="one label for each of the 2000 rows"):
        entropy.knn(x, groups=np.zeros(5))
    with pytest.raises(PolarMonitorError, match="chunks of 3 dimensions, got 2"):
        entropy.knn(iter([x, x[:, :2]]))
    with pytest.raises(PolarMonitorError, match="at least one chunk"):
        entropy.histogram(iter([]))


def test_units_of_the_spread_agree(x: Array) -> None:
    var = np.random.default_rng(2).gamma(2, 0.1, x.shape)
    expected = entropy.information(x, var)
    same(entropy.information(x, logvar=np.log(var)), expected, 1e-6)
    same(entropy.information(x, std=np.sqrt(var)), expected, 1e-6)
    same(entropy.information(1e5 * x, 1e10 * var), expected, 1e-5)
    assert not np.isfinite(entropy.information(x, np.zeros_like(x)).value).any()


def test_an_estimate_reads_well(x: Array) -> None:
    found = entropy.knn(np.where(x > 5, np.nan, x))
    assert "nats (non_finite" in str(found) and str(found).count("±") == 3
    low, high = found.interval()
    assert (low < found.value).all() and (found.value < high).all()
