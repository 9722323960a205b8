"""The ground truth by intervention: against closed forms, brute force and models whose use of z is written by hand."""

from __future__ import annotations

import ast
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from torch import Tensor, nn

from bench import zoo
from bench.regimes import gates, sensitivity
from bench.regimes.__main__ import kept_models
from bench.regimes.training import grid, train, truth
from bench.regimes.training.intervention import intervene
from bench.regimes.training.materials import rebuilt
from bench.regimes.training.record import load, load_all
from polar_monitor.demo import models

ROOT = Path(__file__).resolve().parents[2]
EIGENVALUES = (9.0, 4.0, 2.0, 0.5)


def optimal(beta: float, noise: float) -> zoo.LinearVae:
    """A linear VAE at its optimum for data with EIGENVALUES along the axes of `linear_gaussian`; no training."""
    axes = np.linalg.qr(np.random.default_rng(4).normal(size=(4, 4)))[0]
    e = beta * noise
    values = np.array(EIGENVALUES)
    gain = np.sqrt(np.maximum(values - e, 0.0))
    model = zoo.LinearVae(4, 4, noise)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.decoder.weight.copy_(torch.from_numpy(axes * gain))
        model.fc_mu.weight.copy_(torch.from_numpy((axes * gain / values).T))
        model.fc_logvar.bias.copy_(torch.from_numpy(np.log(e / np.maximum(values, e))))
    return model


@pytest.mark.parametrize(("beta", "noise"), [(1.0, 1.0), (3.0, 1.0), (0.5, 0.2), (20.0, 1.0)])
def test_rises_in_a_linear_vae_are_those_of_the_closed_form(beta: float, noise: float) -> None:
    x, _ = zoo.linear_gaussian(8192, EIGENVALUES)
    found = intervene(optimal(beta, noise), x)
    expected = zoo.linear_optimum(EIGENVALUES, beta, noise)
    for rows, value in ((found.by_draw, expected.rise), (found.by_mean, expected.rise / 2)):
        mean, error = truth.mean_and_error(rows)
        assert (np.abs(mean - value) <= 4 * error + 1e-3 * value + 1e-5).all(), (mean, value, error)
    together, error = truth.mean_and_error(found.all_by_draw)
    assert together == pytest.approx(expected.rise.sum(), abs=4 * float(error) + 1e-4)
    labels = truth.labels(found.by_draw, truth.unit(beta, float(together), found.loss))
    informative = 0.5 * np.log(1 + truth.USED)
    assert labels == tuple("active" if value > informative else "passive" for value in expected.information)


class Gate(nn.Module):
    """x = (a, b, 0): z_0 = a, z_1 = b, z_2 = 0; the decoder reads z_1 only where a > 0 and z_2 never."""

    def encode(self, x: Tensor, u: Tensor | None = None) -> tuple[Tensor, None]:
        return x, None

    def decode(self, z: Tensor) -> Tensor:
        return torch.stack([z[:, 0], torch.where(z[:, 0] > 0, z[:, 1], 0.0)], dim=1)

    def reconstruction(self, x: Tensor, z: Tensor) -> Tensor:
        return models.squared_error(self.decode(x), self.decode(z))

    def prior(self, u: Tensor | None = None) -> tuple[Tensor, Tensor] | None:
        return None if u is None else (u, torch.full_like(u, -40.0))


def rows_of_a_gate(n: int) -> Tensor:
    rng = np.random.default_rng(0)
    x = np.stack([rng.normal(size=n), 5.0 + rng.normal(size=n), np.zeros(n)], axis=1)
    return torch.from_numpy(x.astype(np.float32))


def test_draws_from_the_marginal_average_to_every_pair_of_inputs() -> None:
    x = rows_of_a_gate(96)
    model = Gate()
    exact = np.zeros((96, 3))
    for i in range(96):
        for j in range(3):
            changed = x[i].repeat(96, 1)
            changed[:, j] = x[:, j]
            exact[i, j] = model.reconstruction(x[i].repeat(96, 1), changed).mean()
    found = intervene(model, x, draws=96)
    np.testing.assert_allclose(found.by_draw, exact, rtol=0.15, atol=0.02)
    np.testing.assert_allclose(found.by_draw.mean(0), exact.mean(0), rtol=0.01)


def test_only_inputs_that_the_decoder_reads_a_dimension_for_use_it() -> None:
    x = rows_of_a_gate(2048)
    found = intervene(Gate(), x)
    used = x[:, 0].numpy() > 0
    assert (found.by_draw[~used, 1] == 0).all()
    assert (found.by_draw[used, 1] > 0.2).all()
    assert truth.labels(found.by_draw, unit=0.2) == ("active", "mixed", "passive")
    share, low, high = truth.share_in_use(found.by_draw, unit=0.2)
    assert low[1] < used.mean() < high[1]
    assert share[1] == pytest.approx(used.mean(), abs=0.01)


def test_what_the_prior_knows_is_not_used_beyond_it() -> None:
    """With p(z | u) at z itself a draw from it changes nothing; where it is elsewhere, it does."""
    x = rows_of_a_gate(256)
    found = intervene(Gate(), x, x)
    assert found.by_prior is not None
    assert np.abs(found.by_prior).max() < 1e-6
    assert found.by_draw.mean(0)[0] > 1
    elsewhere = intervene(Gate(), x, x + 1)
    assert elsewhere.by_prior is not None
    assert elsewhere.by_prior[:, 0].min() >= 0.99


@given(st.floats(-3, 4), st.integers(0, 2**31))
def test_a_gaussian_dimension_that_all_inputs_use_alike_is_never_mixed(log: float, seed: int) -> None:
    """Rises of a linear VAE's inputs, see the module's docstring: skewed, but of one kind."""
    h = math.exp(log)
    place = np.random.default_rng(seed).normal(size=(2048, 1))
    rows = h / (2 * (1 + h)) * (h + (h + 2) * place**2)
    (label,) = truth.labels(rows, 1.0)
    assert label in ("active", "passive", "unclear")
    if not 0.17 < h < 0.23:
        assert label == ("active" if h > truth.USED else "passive")


def test_rises_of_single_inputs_are_those_of_the_closed_form() -> None:
    x, coordinates = zoo.linear_gaussian(8192, EIGENVALUES)
    rows = intervene(optimal(1.0, 1.0), x, draws=64).by_draw
    for j, value in enumerate(EIGENVALUES[:3]):
        h = value - 1
        expected = h / (2 * (1 + h)) * (h + (h + 2) * coordinates[:, j] ** 2)
        assert np.corrcoef(rows[:, j], expected)[0, 1] > 0.97
        assert np.quantile(rows[:, j], (0.25, 0.5, 0.9)) == pytest.approx(
            np.quantile(expected, (0.25, 0.5, 0.9)), rel=0.15
        )


@pytest.mark.parametrize(
    ("share", "label"),
    [
        (0.0, "passive"),
        (0.02, "passive"),
        (0.1, "mixed"),
        (0.5, "mixed"),
        (0.9, "mixed"),
        (0.99, "active"),
        (1.0, "active"),
    ],
)
def test_labels_by_the_share_of_inputs_that_use_a_dimension(share: float, label: str) -> None:
    rng = np.random.default_rng(0)
    used = rng.random((2048, 1)) < share
    rows = np.where(used, rng.uniform(3, 30, (2048, 1)), 0.02 * rng.normal(size=(2048, 1)))
    assert truth.labels(rows, 1.0) == (label,)
    assert truth.labels(7 * rows, 7.0) == (label,)
    without = truth.labels(rows, 1.0, mixed=False)[0]
    assert without == ("passive" if share == 0 else "active")


def test_a_share_at_the_limit_and_a_rise_at_the_cut_are_unclear() -> None:
    rng = np.random.default_rng(0)
    at_the_cut = truth.USED + 0.1 * rng.normal(size=2048)
    at_the_limit = np.where(np.arange(2048) < 0.055 * 2048, 10.0, 0.0)
    assert truth.labels(np.stack([at_the_cut, at_the_limit], axis=1), 1.0) == ("unclear", "unclear")


def test_a_dimension_without_two_kinds_of_inputs_is_not_mixed() -> None:
    spread = np.exp(np.random.default_rng(0).normal(math.log(0.45), 0.8, (2048, 1)))
    assert min((spread <= 0.2).mean(), (spread >= 1).mean()) > 0.08
    assert truth.labels(spread, 1.0) == ("active",)


@pytest.mark.parametrize(
    ("rises", "verdict"),
    [
        ((0.0, 0.01), "none used"),
        ((5.0, 2.0), "all used"),
        ((5.0, 0.01), "two groups"),
        ((5.0, 0.13, 0.01), "graded"),
        ((5.0, 0.3), "graded"),
    ],
)
def test_verdicts(rises: tuple[float, ...], verdict: str) -> None:
    noise = 0.01 * np.random.default_rng(0).normal(size=(2048, len(rises)))
    assert truth.verdict(np.array(rises) + noise, 1.0) == verdict


def test_the_unit_is_the_price_or_a_part_of_what_the_code_explains() -> None:
    assert truth.unit(4.0, 100.0, 50.0) == 4.0
    assert truth.unit(math.nan, 100.0, 50.0) == pytest.approx(5.0)
    assert truth.unit(math.nan, 1e-4, 50.0) == pytest.approx(0.05 * 0.5)
    np.testing.assert_allclose(truth.importance(np.array([-1.0, 2.0]), 4.0), [0.0, 0.5])
    assert np.isnan(truth.importance(np.array([1.0]), 0.0)).all()


@pytest.mark.parametrize(("k", "n"), [(0, 100), (3, 100), (100, 100), (1024, 2048)])
def test_wilson_bounds_are_those_of_scipy(k: int, n: int) -> None:
    low, high = truth.wilson(np.array([k / n]), n)
    expected = binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high), abs=1e-4)


def test_names_of_the_grid_are_unique_and_the_quick_ones_are_among_them() -> None:
    full, quick = grid.full(), grid.quick()
    assert len({spec.name for spec in full}) == len(full) >= 60
    assert set(quick) <= set(full)
    assert [spec.seed for spec in quick].count(grid.REPORTED[0]) == 10 == len(quick) / 2
    assert {spec.family for spec in full} == {
        "beta-vae", "conv-vae", "linear-vae", "ivae", "least-volume", "rae-l2", "rae-sn", "autoencoder", "penalised",
        "column-decay",
    }  # fmt: skip


@pytest.mark.parametrize(
    "spec",
    [
        grid.Spec("ivae", "auxiliary", 3.0, 1, steps=64),
        grid.Spec("beta-vae", "digits", 1.0, 0, steps=64),
        grid.Spec("least-volume", "patches", 1.0, 0, steps=64),
    ],
    ids=lambda spec: spec.family,
)
def test_a_record_comes_back_as_it_was_and_a_training_repeats(
    spec: grid.Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "INTERVENED", 128)
    made, again = train.make(spec), train.make(spec)
    path = made.save(tmp_path)
    assert path.name == f"{spec.name}.npz"
    back = load(path)
    for name, value in vars(made).items():
        if name not in ("trajectory", "weights"):
            np.testing.assert_array_equal(getattr(back, name), value, err_msg=name)
        if name not in ("trajectory", "weights", "seconds"):
            np.testing.assert_array_equal(getattr(again, name), value, err_msg=name)
    assert back.trajectory.keys() == made.trajectory.keys()
    for name, array in made.trajectory.items():
        np.testing.assert_array_equal(back.trajectory[name], array)
        np.testing.assert_array_equal(again.trajectory[name], array)
    assert made.trajectory["information"].shape == (32, made.dimensions)
    assert made.trajectory["step"].tolist() == list(range(2, 66, 2))
    assert len(made.mean) == len(made.targets) == len(made.z)
    assert made.targets.shape[1] == len(made.target_names)
    assert (made.logvar is None) == math.isnan(made.price) == (spec.family == "least-volume")
    assert (made.prior_mean is None) == (made.truth_given_prior is None) == (spec.family != "ivae")
    assert [one.name for one in load_all(tmp_path)] == [spec.name]
    assert (made.weights is None) == (rebuilt(back) is None) == (spec.family != "least-volume")
    assert sensitivity.relabelled(back, 1.0) == made.truth
    assert f"1 models, {made.dimensions} dimensions" in sensitivity.changes([back])
    assert len(sensitivity.pooled([back]).splitlines()) == 3
    monkeypatch.setattr(gates, "data_variance", lambda name: 1.0)
    found = gates.measured(tmp_path)
    assert [one.rise for one in found] == ([back.rise_all / back.loss] if back.weights is not None else [])


def test_gates_that_differ_are_counted_and_the_nearest_ones_are_printed() -> None:
    found = [gates.Gates(f"model {k}", 0.1 * 10.0**-k, 5e-3 * 10.0**-k) for k in range(9)]
    text = gates.table([*found, gates.Gates("other", 0.02, 1e-6)])
    assert text.splitlines()[0] == "10 autoencoders: both gates open 2, both closed 7, they differ 1"
    assert [line.split()[1] for line in text.splitlines()[1:]] == ["5", "4", "3", "2", "1", "loss", "0"]


@pytest.mark.parametrize("family", ["rae-sn", "column-decay", "penalised"])
def test_the_decoder_of_a_record_is_the_trained_one(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "INTERVENED", 128)
    trained: list[nn.Module] = []
    build = train.build
    monkeypatch.setattr(train, "build", lambda *of: trained.append(build(*of)) or trained[-1])
    made = train.make(grid.Spec(family, "patches", 1.0, 0, steps=64, factor=100.0, latents=12))
    assert made.name == f"{family}_patches-x100-d12_1_s0"
    assert made.mean.shape[1] == 12
    back = rebuilt(load(made.save(tmp_path)))
    assert back is not None
    code = torch.from_numpy(made.mean[:64])
    with torch.no_grad():
        assert torch.equal(back.decode(code), trained[0].decode(code))  # type: ignore[operator]
    assert made.targets[:, 1].std() > 0


def test_a_run_that_judges_only_takes_the_records_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "INTERVENED", 128)
    first, second = (grid.Spec("linear-vae", "linear-gaussian", 1.0, seed, steps=64) for seed in (0, 1))
    train.make(first).save(tmp_path)
    monkeypatch.setattr(train, "make", None)
    assert [one.name for one in kept_models([first, second], tmp_path)] == [first.name]


def test_the_truth_owes_nothing_to_the_estimators() -> None:
    """The interventions know a model by its protocol, which knows nothing of the library."""
    for path in ("regimes/training/truth", "regimes/training/intervention", "zoo/protocol"):
        tree = ast.parse((ROOT / "bench" / f"{path}.py").read_text(encoding="utf-8"))
        froms = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert not {module for module in froms | plain if "polar_monitor" in module}
        assert {module for module in froms | plain if "bench" in module} <= {"bench.zoo.protocol"}
        assert not any(node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
