"""The whole way from an unchanged loop to labels, alerts and logs, and what happens when something fails on the way."""

from __future__ import annotations

import copy
import gc
import logging
import subprocess
import sys
import time
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models import Autoencoder, Vae, train, vae_loss
from torch import nn

import polar_monitor
from polar_monitor import Label, PolarMonitor, PolarMonitorError, PolarMonitorWarning
from polar_monitor.evaluation import Evaluation
from polar_monitor.sinks.jsonl import read_jsonl


class Memory:
    """A sink that remembers, and fails when told to."""

    def __init__(self, failing: bool = False) -> None:
        self.records: list[Evaluation] = []
        self.failing = failing
        self.closed = 0

    def write(self, evaluation: Evaluation) -> None:
        if self.failing:
            raise OSError("no space left on device")
        self.records.append(evaluation)

    def flush(self) -> None: ...

    def close(self) -> None:
        self.closed += 1


def watched(model: nn.Module, **options: Any) -> PolarMonitor:
    options = {"every": 10, "max_overhead": 1.0, "sinks": (), "strict": True, **options}
    return polar_monitor.attach(model, **options)


def same(a: Any, b: Any) -> bool:
    """Whether two nested structures of plain data and arrays are equal, NaN to NaN."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, torch.Tensor):
        return torch.equal(torch.nan_to_num(a), torch.nan_to_num(b)) and torch.equal(a.isnan(), b.isnan())
    return bool(a == b or (a != a and b != b))


@pytest.mark.parametrize("build", [lambda: Vae(dropout=0.3), Autoencoder])
def test_training_is_the_same_bit_for_bit(build: Any, tmp_path: Path) -> None:
    results = []
    for monitored in (False, True):
        torch.manual_seed(3)
        model = build()
        if monitored:
            watched(model, sinks=None, log_dir=tmp_path, every=20, modes=("train", "eval"))
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        train(model, 200, optimizer=optimizer)
        state = optimizer.state_dict()["state"]
        results.append((list(model.parameters()), [s["exp_avg_sq"] for s in state.values()], torch.get_rng_state()))
    (weights, moments, rng), (weights2, moments2, rng2) = results
    assert all(map(torch.equal, weights, weights2))
    assert all(map(torch.equal, moments, moments2))
    assert torch.equal(rng, rng2)


def test_the_statistics_are_of_the_rows_that_went_by() -> None:
    model = Vae()
    monitor = watched(model, every=50)
    seen: dict[str, list[torch.Tensor]] = {"mean": [], "logvar": []}
    model.fc_mu.register_forward_hook(lambda m, a, o: seen["mean"].append(o.detach().clone()))
    model.fc_logvar.register_forward_hook(lambda m, a, o: seen["logvar"].append(o.detach().clone()))
    train(model, 50)
    snapshot = monitor.snapshot()
    assert snapshot is not None
    mean, variance = (torch.cat(seen[key]).numpy().astype(np.float64) for key in ("mean", "logvar"))
    variance = np.exp(variance)
    assert (snapshot.step, snapshot.rows, snapshot.n, snapshot.independent) == (50, 3200, 3200, 3200)
    np.testing.assert_allclose(snapshot.mean, mean.mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(snapshot.variance, mean.var(0), rtol=1e-5)
    np.testing.assert_allclose(snapshot.posterior_variance, variance.mean(0), rtol=1e-5)
    kl = 0.5 * (mean**2 + variance - np.log(variance) - 1).mean(0)
    np.testing.assert_allclose(snapshot.kl, kl, rtol=1e-4)
    assert (snapshot.information <= snapshot.information_upper + 3 * snapshot.information_se + 1e-3).all()
    assert (snapshot.information_upper <= snapshot.kl + 1e-6).all()


def test_four_micro_batches_are_one_batch() -> None:
    snapshots = []
    for pieces in (1, 4):
        torch.manual_seed(0)
        model = Vae()
        monitor = watched(model, every=1)
        optimizer = torch.optim.SGD(model.parameters(), 0.0)
        x = torch.randn(512, 12, generator=torch.Generator().manual_seed(1))
        for part in x.chunk(pieces):
            (vae_loss(model(part), part) / pieces).backward()
        optimizer.step()
        snapshots.append(monitor.snapshot())
    a, b = (s.to_dict() for s in snapshots)
    assert a.keys() == b.keys()
    for name in a:
        if name not in ("information", "information_se"):
            np.testing.assert_allclose(np.array(a[name], float), np.array(b[name], float), rtol=1e-6, err_msg=name)


def test_labels_of_known_latents() -> None:
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=(), strict=True)
    rng = np.random.default_rng(0)
    for _ in range(8):
        on = rng.random((1024, 1)) < 0.5
        mean = np.concatenate(
            [
                rng.normal(size=(1024, 1)),
                0.01 * rng.normal(size=(1024, 1)),
                np.where(on, rng.normal(size=(1024, 1)), 0),
            ],
            1,
        )
        var = np.concatenate([np.full((1024, 1), 0.02), np.full((1024, 1), 0.99), np.where(on, 0.02, 0.98)], 1)
        monitor.observe(mean, var=var)
        monitor.step()
    regime = monitor.regime()
    assert regime is not None
    assert regime.labels == (Label.ACTIVE, Label.PASSIVE, Label.MIXED)
    assert str(regime.verdict) == "polarised"
    assert "2 informative" in regime.reasons[0]


def test_the_published_criterion_decides_when_asked() -> None:
    model = Vae()
    monitor = watched(model, criterion="bonheme")
    train(model, 20)
    regime = monitor.regime()
    assert regime is not None
    assert regime.criterion == "bonheme"
    assert "Bonheme" in regime.explain(0)


def test_eval_in_the_middle_of_training_changes_nothing() -> None:
    states = []
    for validate in (False, True):
        torch.manual_seed(0)
        model = Vae()
        monitor = watched(model, modes=("train", "eval"))
        train(model, 20)
        if validate:
            rng = torch.get_rng_state()
            model.eval()
            with torch.no_grad():
                model(torch.randn(100, 12))
            model.train()
            torch.set_rng_state(rng)
        train(model, 20, seed=1, optimizer=torch.optim.SGD(model.parameters(), 0.01))
        states.append(monitor.state_dict()["lanes"]["train"])
        expected = 100 if validate else None
        snapshot = monitor.snapshot("eval")
        assert (None if snapshot is None else snapshot.rows) == expected
    assert same(*states)


def test_spatial_latents_count_images() -> None:
    class Conv(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mu, self.logvar = nn.Conv2d(1, 3, 1), nn.Conv2d(1, 3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.mu(x) + self.logvar(x)

    model = Conv()
    monitor = watched(model, every=1)
    model(torch.randn(600, 1, 8, 8)).sum().backward()
    torch.optim.SGD(model.parameters(), 0.0).step()
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert (snapshot.dimensions, snapshot.n) == (3, 4096)
    assert snapshot.independent == 256
    assert monitor.regime().labels == (Label.UNDECIDED,) * 3  # type: ignore[union-attr]


@pytest.mark.parametrize(("split", "window"), [(13, 4096), (20, 4096), (37, 512), (25, 512), (12, 512)])
def test_a_resumed_run_says_what_the_uninterrupted_one_says(split: int, window: int, tmp_path: Path) -> None:
    def start(where: Path) -> tuple[nn.Module, PolarMonitor, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = Vae()
        return (
            model,
            watched(model, sinks=None, log_dir=where, every=20, window=window),
            torch.optim.SGD(model.parameters(), 0.05),
        )

    model, whole, optimizer = start(tmp_path / "whole")
    draw = [torch.randn(64, 12, generator=torch.Generator().manual_seed(i)) for i in range(60)]

    def go(model: nn.Module, optimizer: torch.optim.Optimizer, batches: list[torch.Tensor]) -> None:
        for i, x in enumerate(batches):
            torch.manual_seed(int(1000 * float(x[0, 0])) + i * 0)
            optimizer.zero_grad()
            vae_loss(model(x), x).backward()
            optimizer.step()

    go(model, optimizer, draw)
    first_model, first, first_optimizer = start(tmp_path / "parts")
    go(first_model, first_optimizer, draw[:split])
    torch.save({"monitor": first.state_dict(), "model": first_model.state_dict()}, tmp_path / "checkpoint.pt")
    saved, weights = torch.load(tmp_path / "checkpoint.pt", weights_only=True).values()
    go(first_model, first_optimizer, draw[split : split + 15])  # what a crash throws away
    first.detach()
    time.sleep(1.1)  # event files are ordered by the second in their names
    model2, second, optimizer2 = start(tmp_path / "parts")
    model2.load_state_dict(weights)
    second.load_state_dict(saved)
    go(model2, optimizer2, draw[split:])
    one, two = whole.state_dict(), second.state_dict()
    assert same(one["lanes"]["train"]["stream"]["histogram"], two["lanes"]["train"]["stream"]["histogram"])
    assert same(one["lanes"], two["lanes"])
    assert one["alerts"] == two["alerts"]
    assert whole.regime() == second.regime()
    whole.detach()
    second.detach()
    logs = [read_jsonl(tmp_path / part / "polar.jsonl") for part in ("whole", "parts")]
    assert [r.step for r in logs[0]] == [r.step for r in logs[1]] == [20, 40, 60]
    assert (whole.health().steps_rested > 0) is (window == 512)
    assert whole.health().steps_rested == second.health().steps_rested
    assert [r.regime for r in logs[0]] == [r.regime for r in logs[1]]
    board = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = board.EventAccumulator(str(tmp_path / "parts"), size_guidance={"scalars": 0})
    events.Reload()
    assert [event.step for event in events.Scalars("polar/information")] == [20, 40, 60]


def test_a_state_that_does_not_fit_changes_nothing() -> None:
    model = Vae()
    monitor = watched(model)
    train(model, 20)
    before = monitor.state_dict()
    other = Vae(latents=5)
    watched_other = watched(other)
    train(other, 20)
    for bad, said in (
        (watched_other.state_dict(), "expected 4 dimensions, got 5"),
        ({"version": 2}, "version 1"),
        (before | {"lanes": {}}, "expected the mode 'train', got none"),
        (before | {"clock": {}}, "no field 'steps'"),
        (before | {"alerts": [{"kind": "nonsense"}]}, "expected what PolarMonitor.state_dict"),
        (before | {"lanes": {"train": before["lanes"]["train"] | {"stream": {"dimensions": 4}}}}, "expected version 1"),
        (None, "expected a dict"),
    ):
        with pytest.raises(PolarMonitorError, match=said):
            monitor.load_state_dict(bad)  # type: ignore[arg-type]
    assert same(monitor.state_dict(), before)


def test_a_failing_sink_is_told_once_and_training_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    model, good = Vae(), Memory()
    monitor = watched(model, sinks=(Memory(failing=True), good), strict=False)
    with caplog.at_level(logging.ERROR, logger="polar_monitor"):
        train(model, 50)
    assert len(good.records) == 5
    assert monitor.health().sink_drops == 5
    assert [record.message for record in caplog.records] == [
        "Memory failed (OSError: no space left on device); its records are dropped"
    ]


@pytest.mark.parametrize("stage", ["ring", "snapshot", "judge", "watch"])
def test_a_failure_of_ours_never_reaches_the_loop(
    stage: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(f"broken {stage}")

    model = Vae()
    monitor = watched(model, strict=False)
    target = {
        "ring": "polar_monitor.ring.Ring.requests",
        "snapshot": "polar_monitor.stream.LatentStream.snapshot",
        "judge": "polar_monitor.lane.judge",
        "watch": "polar_monitor.lane.watch",
    }[stage]
    monkeypatch.setattr(target, broken)
    with caplog.at_level(logging.ERROR, logger="polar_monitor"):
        train(model, 30)
    assert monitor.health().errors >= 3
    assert monitor.health().last_error == f"RuntimeError: broken {stage}"
    assert sum(f"broken {stage}" in record.message for record in caplog.records) == 1


def test_a_callback_that_raises_never_reaches_the_loop() -> None:
    def callback(alert: object) -> None:
        raise KeyError("mine")

    model = Vae()
    monitor = watched(model, strict=False, on_alert=callback)
    x = torch.full((64, 12), float("nan"))
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for _ in range(10):
        model(x)
        optimizer.step()
    assert monitor.should_stop
    assert "mine" in monitor.health().last_error


def test_nan_and_infinities_are_counted_and_told_at_the_first() -> None:
    model, told = Vae(), []
    monitor = watched(model, on_alert=told.append)
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for step in range(30):
        x = torch.randn(64, 12)
        if step == 15:
            x[0], x[1] = float("nan"), float("inf")
        model(x)
        optimizer.step()
    assert [(str(alert.kind), alert.step) for alert in told] == [("non_finite", 20)]
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert (snapshot.non_finite == 2).all()
    assert np.isfinite(snapshot.information).all()
    assert monitor.should_stop


def test_constant_dimensions_have_finite_statistics() -> None:
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=(), strict=True)
    rng = np.random.default_rng(0)
    mean = np.concatenate([np.full((1024, 1), 3.0), np.zeros((1024, 1)), rng.normal(size=(1024, 1))], 1)
    monitor.observe(mean, var=np.full((1024, 3), 0.5))
    monitor.step()
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert np.isfinite(snapshot.entropy_knn).all()
    assert np.isfinite(snapshot.entropy_hist).all()
    assert snapshot.information[:2] == pytest.approx([0, 0], abs=1e-3)
    assert monitor.regime().labels[:2] == (Label.PASSIVE, Label.PASSIVE)  # type: ignore[union-attr]


def test_ties_from_bfloat16_do_not_spoil_the_entropy() -> None:
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=(), strict=True)
    monitor.observe(torch.randn(4096, 1, generator=torch.Generator().manual_seed(0)).bfloat16())
    monitor.step()
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert snapshot.ties[0] > 0.5
    assert snapshot.entropy_knn[0] == pytest.approx(1.4189, abs=0.05)


@pytest.mark.parametrize("dimensions", [1, 2, 33, 4096])
def test_any_width(dimensions: int) -> None:
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=(sink := Memory(),), strict=True)
    mean = torch.randn(600, dimensions, generator=torch.Generator().manual_seed(0))
    monitor.observe(mean, logvar=torch.full((600, dimensions), -3.0))
    monitor.step()
    assert sink.records[0].regime is not None
    assert sink.records[0].regime.count(Label.ACTIVE) == dimensions


def test_batches_of_no_row_and_one_row() -> None:
    model = Vae()
    monitor = watched(model, every=5)
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for n in (0, 1, 1, 0, 3):
        model(torch.randn(n, 12))
        optimizer.step()
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert snapshot.rows == 5
    assert monitor.health().rows_empty == 2
    assert monitor.regime().labels == (Label.UNDECIDED,) * 4  # type: ignore[union-attr]


def test_batch_size_and_dtype_may_change() -> None:
    model = Vae()
    monitor = watched(model, every=3)
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    model(torch.randn(10, 12))
    optimizer.step()
    with torch.autocast("cpu", torch.bfloat16):
        model(torch.randn(7, 12))
    optimizer.step()
    model.double()(torch.randn(5, 12, dtype=torch.float64))
    optimizer.step()
    assert monitor.snapshot().rows == 22  # type: ignore[union-attr]
    assert monitor.health().errors == 0


@pytest.mark.parametrize(
    ("wrong", "values", "said"),
    [
        ("var", lambda logvar: logvar, "values below 0.*log-variance"),
        ("logvar", lambda logvar: logvar.exp(), "no log-variance is below 0.*variance"),
    ],
)
def test_a_spread_in_another_unit_is_noticed(wrong: str, values: Any, said: str) -> None:
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=(), strict=True)
    draw = torch.Generator().manual_seed(0)
    with pytest.warns(PolarMonitorWarning, match=said):
        for _ in range(3):
            logvar = torch.randn(1024, 2, generator=draw)
            monitor.observe(torch.randn(1024, 2, generator=draw), **{wrong: values(logvar)})
            monitor.step()


def test_negative_variances_are_not_used() -> None:
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=(), strict=True)
    var = torch.full((1024, 1), 0.5)
    var[:100] = -1
    monitor.observe(torch.randn(1024, 1), var=var)
    with pytest.warns(PolarMonitorWarning, match="below 0"):
        monitor.step()
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert snapshot.non_finite[0] == 0
    assert not monitor.alerts  # an argument of the wrong unit, not a loss that has diverged
    assert snapshot.posterior_variance[0] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"mean": torch.zeros(3, 2), "var": torch.zeros(3, 3)}, r"var: expected shape \(3, 2\), got \(3, 3\)"),
        ({"mean": torch.zeros(3, 2), "var": torch.ones(3, 2), "std": torch.ones(3, 2)}, "at most one"),
        ({"mean": torch.zeros(3, 2), "mode": "test"}, "mode: expected one of"),
    ],
)
def test_observe_refuses_what_does_not_fit(arguments: dict[str, Any], said: str) -> None:
    monitor = PolarMonitor(sinks=())
    with pytest.raises(PolarMonitorError, match=said):
        monitor.observe(arguments.pop("mean"), **arguments)


def test_silence_is_loud_once() -> None:
    model = Vae()
    sink = Memory()
    watched(model, sinks=(sink,), every=100)
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    with pytest.warns(PolarMonitorWarning, match="no latent seen from fc_mu, fc_logvar in 50 steps") as caught:
        for _ in range(200):
            optimizer.step()
    assert len(caught) == 1
    assert [str(alert.kind) for record in sink.records for alert in record.alerts] == ["silent"]
    assert [record.observed for record in sink.records] == [0, 0]


def test_a_model_is_watched_once() -> None:
    model, first_sink, second_sink = Vae(), Memory(), Memory()
    watched(model, sinks=(first_sink,))
    with pytest.warns(PolarMonitorWarning, match="watched already"):
        watched(model, sinks=(second_sink,))
    train(model, 10)
    assert (len(first_sink.records), len(second_sink.records)) == (0, 1)
    assert second_sink.records[0].observed == 640


def test_detach_leaves_the_model_as_it_was() -> None:
    model, sink = Vae(), Memory()
    before = {name: dict(module.__dict__) for name, module in model.named_modules()}
    monitor = watched(model, sinks=(sink,))
    assert set(model.state_dict()) == set(Vae().state_dict())
    monitor.detach()
    monitor.detach()
    train(model, 20)
    assert sink.records == []
    for name, module in model.named_modules():
        assert module.__dict__.keys() == before[name].keys()
        assert not module._forward_hooks


def test_nothing_keeps_the_model_alive() -> None:
    model = Vae()
    gone = weakref.ref(model)
    monitor = weakref.ref(watched(model))
    assert monitor() is not None
    train(model, 10)
    del model
    gc.collect()
    assert gone() is None
    assert monitor() is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_scripting_works_inside_detached() -> None:
    model = nn.Sequential(nn.Linear(12, 4), nn.ReLU())
    monitor = watched(model, mean="0")
    with monitor.detached():
        scripted = torch.jit.script(model)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for forward in (scripted, model):
            forward(torch.randn(64, 12)).sum().backward()
            optimizer.step()
    assert monitor.health().steps == 0
    for _ in range(10):
        model(torch.randn(64, 12)).sum().backward()
        optimizer.step()
    assert monitor.snapshot().rows == 640  # type: ignore[union-attr]


def test_steps_by_hand_replace_the_optimiser() -> None:
    model = Vae()
    monitor = watched(model, every=3)
    monitor.step()
    train(model, 20)
    assert monitor.health().steps == 1
    monitor.step()
    monitor.step()
    assert monitor.snapshot().rows == 1280  # type: ignore[union-attr]


def test_compiled_models_are_watched(tmp_path: Path) -> None:
    torch._dynamo.reset()
    model = Vae()
    monitor = watched(model, every=5)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    train(compiled, 10, optimizer=torch.optim.SGD(model.parameters(), 0.01))
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert snapshot.rows == 640
    torch._dynamo.reset()


def test_every_row_is_counted_or_reported() -> None:
    model = Vae()
    monitor = polar_monitor.attach(model, sinks=(), every=10, window=512)
    train(model, 300, batch=100)
    monitor.evaluate()
    health = monitor.health()
    assert health.calls + health.steps_rested == 300
    assert health.steps_rested > 200
    assert health.rows_seen + health.rows_dropped == 100 * health.calls
    assert health.rows_dropped == 0


def test_without_close_nothing_is_lost(tmp_path: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "import polar_monitor\nfrom models import Vae, train\n"
        "model = Vae()\n"
        "polar_monitor.attach(model, log_dir=sys.argv[1], every=10, max_overhead=1.0)\ntrain(model, 40)\n"
        "raise SystemExit(3)"
    )
    command = [sys.executable, "-c", script, str(tmp_path), str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=Path(__file__).parents[1])
    assert done.returncode == 3, done.stderr
    assert [record.step for record in read_jsonl(tmp_path / "polar.jsonl")] == [10, 20, 30, 40]
    board = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = board.EventAccumulator(str(tmp_path), size_guidance={"scalars": 0})
    events.Reload()
    assert [event.step for event in events.Scalars("polar/active")] == [10, 20, 30, 40]


def test_a_replayed_log_gives_the_alerts_of_the_run(tmp_path: Path) -> None:
    from polar_monitor.alerts import AlertRules
    from polar_monitor.watch import WatchState, watch

    monitor = PolarMonitor(log_dir=tmp_path, every=1, max_overhead=1.0, strict=True)
    rng = np.random.default_rng(0)
    for t in range(50):
        scale = 1.0 if t < 12 else 0.85 ** (t - 11)
        mean = rng.normal(size=(4096, 2)) * [1.0, scale]
        monitor.observe(mean, var=np.broadcast_to([0.05, 1.0 - 0.95 * scale**2], (4096, 2)))
        monitor.step()
    monitor.detach()
    state, replayed = WatchState(), []
    for record in read_jsonl(tmp_path / "polar.jsonl"):
        state, alerts = watch(state, record.step, record.observed, record.snapshot, record.regime, AlertRules())
        replayed += alerts
    kinds = [str(alert.kind) for alert in monitor.alerts]
    assert kinds.index("fading") < kinds.index("lost")
    assert tuple(replayed) == monitor.alerts


def test_words() -> None:
    model = Vae()
    monitor = watched(model)
    assert "nothing has been evaluated" in monitor.summary()
    assert "fc_mu" in monitor.explain()
    train(model, 20)
    assert "verdict" not in monitor.summary()
    assert monitor.summary().count("\n") >= 8
    assert monitor.explain(0).startswith("dimension 0 is ")
    monitor.raise_on_collapse()


def test_at_rest_there_is_no_hook_and_nothing_is_missed(recwarn: pytest.WarningsRecorder) -> None:
    model = Vae()
    monitor = watched(model, every=100, window=512)
    seen = []
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for step in range(1, 301):
        model(torch.full((64, 12), float(step)))
        seen.append(len(model.fc_mu._forward_hooks))
        optimizer.step()
    assert seen[:2] == [1, 0]
    assert seen[95:100] == [1] * 5
    assert sum(seen) < 40
    health = monitor.health()
    assert health.calls == sum(seen)
    assert health.steps_rested == 300 - sum(seen)
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert snapshot.n == 512
    with torch.no_grad():
        expected = torch.cat([model.fc_mu(model.body(torch.full((64, 12), float(s)))) for s in range(293, 301)])
    np.testing.assert_allclose(snapshot.mean, expected.mean(0).numpy(), rtol=1e-5)
    with monitor.detached():
        pass
    assert not model.fc_mu._forward_hooks
    assert monitor.evaluate() == ()
    assert len(recwarn) == 0


def test_where_validations_are_watched_too_the_hooks_stay() -> None:
    model = Vae()
    watched(model, every=100, window=512, modes=("train", "eval"))
    train(model, 20)
    assert len(model.fc_mu._forward_hooks) == 1


def stepped(model: nn.Module, steps: int, forward: Any) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for step in range(steps):
        forward(step)
        optimizer.step()


def test_a_module_replaced_on_one_side_is_told() -> None:
    model, sink = Vae(), Memory()
    monitor = watched(model, sinks=(sink,), every=20)
    train(model, 20)
    model.fc_logvar = nn.Linear(16, 4)
    with pytest.warns(PolarMonitorWarning, match="rows were given up: .* not called equally often"):
        train(model, 100)
    assert [str(alert.kind) for record in sink.records for alert in record.alerts] == ["silent"]
    health = monitor.health()
    assert health.rows_seen + health.rows_dropped == 64 * 120


def test_training_something_else_for_a_while_is_no_silence(recwarn: pytest.WarningsRecorder) -> None:
    model, sink = Vae(), Memory()
    watched(model, sinks=(sink,), every=50, window=512)
    x = torch.randn(64, 12)
    stepped(model, 600, lambda step: model(x) if step // 60 % 2 == 0 else model.decoder(torch.randn(64, 4)))
    assert [record for record in sink.records if record.observed == 0] == []
    assert len(sink.records) > 5
    assert len(recwarn) == 0


def test_a_smaller_batch_does_not_leave_the_window_old() -> None:
    model = Vae()
    monitor = watched(model, every=100, window=2048)

    nn.init.constant_(model.fc_logvar.bias, -1.0)

    def forward(step: int) -> None:
        nn.init.constant_(model.fc_mu.bias, float(step))
        model(torch.zeros(512 if step < 1000 else 32, 12))

    stepped(model, 1300, forward)
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert snapshot.mean.min() > 1200


def test_asked_at_rest_it_wakes_and_answers_later() -> None:
    model = Vae()
    monitor = watched(model, every=1000, window=512)
    train(model, 60)
    assert monitor.evaluate() == ()
    assert monitor.snapshot() is None
    train(model, 10)
    (record,) = monitor.evaluate()
    assert record.observed == 11 * 64
    assert record.step == 70


def test_a_model_compiled_during_rest_is_told() -> None:
    torch._dynamo.reset()
    model = Vae()
    monitor = watched(model, every=100, window=512)
    train(model, 20)
    compiled, optimizer = torch.compile(model, backend="eager"), torch.optim.SGD(model.parameters(), 0.01)
    with pytest.warns(PolarMonitorWarning) as caught:
        train(compiled, 200, optimizer=optimizer)
    said = [str(warning.message) for warning in caught]
    assert len(said) == 2
    assert "compiled while the monitor was at rest" in said[0]
    assert "no latent seen" in said[1]
    torch._dynamo.reset()  # what it advises
    before = monitor.health()
    train(compiled, 200, optimizer=optimizer)
    after = monitor.health()
    assert after.calls > before.calls + 100
    assert after.rows_seen > before.rows_seen + 512
    torch._dynamo.reset()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_optimiser_step_is_not_traced_into_us() -> None:
    torch._dynamo.reset()
    model = Vae()
    monitor = watched(model, every=2)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    step = torch.compile(lambda: optimizer.step(), backend="eager")
    for _ in range(4):
        optimizer.zero_grad()
        vae_loss(model(x := torch.randn(64, 12)), x).backward()
        step()
    assert monitor.health().steps == 0
    monitor.step()
    monitor.step()
    assert monitor.health().evaluations == 1
    torch._dynamo.reset()


def test_a_validation_need_not_come_at_once(recwarn: pytest.WarningsRecorder) -> None:
    model = Vae()
    monitor = watched(model, modes=("eval",), every=20)
    train(model, 100)
    assert monitor.alerts == ()
    assert len(recwarn) == 0


def test_another_default_dtype_changes_nothing() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        model = Vae()
        monitor = watched(model, every=5)
        stepped(model, 5, lambda step: model(torch.randn(600, 12)))
    finally:
        torch.set_default_dtype(torch.float32)
    assert monitor.snapshot().rows == 3000  # type: ignore[union-attr]


def test_rows_of_another_width_are_counted_as_dropped() -> None:
    model = nn.ModuleDict({"mu": nn.Identity()})
    monitor = watched(model, mean="mu", every=5)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.0)
    model.register_parameter("p", optimizer.param_groups[0]["params"][0])
    for step in range(5):
        model["mu"](torch.randn(100, 3 if step < 2 else 4))
        optimizer.step()
    health = monitor.health()
    assert (health.rows_seen, health.rows_dropped) == (300, 200)


def test_a_model_that_holds_its_monitor_can_be_copied_and_saved(tmp_path: Path) -> None:
    model = Vae()
    model.monitor = watched(model)
    twin = copy.deepcopy(model)
    torch.save(model, tmp_path / "model.pt")
    loaded = torch.load(tmp_path / "model.pt", weights_only=False)
    for other in (twin, loaded):
        train(other, 10)
        assert not other.monitor.attached
    assert model.monitor.health().steps == 0


def test_two_monitors_of_one_name_do_not_share_a_folder(tmp_path: Path) -> None:
    first = watched(Vae(), sinks=None, log_dir=tmp_path)
    with pytest.raises(PolarMonitorError, match="another monitor writes to"):
        watched(Vae(), sinks=None, log_dir=tmp_path)
    watched(Vae(), sinks=None, log_dir=tmp_path, name="second")
    first.detach()
    watched(Vae(), sinks=None, log_dir=tmp_path)


def test_default_folders_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len({watched(Vae(), sinks=None).log_dir for _ in range(3)}) == 3


def test_alerts_tell_their_mode_and_latent() -> None:
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=(), strict=True, modes=("train", "eval"), name="z")
    bad = torch.full((600, 1), float("nan"))
    monitor.observe(bad, mode="eval")
    monitor.observe(torch.randn(600, 1))
    monitor.step()
    assert [(alert.name, alert.mode) for alert in monitor.alerts] == [("z", "eval")]
    assert "z/eval NON_FINITE" in monitor.summary()
