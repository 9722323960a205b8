"""The latent that the first forwards decide: found, confirmed, replaced, or asked for."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import models
import pytest
import torch
from searched import Choice, Named, X, hooks, steps, watched
from torch import Tensor, nn

import polar_monitor
from polar_monitor import PolarMonitor, PolarMonitorError
from polar_monitor.capture.search import first_forwards


class Blind(nn.Module):
    """Nothing in it is sampled."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(X, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.two(self.one(x).relu())


def assert_reads(monitor: PolarMonitor, model: Choice) -> None:
    """The KL is that of the mean and σ which the forward used."""
    mean, std = model.given or (torch.empty(0),) * 2
    snapshot = monitor.snapshot()
    assert snapshot is not None
    expected = 0.5 * (mean.square() + std.square() - 1 - 2 * std.log()).mean(0)
    assert snapshot.kl == pytest.approx(expected.numpy(), abs=0.08)


def test_what_names_leave_open_the_first_forwards_decide() -> None:
    torch.manual_seed(0)
    model = Choice()
    monitor = watched(model)
    assert monitor.explain().startswith("not decided yet, the first forwards will decide")
    assert (monitor.attached, monitor.snapshot(), monitor.regime()) == (True, None, None)
    assert steps(model, 20, lambda x: model(x)[0]) == []
    assert "mean from 'first', log σ² from 'second': what enters 'out'" in monitor.explain()
    assert hooks(model) == 3  # of both heads, and of the beginning of a forward
    assert_reads(monitor, model)


def test_a_head_that_is_processed_further_is_read_where_the_sample_comes_from() -> None:
    torch.manual_seed(0)
    model = Named(norm=True)
    monitor = watched(model)
    assert monitor.explain().startswith("mean from 'fc_mu', logvar from 'fc_logvar'")
    steps(model, 20)
    assert "mean from 'norm', log σ² from 'fc_logvar'" in monitor.explain()
    assert_reads(monitor, model)


def test_arguments_that_do_not_fit_are_one_warning_with_the_line_that_does() -> None:
    torch.manual_seed(0)
    model = Named(scale=lambda s: s.exp())
    monitor = watched(model, mean="fc_mu", logvar="fc_logvar")
    told = steps(model, 30)
    assert len(told) == 1
    assert "do not fit the data" in told[0]
    assert 'attach(model, mean="fc_mu", logstd="fc_logvar")' in told[0]
    assert monitor.explain().startswith("mean from 'fc_mu', logvar from 'fc_logvar': as the arguments say")


def test_where_the_data_show_a_sample_no_line_of_a_code_is_offered() -> None:
    torch.manual_seed(0)
    model = Choice()
    model.body = nn.Sequential(nn.Linear(X, 4), nn.Linear(4, 32))  # narrower than the latent
    nn.init.zeros_(model.second.weight)
    nn.init.zeros_(model.second.bias)
    model.second.requires_grad_(False)  # σ is the same everywhere: its unit cannot be known
    watched(model)
    told = steps(model, 60)
    assert len(told) == 1
    lines = [line for line in told[0].splitlines() if line.strip().startswith("attach(")]
    assert 'mean="first", logvar="second"' in lines[0]
    assert not any("is exactly what" in line for line in lines)


def test_a_model_without_a_sample_is_one_warning_and_leaves_no_hook() -> None:
    model = Blind()
    monitor = watched(model)
    told = steps(model, 60)
    assert len(told) == 1
    assert "the first 50 steps did not show a latent for certain" in told[0]
    assert hooks(model) == 0
    assert monitor.health().rows_seen == 0
    monitor.detach()


def test_a_model_in_which_nothing_can_be_a_latent_is_refused_at_once() -> None:
    with pytest.raises(PolarMonitorError, match="no latent was found"):
        polar_monitor.attach(nn.Linear(3, 3), sinks=())


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_an_example_decides_at_once_and_changes_nothing(compiled: bool) -> None:
    torch.manual_seed(0)
    model = Choice(norm=True)
    x, before = torch.randn(256, X), [value.clone() for value in model.state_dict().values()]
    random = torch.get_rng_state()
    monitor = watched(torch.compile(model, backend="eager") if compiled else model, example=x)
    assert torch.equal(random, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(before, model.state_dict().values(), strict=True))
    assert "mean from 'norm', log σ² from 'second'" in monitor.explain()
    assert hooks(model) == 3  # of both heads, and of the beginning of a forward
    assert model.training


def test_find_prints_the_line_for_each_latent(capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    model = Named()
    found = polar_monitor.find(model, torch.randn(256, X))
    assert [reading.mean.module for reading in found.latents] == ["fc_mu"]
    assert 'attach(model, mean="fc_mu", logvar="fc_logvar")' in capsys.readouterr().out
    assert hooks(model) == 0


@pytest.mark.parametrize("build", [Choice, lambda: Named(norm=True)], ids=["open", "replaced"])
def test_a_state_of_a_decided_run_is_taken_by_one_that_is_not_decided_yet(build: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    model = build()
    first = watched(model)
    steps(model, 20)
    state = first.state_dict()
    first.detach()
    second = watched(model)
    second.load_state_dict(state)
    rows = second.snapshot().rows  # type: ignore[union-attr]
    steps(model, 20)
    assert second.snapshot().rows > rows  # type: ignore[union-attr]
    assert second.snapshot().step == 40  # type: ignore[union-attr]


def test_the_training_is_the_same_while_the_latent_is_searched() -> None:
    def weights(monitored: bool) -> list[Tensor]:
        torch.manual_seed(0)
        model = Choice(norm=True)
        if monitored:
            watched(model)
        steps(model, 12)
        return [value.clone() for value in model.state_dict().values()]

    assert all(torch.equal(a, b) for a, b in zip(weights(False), weights(True), strict=True))


def test_hooks_of_the_search_are_off_within_detached_and_after_detach() -> None:
    model = Choice()
    monitor = watched(model)
    assert hooks(model) > 2
    with monitor.detached():
        assert hooks(model) == 0
    monitor.detach()
    assert hooks(model) == 0
    steps(model, 3)
    assert hooks(model) == 0


def test_a_search_that_takes_too_long_ends_and_says_what_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_forwards, "MAX_SECONDS", 0.0)
    model = Blind()
    monitor = watched(model)
    assert "did not show a latent for certain" in steps(model, 3)[0]
    assert hooks(model) == 0
    assert monitor.health().errors == 0


def test_the_training_goes_on_for_a_while_after_an_expensive_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_forwards, "FREE_SECONDS", 0.0)
    monkeypatch.setattr(first_forwards, "REST", 1e9)
    model = Blind()
    watched(model)
    steps(model, 1)
    assert hooks(model) == 0


def test_a_failing_search_ends_and_the_named_latent_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(first_forwards.Judge, "add", broken)
    torch.manual_seed(0)
    model = Named()
    monitor = watched(model, strict=False)
    told = steps(model, 20)
    assert any("the search of the latent in the first forwards failed; the latent stays" in text for text in told)
    assert monitor.snapshot() is not None


def test_forwards_without_a_step_are_told_once() -> None:
    model = Choice()
    monitor = watched(model)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(1100):
            model(torch.zeros(2, X))
    assert len(caught) == 1
    assert "call monitor.step() after each update" in str(caught[0].message)
    monitor.detach()
    assert hooks(model) == 0


def test_hooks_that_a_model_was_compiled_with_come_off_with_the_monitor() -> None:
    torch._dynamo.reset()
    model = Choice()
    monitor = watched(model)
    compiled = torch.compile(model, backend="eager")
    steps(model, 30, lambda x: compiled(x))
    monitor.detach()
    assert hooks(model) == 0
    torch._dynamo.reset()


def test_training_in_eval_mode_is_searched_if_that_mode_alone_is_watched() -> None:
    torch.manual_seed(0)
    model = Choice().eval()
    monitor = watched(model, modes=("eval",))
    steps(model, 20)
    assert "mean from 'first', log σ² from 'second'" in monitor.explain()


class Scaled(nn.Module):
    """A head that is no layer of PyTorch's own."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        return 3 * self.inner(x)


def test_arguments_fit_where_the_model_gives_the_same_numbers_again() -> None:
    """Its output may be nearer to the head than the layer that was named: the numbers decide, not the place."""
    model = models.Vae(inputs=X)
    model.fc_mu = Scaled()  # type: ignore[assignment]
    monitor = watched(model, mean="fc_mu", logvar="fc_logvar")
    assert steps(model, 20, lambda x: model(x)[0]) == []
    assert "confirmed" in monitor.explain()
    monitor.detach()


class Nodes(nn.Module):
    """A graph autoencoder: its own forward draws the sample and relates the nodes."""

    def __init__(self, names: tuple[str, str]) -> None:
        super().__init__()
        self.names, self.body = names, nn.Linear(X, 16)
        for name in names:
            setattr(self, name, nn.Linear(16, 4))

    def forward(self, x: Tensor) -> Tensor:
        h = self.body(x).relu()
        mean, logstd = (getattr(self, name)(h) for name in self.names)
        z = mean + logstd.exp() * torch.randn_like(mean)
        return (z @ z.T).sigmoid()


def test_a_graph_whose_own_forward_draws_the_sample_is_no_policy() -> None:
    model = Nodes(("conv_mu", "conv_logstd"))
    monitor = watched(model)
    assert steps(model, 40) == []
    assert monitor.explain().startswith("mean from 'conv_mu', logstd from 'conv_logstd'")
    assert monitor.snapshot() is not None
    monitor.detach()


def test_a_graph_without_names_is_one_warning_with_the_true_line() -> None:
    model = Nodes(("gc2", "gc3"))
    watched(model)
    told = steps(model, 60)
    assert len(told) == 1
    assert '    attach(model, mean="gc2", logstd="gc3")' in told[0]
    assert "<" not in told[0]


def test_a_named_code_is_taken_where_a_layer_of_the_same_width_follows_it() -> None:
    """As `quant_conv` and `post_quant_conv` of autoencoders without a variance."""
    torch.manual_seed(0)
    model = nn.Sequential()
    widths = {"encoder": (X, 12), "quant_conv": (12, 6), "post_quant_conv": (6, 6), "decoder": (6, X)}
    for name, sizes in widths.items():
        model.add_module(name, nn.Linear(*sizes))
    monitor = watched(model, resolution=0.1)
    assert steps(model, 20) == []
    assert monitor.explain().startswith("mean from 'quant_conv'")
    assert "confirmed: a module takes exactly it" in monitor.explain()
    monitor.detach()


def test_a_search_that_is_paused_speaks_after_ten_times_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_forwards, "FREE_SECONDS", 0.0)
    monkeypatch.setattr(first_forwards, "REST", 1e9)
    model = Blind()
    monitor = watched(model)
    assert steps(model, 499) == []
    assert "the first 500 steps did not show a latent for certain" in steps(model, 3)[0]
    assert hooks(model) == 0
    monitor.detach()
