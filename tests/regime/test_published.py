"""The published criteria on values that their papers, their code or arithmetic give."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from records import ACTIVE, MIXED, PASSIVE, UNDECIDED, make_snapshot

from polar_monitor import PolarMonitorError, criteria
from polar_monitor.criteria import CRITERIA, SHARP, active_units, delta_kl, rolinek, rolinek_sd
from polar_monitor.regime.published import MINMAX_CUT, criteria_table
from polar_monitor.statistics.snapshot import Snapshot
from polar_monitor.statistics.stream import LatentStream


def measured(mean: Any, var: Any = None, prior: Any = None) -> Snapshot:
    """The snapshot of rows (n, D)."""
    mean = np.asarray(mean, np.float32)
    stream = LatentStream(mean.shape[1], has_variance=var is not None, prior=prior)
    stream.update(mean, None if var is None else np.array(np.broadcast_to(var, mean.shape), np.float32))
    return stream.snapshot(step=0)


def given(**values: list[float]) -> Snapshot:
    """A snapshot in which these statistics have these values."""
    dimensions = len(next(iter(values.values())))
    return replace(
        make_snapshot(100, [ACTIVE] * dimensions), **{name: np.array(value, float) for name, value in values.items()}
    )


def column(*values: float) -> np.ndarray[Any, Any]:
    return np.array(values)[:, None]


@pytest.mark.parametrize(
    ("share", "label"), [(0.0, PASSIVE), (0.101, PASSIVE), (0.102, MIXED), (0.90, MIXED), (0.91, ACTIVE), (1.0, ACTIVE)]
)
def test_bonheme_by_the_share_of_inputs_with_a_variance_of_one_hundredth(share: float, label: str) -> None:
    variance = np.where(np.arange(2000) < share * 2000, 0.01, 1.0)[:, None]
    assert CRITERIA["bonheme"](measured(np.zeros((2000, 1)), variance)) == (label,)


@pytest.mark.parametrize(
    ("variance", "label"), [(0.02, ACTIVE), (1.0, PASSIVE), (0.3, MIXED), (2.72, MIXED), (1.02, PASSIVE)]
)
def test_bonheme_by_a_variance_that_is_the_same_for_every_input(variance: float, label: str) -> None:
    assert CRITERIA["bonheme"](measured(np.zeros((64, 1)), variance)) == (label,)


def test_the_code_of_clapham_on_its_own_example() -> None:
    mean = [[1.0, 0.0, 0.0]] * 4
    sigma = [[0.1, 1.0, 0.1], [0.1, 1.0, 0.1], [0.1, 1.0, 1.0], [0.1, 1.0, 1.0]]
    assert CRITERIA["clapham_code"](measured(mean, np.square(sigma))) == (ACTIVE, PASSIVE, MIXED)


def test_the_code_of_clapham_calls_one_input_of_each_kind_mixed_before_anything_else() -> None:
    """One at the prior among 999 narrow ones is active and mixed there, the other way round passive and mixed."""
    for common, rare in ((0.1, 1.0), (1.0, 0.4)):
        sigma = np.full((1000, 1), common)
        sigma[0] = rare
        assert CRITERIA["clapham_code"](measured(np.zeros((1000, 1)), sigma**2)) == (MIXED,)


@pytest.mark.parametrize(("mean", "sigma"), [(0.0, 0.7), (0.2, 1.0), (0.0, 1.2)])
def test_the_code_of_clapham_leaves_what_is_between_undecided(mean: float, sigma: float) -> None:
    assert CRITERIA["clapham_code"](measured(np.full((64, 1), mean), sigma**2)) == (UNDECIDED,)


def test_the_divergence_is_that_of_its_closed_form() -> None:
    s = measured([[2.0, -1.0]] * 40, 1.0)
    assert s.kl == pytest.approx([2.0, 0.5])  # 2.5 in all
    assert CRITERIA["kl"](s) == CRITERIA["kl_udr"](s) == (ACTIVE, ACTIVE)
    assert measured([[2.0, -1.0]] * 40, 1.0, prior=(np.array([2.0, -1.0]), 1.0)).kl == pytest.approx([0.0, 0.0])


@pytest.mark.parametrize(
    ("name", "statistic", "cut", "at"),
    [
        ("active_units", "variance", 0.01, PASSIVE),
        ("rolinek", "variance", 0.5, PASSIVE),
        ("rolinek_sd", "variance", 0.25, PASSIVE),
        ("kl", "kl", 0.1, PASSIVE),
        ("kl_udr", "kl", 0.01, PASSIVE),
        ("drvi", "mean_largest", 0.5, ACTIVE),
        ("minmax_entropy", "entropy_minmax", MINMAX_CUT, PASSIVE),
        ("mean_entropy", "entropy_knn", 0.5 * math.log(4 * math.pi * math.e * 0.1), PASSIVE),
    ],
)
def test_cuts(name: str, statistic: str, cut: float, at: str) -> None:
    below, above = cut * (1 - 1e-9), cut * (1 + 1e-9)
    assert CRITERIA[name](given(**{statistic: [below, cut, above]})) == (PASSIVE, at, ACTIVE)


def test_the_pruning_of_factor_vae_is_a_variance_of_a_four_hundredth() -> None:
    assert CRITERIA["factor_vae"](given(variance=[0.0024, 0.0026])) == (PASSIVE, ACTIVE)


def test_active_units_of_few_rows_depend_on_the_degrees_of_freedom() -> None:
    x = column(*np.linspace(-1, 1, 10)) * 0.1561
    s = measured(x)
    assert np.var(x) < 0.01 < np.var(x, ddof=1)
    assert active_units(s) == (PASSIVE,)
    assert active_units(s, ddof=1) == (ACTIVE,)


@pytest.mark.parametrize(("used", "label"), [(0, PASSIVE), (10, PASSIVE), (11, ACTIVE), (500, ACTIVE)])
def test_a_collapsed_dimension_has_ninety_nine_hundredths_of_its_inputs_at_the_prior(used: int, label: str) -> None:
    mean = np.where(np.arange(1000) < used, 3.0, 0.14)[:, None]  # 0.14² / 2 = 0.0098 nats
    assert CRITERIA["lucas"](measured(mean, 1.0)) == (label,)


def test_where_vanished_looks_at_both_ends() -> None:
    assert CRITERIA["drvi"](measured(column(*[0.1] * 40, -0.6))) == (ACTIVE,)
    assert CRITERIA["drvi"](measured(column(*[0.1] * 40, -0.4))) == (PASSIVE,)


NEED_NO_VARIANCE = {
    "active_units",
    "drvi",
    "factor_vae",
    "mean_entropy",
    "minmax_entropy",
    "rolinek",
    "rolinek_sd",
}


@pytest.mark.parametrize("name", sorted(CRITERIA))
def test_who_needs_a_variance_says_so(name: str) -> None:
    label = CRITERIA[name](measured(np.random.default_rng(0).normal(size=(600, 1))))[0]
    assert (label is not UNDECIDED) == (name in NEED_NO_VARIANCE)
    assert CRITERIA[name].needs_variance == (name not in NEED_NO_VARIANCE)


@pytest.mark.parametrize("name", sorted(CRITERIA))
def test_a_dimension_of_nothing_finite_is_undecided_and_the_others_are_not(name: str) -> None:
    mean = np.random.default_rng(1).normal(size=(600, 3)) * [1.0, 1.0, 0.01]
    whole = measured(mean, [0.02, 0.02, 1.0])
    mean[:, 1] = np.nan
    spoiled = CRITERIA[name](measured(mean, [0.02, 0.02, 1.0]))
    assert spoiled[1] is UNDECIDED
    assert spoiled[::2] == CRITERIA[name](whole)[::2]
    assert UNDECIDED not in spoiled[::2]


def linear_vae(*eigenvalues: float) -> Snapshot:
    """Means and variances of the optimal linear VAE with unit noise: Var μ = 1 − 1/λ, σ² = 1/λ (λ ≥ 1)."""
    noise = 1 / np.array(eigenvalues)
    grid = np.random.default_rng(3).normal(size=(4000, len(noise)))
    grid = (grid - grid.mean(0)) / grid.std(0)
    return measured(np.sqrt(1 - noise) * grid, noise)


def test_delta_kl_of_linear_autoencoders() -> None:
    """High though the regime is understood entirely: it asks for sharp active dimensions, not for two groups."""
    graded = linear_vae(10.0, 5.0, 1.99, 1.2)
    assert delta_kl(graded) == pytest.approx(0.245, abs=0.002)
    assert delta_kl(graded, rolinek_sd) == delta_kl(graded, "rolinek_sd") == pytest.approx(0.20, abs=0.01)
    assert delta_kl(graded, lambda s: [str(label) for label in rolinek_sd(s)]) == delta_kl(graded, rolinek_sd)
    with pytest.raises(PolarMonitorError, match="criterion: expected one of"):
        delta_kl(graded, "rolinek_var")
    with pytest.raises(PolarMonitorError, match="label: expected one of active, passive"):
        delta_kl(graded, lambda s: ["on"] * s.dimensions)
    assert delta_kl(linear_vae(100.0, 50.0, 20.0)) == pytest.approx(0.007, abs=0.001)
    assert SHARP == 0.03


def test_delta_kl_is_that_of_its_sums() -> None:
    rng = np.random.default_rng(4)
    mean, variance = rng.normal(size=(900, 4)) * [1.5, 0.1, 0.9, 0.0], rng.gamma(3.0, 0.1, (900, 4))
    mean, variance = mean.astype(np.float32).astype(float), variance.astype(np.float32).astype(float)
    active = mean.var(axis=0) > 0.5
    total = 0.5 * (mean**2 + variance - np.log(variance) - 1).mean(axis=0).sum()
    kept = 0.5 * (mean**2 - np.log(variance) - 1).mean(axis=0)[active].sum()
    assert delta_kl(measured(mean, variance)) == pytest.approx(abs(total - kept) / total, rel=1e-5)


def test_delta_kl_is_for_the_standard_prior_only() -> None:
    mean = np.random.default_rng(5).normal(size=(600, 2))
    assert math.isfinite(delta_kl(measured(mean, 0.1)))
    assert math.isnan(delta_kl(measured(mean, 0.1, prior=(0.0, 2.0))))
    assert math.isnan(delta_kl(measured(mean)))
    assert math.isnan(delta_kl(measured(np.zeros((600, 2)), 1.0)))


def test_rolinek_has_two_readings() -> None:
    s = given(variance=[0.2, 0.3, 0.6])
    assert (rolinek(s), rolinek_sd(s)) == ((PASSIVE, PASSIVE, ACTIVE), (PASSIVE, ACTIVE, ACTIVE))


@pytest.mark.parametrize("name", sorted(CRITERIA))
def test_a_criterion_by_its_own_name_is_the_one_of_the_table(name: str) -> None:
    s = measured(np.random.default_rng(6).normal(size=(600, 4)) * [1.0, 0.5, 0.1, 0.01], [0.01, 0.5, 1.0, 1.0])
    assert getattr(criteria, name)(s) == CRITERIA[name](s)
    assert set(CRITERIA[name](s)) <= {*CRITERIA[name].labels, UNDECIDED}
    assert pickle.loads(pickle.dumps(CRITERIA[name]))(s) == CRITERIA[name](s)


def test_the_documentation_has_the_table_of_criteria() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "labels" / "what-is-measured.md").read_text(encoding="utf-8")
    written = page.split("<!-- criteria -->")[1].split("<!-- /criteria -->")[0].strip()
    assert written == criteria_table(), "put the output of polar_monitor.regime.published.criteria_table() there"
    lines = {line.split("`")[1]: line for line in written.splitlines()[2:]}
    assert sorted(lines) == sorted(CRITERIA)
    for name, criterion in CRITERIA.items():
        assert criterion.source in lines[name]
        assert criterion.cut.replace("|", "\\|") in lines[name]


def test_an_explanation_shows_the_number_beside_the_cut() -> None:
    s = given(variance=[0.001, 0.7], share_collapsed=[0.995, 0.5], posterior_variance=[0.3, 0.05],
              posterior_variance_spread=[0.0, 0.0])  # fmt: skip
    assert [CRITERIA["rolinek"].explain(s, j) for j in (0, 1)] == [
        "Var μ = 0.001 is at most 0.5",
        "Var μ = 0.7 is above 0.5",
    ]
    assert CRITERIA["lucas"].explain(s, 0) == "share of inputs with a KL below 0.01 nats = 99.5 % is at least 99 %"
    assert CRITERIA["bonheme"].explain(s, 0) == "mean σ² = 0.3 is above 0.1 and below 0.9"
    assert CRITERIA["bonheme"].explain(s, 1) == "Var σ² = 0 is below 0.1, mean σ² = 0.05 is at most 0.1"
