"""Hierarchical models: with latents="all" each level is read, and one that stays uncertain is said."""

from __future__ import annotations

import pytest
import torch
from searched import X, hooks, steps, watched
from torch import Tensor, nn

import polar_monitor


class TwoLevels(nn.Module):
    """A latent above another one: the first decoder takes a sample of its own and what the second one gives."""

    def __init__(self) -> None:
        super().__init__()
        self.low, self.q1 = nn.Sequential(nn.Linear(X, 48), nn.ReLU()), nn.Linear(48, 16)
        self.high, self.q2 = nn.Sequential(nn.Linear(48, 32), nn.ReLU()), nn.Linear(32, 8)
        self.down, self.out = nn.Linear(4, 16), nn.Linear(24, X)

    def forward(self, x: Tensor) -> Tensor:
        h = self.low(x)
        samples = []
        for mean, logvar in (self.q2(self.high(h)).chunk(2, -1), self.q1(h).chunk(2, -1)):
            samples.append(2 * mean + logvar.exp() * torch.randn_like(mean) - mean)
        return self.out(torch.cat([samples[1], self.down(samples[0])], -1))


def test_all_latents_of_a_hierarchical_model_have_monitors_of_their_own() -> None:
    torch.manual_seed(0)
    model = TwoLevels()
    monitor = watched(model, latents="all")
    assert steps(model, 60) == []
    assert set(monitor.latents) == {"q2"}
    assert "the first half of its last axis of 'q1'" in monitor.explain()
    other = monitor.latents["q2"]
    assert (monitor.snapshot().dimensions, other.snapshot().dimensions) == (8, 4)  # type: ignore[union-attr]
    assert "latent 'q2': step" in monitor.summary()
    monitor.detach()
    assert hooks(model) == 0


class ThreeLevels(nn.Module):
    """Each decoder but the topmost takes a sample of its own level and what the one above gives."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ModuleList([nn.Linear(width, 32) for width in (X, 32, 32)])
        self.heads = nn.ModuleList([nn.Linear(32, 2 * width) for width in (8, 6, 4)])
        self.down = nn.ModuleList([nn.Linear(width, 16) for width in (24, 22, 4)])
        self.out = nn.Linear(16, X)
        self.used: list[tuple[Tensor, Tensor]] = []
        self.fixed: dict[int, float] = {}
        """σ by level, where no head gives it."""

    def forward(self, x: Tensor) -> Tensor:
        samples, self.used = [], []
        for level, (up, head) in enumerate(zip(self.up, self.heads, strict=True)):
            x = up(x).relu()
            mean, logvar = head(x).chunk(2, -1)
            samples.append(mean + self.fixed.get(level, (0.5 * logvar).exp()) * torch.randn_like(mean))
            self.used.append((mean.detach(), logvar.detach()))
        h = self.down[2](samples[2]).relu()
        for level in (1, 0):
            h = self.down[level](torch.cat([samples[level], h], -1)).relu()
        return self.out(h)


def test_each_of_three_levels_is_read_as_the_forward_uses_it() -> None:
    torch.manual_seed(0)
    model = ThreeLevels()
    for part in (model.up, model.heads):
        part.requires_grad_(False)  # the window is as long as the training: its posterior has to stay
    with torch.no_grad():
        for head in model.heads:
            head.weight *= 3  # σ differs at each level: where it hardly does, its unit cannot be known
    monitor = watched(model, latents="all")
    assert steps(model, 60) == []
    levels = {"heads.0": monitor, **monitor.latents}
    assert set(levels) == {"heads.0", "heads.1", "heads.2"}
    with torch.no_grad(), monitor.detached():
        model(torch.randn(4096, X))
    for level, (mean, logvar) in enumerate(model.used):
        snapshot = levels[f"heads.{level}"].snapshot()
        assert snapshot is not None
        expected = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean(0)
        assert snapshot.kl == pytest.approx(expected.numpy(), abs=0.05)
    monitor.detach()
    assert hooks(model) == 0


def frozen_levels(seed: int) -> ThreeLevels:
    torch.manual_seed(seed)
    model = ThreeLevels()
    for part in (model.up, model.heads):
        part.requires_grad_(False)
    return model


@pytest.mark.parametrize("seed", range(4))
def test_levels_whose_spread_hardly_differs_are_looked_for_until_they_are_certain(seed: int) -> None:
    monitor = watched(model := frozen_levels(seed), latents="all")
    assert steps(model, 90) == []
    assert set(monitor.latents) == {"heads.1", "heads.2"}
    assert monitor.explain().splitlines()[0].count("another latent: mean from") == 2
    assert "not confirmed so far" not in monitor.explain()
    monitor.detach()


def test_a_level_that_stays_uncertain_is_one_warning_with_a_line_that_can_be_followed() -> None:
    model = frozen_levels(0)
    with torch.no_grad():
        model.heads[2].weight[4:] *= 0.1
        model.heads[2].bias[4:] = 0
    monitor = watched(model, latents="all")
    assert steps(model, 60) == []
    assert "; not confirmed so far: the first half of its last axis of 'heads.2'" in monitor.explain()
    told = steps(model, 60)
    assert len(told) == 1
    assert 'latents="all": not every latent is watched after 100 steps' in told[0]
    line = next(line.strip() for line in told[0].splitlines() if line.strip().startswith("attach("))
    own = eval(line, {"attach": watched, "model": model})
    assert steps(model, 30) == []
    assert own.snapshot().dimensions == 4
    assert monitor.attached
    monitor.detach()
    own.detach()
    assert hooks(model) == 0


def test_a_level_whose_head_starts_at_zero_is_taken_once_it_moves() -> None:
    model = frozen_levels(0)
    spread = model.heads[2].weight[4:]
    with torch.no_grad():
        spread.zero_()
        model.heads[2].bias[4:] = 0
    monitor = watched(model, latents="all")
    steps(model, 50)
    assert set(monitor.latents) == {"heads.1"}
    with torch.no_grad():
        spread += torch.randn_like(spread)
    assert steps(model, 80) == []
    assert set(monitor.latents) == {"heads.1", "heads.2"}
    monitor.detach()


def test_a_level_of_one_constant_spread_is_said() -> None:
    model = frozen_levels(0)
    model.fixed = {2: 0.3}
    monitor = watched(model, latents="all")
    told = steps(model, 120)
    assert len(told) == 1
    assert 'latents="all": not every latent is watched after 100 steps: ' in told[0]
    assert "what enters 'down.2' is what the first half of its last axis of 'heads.2' gives and noise" in told[0]
    assert hooks(model) < 10  # of the latents that are watched
    monitor.detach()


def test_an_example_says_which_levels_it_leaves_open(capsys: pytest.CaptureFixture[str]) -> None:
    model, x = frozen_levels(0), torch.randn(128, X)
    found = polar_monitor.find(model, x)
    assert "possible, but not certain:\nmean from the first half" in capsys.readouterr().out
    assert [one.mean.module for one in found.candidates] == ["heads.2"]
    with pytest.warns(polar_monitor.PolarMonitorWarning, match=r"after 8 forwards of the example.*\n.*heads.2"):
        monitor = watched(model, latents="all", example=x)
    assert set(monitor.latents) == {"heads.1"}
    monitor.detach()


def test_two_latents_of_one_module_have_names_of_their_own() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.heads = nn.ModuleList([nn.Linear(X, 4) for _ in range(6)])

        def forward(self, x: Tensor) -> list[Tensor]:
            return [head(x) for head in self.heads]

    class ThreeOfOne(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.out = Both(), nn.ModuleList([nn.Linear(4, X) for _ in range(3)])

        def forward(self, x: Tensor) -> Tensor:
            heads = self.encoder(x)
            pairs = zip(self.out, heads[::2], heads[1::2], strict=True)
            return sum(out(m + (0.5 * s).exp() * torch.randn_like(m)) for out, m, s in pairs)  # type: ignore[return-value]

    torch.manual_seed(0)
    monitor = watched(model := ThreeOfOne(), latents="all")
    assert steps(model, 60) == []
    assert len(monitor.latents) == 2
    monitor.detach()
