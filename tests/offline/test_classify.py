"""Arrays and chunks, labelled as a training run would label them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from models import Autoencoder, ConvVae, Vae, vae_loss
from torch import nn
from watching import watched

from polar_monitor import Label, PolarMonitor, PolarMonitorError, PolarMonitorWarning, classify
from polar_monitor.arrays.places import MAX_ROWS_PER_INPUT
from polar_monitor.capture import output_rows
from polar_monitor.offline import batch, source, subset
from polar_monitor.regime.regime import Regime, Verdict
from polar_monitor.statistics.snapshot import DRAWN, Snapshot


def rows(n: int = 4096, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """An active, a passive and a mixed dimension: mean and variance (n, 3)."""
    draw = np.random.default_rng(seed)
    used = draw.random(n) < 0.5
    normal = draw.normal(size=(n, 3))
    mean = normal * np.stack([np.ones(n), np.full(n, 0.01), np.where(used, 1.0, 0.01)], 1)
    variance = np.stack([np.full(n, 0.02), np.full(n, 0.99), np.where(used, 0.02, 0.99)], 1)
    return mean.astype(np.float32), variance.astype(np.float32)


STEPS = "step", "rows_from", "rows_to", "drift", "drift_se"
"""What the steps of the training show, which arrays do not have."""


def assert_same(one: Snapshot | None, other: Snapshot | None, but: tuple[str, ...] = ()) -> None:
    assert one is not None
    assert other is not None
    for f in fields(Snapshot):
        if f.name not in (*STEPS, *DRAWN, *but):
            np.testing.assert_array_equal(getattr(one, f.name), getattr(other, f.name), err_msg=f.name)
    if "histograms" in but:
        return
    for a, b in zip(one.histograms, other.histograms, strict=True):
        assert (a.left, a.width, a.low, a.high) == (b.left, b.width, b.low, b.high)
        np.testing.assert_array_equal(a.counts, b.counts)


def trained(model: nn.Module, inputs: tuple[int, ...], steps: int, batch: int, **options: Any) -> PolarMonitor:
    """A training run, evaluated at its last step, whose window holds all its rows."""
    monitor = watched(model, every=steps, window=16_384, **options)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(steps):
        x = torch.randn(batch, *inputs)
        output = model(x)
        optimizer.zero_grad()
        (vae_loss(output, x) if isinstance(output, tuple) else (output - x).square().mean()).backward()
        optimizer.step()
    return monitor


def recording(module: nn.Module, into: list[torch.Tensor]) -> None:
    module.register_forward_hook(lambda _, __, output: into.append(output.detach().clone()))


@pytest.mark.parametrize("spatial", [False, True])
def test_a_training_run_and_its_recorded_rows_get_the_same_labels_and_numbers(spatial: bool) -> None:
    torch.manual_seed(0)
    model: Any = ConvVae() if spatial else Vae(dropout=0.1)
    means: list[torch.Tensor] = []
    logvars: list[torch.Tensor] = []
    recording(model.mu if spatial else model.fc_mu, means)
    recording(model.logvar if spatial else model.fc_logvar, logvars)
    monitor = trained(model, ConvVae.inputs if spatial else (12,), steps=30, batch=32)
    regime = classify(torch.cat(means), logvar=torch.cat(logvars))
    assert regime.labels == monitor.regime().labels  # type: ignore[union-attr]
    assert regime.verdict is monitor.regime().verdict  # type: ignore[union-attr]
    assert regime.snapshot.independent == 960  # type: ignore[union-attr]
    assert_same(regime.snapshot, monitor.snapshot())
    assert_same(classify(zip(means, logvars, strict=True), logvar=True).snapshot, monitor.snapshot())


def test_the_same_for_a_code_without_a_variance() -> None:
    torch.manual_seed(0)
    model, codes = Autoencoder(), []
    recording(model.encoder, codes)
    monitor = trained(model, (12,), steps=90, batch=12, mean="encoder")  # too few for a mean of each step
    snapshot = monitor.snapshot()
    regime = classify(torch.cat(codes), gain=snapshot.gain)  # type: ignore[union-attr]
    assert regime.labels == monitor.regime().labels  # type: ignore[union-attr]
    assert_same(regime.snapshot, snapshot, ("effect", "effect_se"))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_the_ties_of_a_low_precision_are_those_of_the_live_path(dtype: torch.dtype) -> None:
    mean = torch.randn(4096, 2, generator=torch.Generator().manual_seed(0)).to(dtype)
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=(), strict=True)
    monitor.observe(mean, var=torch.full_like(mean, 0.5))
    monitor.step()
    regime = classify(mean, var=torch.full_like(mean, 0.5))
    assert_same(regime.snapshot, monitor.snapshot())
    assert (regime.snapshot.ties > 0.5).all() == (dtype is torch.bfloat16)  # type: ignore[union-attr]


def test_the_live_path_takes_as_many_places_of_an_input() -> None:
    for shape, letters in (
        ((5, 3), "nd"), ((3, 5), "dn"), ((5, 40, 3), "ntd"), ((5, 3, 40), "ndt"), ((40, 5, 3), "tnd"),
        ((5, 3, 7, 7), "ndhw"), ((5, 7, 9, 3), "nhwd"), ((6, 5, 3, 7), "tndh"), ((5, 3, 2, 5, 5), "ndthw"),
    ):  # fmt: skip
        value = torch.randn(*shape)
        expected = output_rows.rows_of(value, letters).reshape(-1, 3)
        np.testing.assert_array_equal(batch.rows_of(value.numpy(), letters)[0], expected.numpy())


@given(
    cuts=st.lists(st.integers(0, 3000), max_size=5),
    kind=st.sampled_from(["logvar", "var", "std", None]),
    paired=st.booleans(),
)
def test_chunks_however_they_are_cut_give_what_the_array_gives(cuts: list[int], kind: str | None, paired: bool) -> None:
    mean, variance = rows(3000)
    spread = {"logvar": np.log(variance), "var": variance, "std": np.sqrt(variance), None: None}[kind]
    expected = classify(mean, **({} if kind is None else {kind: spread}))
    parts = np.split(mean, sorted(cuts))
    if kind is None:
        got = classify(iter(parts))
    elif paired:
        got = classify(zip(parts, np.split(spread, sorted(cuts)), strict=True), **{kind: True})
    else:
        got = classify(iter(parts), **{kind: iter(np.split(spread, sorted(cuts)))})
    assert got.labels == expected.labels
    assert_same(got.snapshot, expected.snapshot)


def test_a_loader_is_chunks_and_one_dimension_may_be_flat() -> None:
    mean, variance = rows()
    pairs = torch.utils.data.TensorDataset(torch.from_numpy(mean), torch.from_numpy(variance))
    loader = torch.utils.data.DataLoader(pairs, batch_size=1000)
    assert_same(classify(loader, var=True).snapshot, classify(mean, var=variance).snapshot)
    flat = classify(mean[:, 0], var=variance[:, 0])
    assert_same(flat.snapshot, classify(mean[:, :1], var=variance[:, :1]).snapshot)


@pytest.fixture
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few rows are held that small arrays are thinned, and read in many parts."""
    monkeypatch.setattr(subset, "MAX_ROWS", 1024)
    monkeypatch.setattr(source, "MAX_NUMBERS", 1000)


@pytest.mark.usefixtures("fewer")
def test_of_too_many_rows_an_even_choice_is_judged_and_all_are_counted(tmp_path: Path) -> None:
    mean, variance = rows(30_000)
    mean[7, 0], mean[20_000, 0], variance[11, 1] = np.nan, np.inf, np.inf
    regime = classify(mean, var=variance)
    s = regime.snapshot
    assert s is not None
    assert (s.rows, 512 < s.n <= 1024) == (30_000, True)
    assert f"from {s.n} of 30000 rows, chosen evenly" in regime.reasons
    assert s.non_finite.tolist() == [2, 1, 0]
    assert [str(label) for label in regime.labels] == ["active", "passive", "mixed"]
    assert s.histograms[2].counts.sum() == 30_000
    assert (s.histograms[2].low, s.histograms[2].high) == (mean[:, 2].min(), mean[:, 2].max())
    # the rows that are judged are the ones that `thinning` chooses, and the file and the chunks choose the same
    taken = subset.subsampling.kept_rows(0, 30_000, subset.subsampling.halvings_needed(30_000, 1024))
    assert_same(s, classify(mean[taken], var=variance[taken]).snapshot, ("rows", "non_finite", "histograms"))
    np.save(tmp_path / "mean.npy", mean)
    for same in (
        classify(np.load(tmp_path / "mean.npy", mmap_mode="r"), var=variance),
        classify(iter(np.split(mean, [1, 2, 900, 17_000])), var=iter(np.split(variance, [1, 2, 900, 17_000]))),
    ):
        assert_same(same.snapshot, s)


@pytest.mark.usefixtures("fewer")
def test_all_places_of_an_input_are_kept_together() -> None:
    draw = np.random.default_rng(0)
    image = draw.normal(size=(2000, 1, 1, 1)) + 0.1 * draw.normal(size=(2000, 1, 3, 3))
    s = classify(image, var=np.full(image.shape, 0.01)).snapshot
    assert s is not None
    assert s.rows == 8000
    assert s.n == MAX_ROWS_PER_INPUT * s.independent <= 1024


@pytest.mark.parametrize("axes", [(16,), (8, 8), (32, 32), (4, 8, 8)])
def test_the_edge_of_a_map_does_not_stand_for_the_map(axes: tuple[int, ...]) -> None:
    """Live and offline: only the first index of the last axis, or of the first, is at the prior."""
    draw = torch.Generator().manual_seed(0)
    for edge in ((..., slice(1)), (slice(None), slice(None), slice(1))):
        mean = 3 * torch.randn(2048, 1, *axes, generator=draw)
        logvar = torch.full_like(mean, -4.0)
        mean[edge], logvar[edge] = 0.0, 0.0
        if len(axes) == 1:
            mean, logvar = mean.transpose(1, 2), logvar.transpose(1, 2)
        regime = classify(mean, logvar=logvar)
        monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=(), strict=True)
        for part, spread in zip(mean.split(64), logvar.split(64), strict=True):
            monitor.observe(part, logvar=spread)
            monitor.step()
        for s in (regime.snapshot, monitor.snapshot()):
            assert s is not None
            at_the_edge = 1 / (axes[0] if edge[0] == slice(None) else axes[-1])
            assert s.posterior_variance[0] == pytest.approx(np.exp(-4) + at_the_edge * (1 - np.exp(-4)), abs=0.02)
            assert s.information[0] > 1.0


@pytest.mark.usefixtures("fewer")
def test_memory_does_not_grow_with_the_rows() -> None:
    def chunks(count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for seed in range(count):
            yield rows(2**14, seed)

    peaks = []
    classify(chunks(1), var=True)  # what is made once for all
    for count in (8, 64):
        tracemalloc.start()
        regime = classify(chunks(count), var=True)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert regime.snapshot is not None
        assert regime.snapshot.rows == count * 2**14
    assert peaks[1] < 1.2 * peaks[0]  # all rows would be 22 MiB more


@pytest.mark.parametrize("width", [1, 3])
def test_too_few_rows_are_undecided_and_say_why(width: int) -> None:
    regime = classify(np.zeros((100, width)), var=np.ones((100, width)))
    assert regime.labels == (Label.UNDECIDED,) * width
    assert regime.verdict is Verdict.NOT_ESTIMABLE
    assert "100 independent rows" in regime.reasons[0]
    assert "100 independent rows" in regime.explain(0)


def test_constants_and_variances_of_zero() -> None:
    mean, _ = rows(2000)
    mean[:, 1] = 3.0
    still = classify(np.full((2000, 2), 3.0), var=np.full((2000, 2), 0.5))
    assert (still.labels, still.verdict) == ((Label.PASSIVE, Label.PASSIVE), Verdict.COLLAPSED)
    exact = classify(mean, var=np.zeros_like(mean))
    assert exact.labels[0] is Label.ACTIVE
    assert exact.labels[1] is Label.PASSIVE  # no noise, but nothing to tell either
    assert np.isfinite(exact.snapshot.information).all()  # type: ignore[union-attr]


def test_dimensions_that_are_not_finite_leave_the_others_judged() -> None:
    mean, variance = rows()
    mean[:, 0] = np.nan
    mean[:100, 2] = np.inf
    variance[:50, 2] = np.nan
    regime = classify(mean, var=variance)
    assert [str(label) for label in regime.labels] == ["undecided", "passive", "mixed"]
    assert "finite" in regime.explain(0)
    assert regime.snapshot.non_finite.tolist() == [4096, 0, 100]  # type: ignore[union-attr]


@pytest.mark.parametrize(("finite", "label"), [(511, "undecided"), (512, "active")])
def test_each_dimension_needs_512_rows_of_its_own(finite: int, label: str) -> None:
    mean, variance = rows()
    mean[finite:, 0] = np.nan
    assert [str(label) for label in classify(mean, var=variance).labels] == [label, "passive", "mixed"]


def early(parts: list[np.ndarray]) -> Iterator[np.ndarray]:
    yield from parts[:-1]


M, V = rows(600)
P = [M[:300], M[300:]]


@pytest.mark.parametrize(
    ("mean", "options", "said"),
    [
        (np.zeros((0, 3)), {}, "mean: expected shape .* above 0, got \\(0, 3\\)"),
        (np.zeros((3, 0)), {}, "mean: expected shape"),
        (3.0, {}, "mean: expected shape"),
        (iter([]), {}, "mean: expected at least one row"),
        (np.array([[None, 1]]), {}, "mean: expected an array of real numbers"),
        (np.zeros((600, 3), "M8[s]"), {}, "real numbers"),
        (torch.zeros(600, 3, device="meta"), {}, "mean: expected a tensor with values, got one on meta"),
        (torch.zeros(600, 3).to_sparse(), {}, "mean: expected an array of real numbers"),
        (iter([M, M[:, :2]]), {}, "chunks of 3 dimensions, got one of 2"),
        (iter([M, "abc"]), {}, "a chunk of mean: expected an array"),
        (iter([1.0, 2.0]), {}, "mean: expected 1 to 5 axes"),
        (np.zeros((2,) * 6), {}, "mean: expected 1 to 5 axes"),
        (P, {}, "mean: expected an array .* or an iterator of chunks, got a list of 2 arrays \\(300, 3\\): pass iter"),
        (tuple(P), {"var": tuple(P)}, "mean: .* got a tuple of 2 arrays \\(300, 3\\)"),
        ([torch.zeros(300, 3)] * 3, {}, "got a list of 3 arrays \\(300, 3\\): pass iter\\(chunks\\) or np.concatenate"),
        ([M, M[:9]], {}, "got a list of 2 arrays \\(600, 3\\) and others"),
        ([np.zeros((4, 3, 2, 2))], {}, "got a list of 1 array \\(4, 3, 2, 2\\)"),
        ([(M, V)], {"var": True}, "got a list of 1 tuple of arrays \\(600, 3\\): pass iter"),
        (M, {"var": [V]}, "var: expected an array .* got a list of 1 array"),
        (M, {"var": V, "prior": ([M], 1.0)}, "the prior's mean: expected an array .* got a list of 1 array"),
        (zip(P, P, strict=True), {}, "a chunk of mean: expected one array, got a tuple of 2 .*: for pairs .* var=True"),
        (iter([[torch.zeros(600, 3)]]), {}, "a chunk of mean: expected one array, got a list of 1 array"),
        (iter([M]), {"var": iter([[V]])}, "a chunk of var: expected one array, got a list of 1 array"),
        (M, {"var": V[:300]}, "var: expected shape \\(600, 3\\), got \\(300, 3\\)"),
        (M, {"var": iter([V])}, "var: expected an array, as mean, got chunks"),
        (iter(P), {"var": V}, "var: expected chunks, as mean, got an array"),
        (iter(P), {"var": iter([V[:200], V[200:]])}, "var: expected chunks of the same rows as mean's"),
        (iter(P), {"var": early([V[:300], V[300:]])}, "var: expected a chunk for each of mean, got none after row 300"),
        (iter(P), {"var": iter([V[:300], V[300:], V])}, "var: expected no more chunks than mean has"),
        (M, {"var": True}, "var: True is for chunks of pairs"),
        (iter(P), {"logvar": True}, "expected chunks of pairs \\(mean, logvar\\), got ndarray"),
        (
            M,
            {"var": -V},
            "var: expected values of 0 or more, got -0.99: pass it as logvar= if it is log σ²",
        ),
        (M, {"std": np.log(V)}, "std: expected values of 0 or more"),
        (M, {"var": V, "prior": (np.zeros(2), 1.0)}, "the prior's mean: expected a number or shape \\(3,\\)"),
        (M, {"var": V, "prior": (np.zeros((600, 2)), 1.0)}, "the prior's mean: expected shape \\(600, 3\\)"),
        (M, {"var": V, "prior": (M, np.ones(2))}, "prior: expected a number, \\(D,\\) or the shape"),
        (M, {"var": V, "prior": lambda out: out}, "prior: expected \\(mean, variance\\), got a callable"),
        (M, {"var": V, "criterion": "sigma"}, "criterion: expected one of"),
    ],
)
def test_bad_input_is_one_clear_error(mean: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(PolarMonitorError, match=said):
        classify(mean, **options)


def test_lists_of_rows_and_of_numbers_are_read() -> None:
    expected = classify(M, var=V).snapshot
    for form in (list, tuple, np.ndarray.tolist, lambda array: [torch.from_numpy(row) for row in array]):
        assert_same(classify(form(M), var=form(V)).snapshot, expected)
    assert classify([[[1.0, 2.0]] * 4] * 600).snapshot.rows == 2400  # type: ignore[union-attr]


def test_a_variance_passed_as_a_log_variance_is_told() -> None:
    mean, variance = rows()
    with pytest.warns(PolarMonitorWarning, match="no log-variance is below 0.*pass var=") as told:
        wrong = classify(mean, logvar=variance)
    assert told[0].filename == __file__  # the caller's line, not one of the package
    assert wrong.snapshot.posterior_variance[1] == pytest.approx(2.69, abs=0.01)  # type: ignore[union-attr]
    with pytest.warns(PolarMonitorWarning, match="every variance is 1 or more"):
        classify(mean, var=np.exp(variance))


@pytest.mark.parametrize("passive", [0.0, 1e-3, -1e-3])
def test_no_false_alarm_for_a_collapsed_latent(passive: float) -> None:
    draw = np.random.default_rng(0)
    classify(0.01 * draw.normal(size=(2000, 4)), logvar=passive + 0.001 * abs(passive) * draw.normal(size=(2000, 4)))


def test_regime_is_what_comes_back() -> None:
    assert isinstance(classify(M, var=V), Regime)


def test_a_prior_may_be_a_nested_list() -> None:
    once = classify(M, var=V, prior=(np.zeros_like(M), 2 * np.ones_like(M)))
    again = classify(M, var=V, prior=(np.zeros_like(M).tolist(), 2.0))
    assert_same(once.snapshot, again.snapshot)


def test_a_code_that_has_shrunk_to_nothing_is_seen_once_its_unit_is_given() -> None:
    code = np.random.default_rng(0).normal(size=(4096, 3)) * 1e-3
    alone = classify(code)
    assert str(alone.verdict) == "all_active"
    assert any("shrunk" in reason for reason in alone.reasons)
    scaled = classify(code, resolution=0.1)
    assert [str(label) for label in scaled.labels] == ["passive"] * 3
    assert str(scaled.verdict) == "collapsed"
    assert not any("shrunk" in reason for reason in scaled.reasons)
    assert scaled.snapshot is not None
    assert scaled.snapshot.resolution == 0.1


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf"), True, "0.1"])
def test_a_resolution_is_a_finite_number_above_0(wrong: Any) -> None:
    with pytest.raises(PolarMonitorError, match="resolution: expected a finite number above 0"):
        classify(np.zeros((600, 2)), resolution=wrong)


def test_a_resolution_in_training_gives_the_labels_of_the_same_rows_offline() -> None:
    code = (np.random.default_rng(0).normal(size=(1024, 3)) * [1.0, 0.3, 1e-3]).astype(np.float32)
    monitor = PolarMonitor(sinks=(), every=1, window=1024, resolution=0.05)
    monitor.observe(code)
    monitor.step()
    live, offline = monitor.regime(), classify(code, resolution=0.05)
    assert live is not None
    assert live.snapshot is not None
    assert offline.snapshot is not None
    assert (live.labels, live.verdict, live.reasons) == (offline.labels, offline.verdict, offline.reasons)
    assert np.array_equal(live.snapshot.information, offline.snapshot.information)
    assert live.snapshot.resolution == 0.05
