"""What a message tells to write works when it is written."""

from __future__ import annotations

import re

import pytest
import torch
from models import Vae
from torch import Tensor, nn
from watching import warned

import polar_monitor
from polar_monitor import PolarMonitor
from polar_monitor.alerts.advice import KIND_ADVICE
from polar_monitor.alerts.alert import AlertKind
from polar_monitor.discovery.find import find
from polar_monitor.errors import PolarMonitorError

NO_SPREADS = dict.fromkeys(("logvar", "var", "std", "logstd"))


class Renamed(nn.Module):
    """A VAE with two heads of other names."""

    def __init__(self, mean: str, spread: str) -> None:
        super().__init__()
        self.names = mean, spread
        self.add_module(mean, nn.Linear(12, 4))
        self.add_module(spread, nn.Linear(12, 4))
        with torch.no_grad():  # a spread in any unit
            self.get_submodule(spread).weight.mul_(0.01)
            self.get_submodule(spread).bias.fill_(0.5)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, spread = (self.get_submodule(name)(x) for name in self.names)
        return mean, spread


class Two(nn.Module):
    """A model with two VAEs."""

    def __init__(self) -> None:
        super().__init__()
        self.image, self.text = Vae(), Vae(latents=3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.image(x)[0], self.text(x)[0]


def lines_of(model: nn.Module) -> list[str]:
    """The lines that the error of a model proposes."""
    with pytest.raises(PolarMonitorError) as refused:
        find(model, None, NO_SPREADS, None)
    return re.findall(r"^    (attach\(model.*\))", str(refused.value), re.MULTILINE)


def written(line: str, model: nn.Module) -> PolarMonitor:
    """The monitor of a line, as a user writes it."""
    line = line.removesuffix(")") + ", sinks=(), every=5, max_overhead=1.0, strict=True)"
    monitor: PolarMonitor = eval(line, {"attach": polar_monitor.attach, "model": model})
    return monitor


def train(model: nn.Module) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for _ in range(10):
        model(torch.randn(128, 12))
        optimizer.step()


@pytest.mark.parametrize(
    "model",
    [
        lambda: Renamed("fc_mu", "fc_var"),
        lambda: Renamed("style_mu", "style_logvar"),
        lambda: Renamed("projection", "fc_logvar"),
    ],
    ids=["the unit is open", "another variable", "a spread alone"],
)
def test_each_line_to_choose_from_watches_the_model(model: object) -> None:
    lines = lines_of(model())  # type: ignore[operator]
    assert lines
    for line in lines:
        one = model()  # type: ignore[operator]
        if "<" in line:
            continue  # a place to fill in
        monitor = written(line, one)
        train(one)
        assert monitor.snapshot() is not None, line
        monitor.detach()


def test_all_lines_of_several_latents_can_be_written_at_once() -> None:
    model = Two()
    with warned() as caught:
        monitors = [written(line, model) for line in lines_of(Two())]
        train(model)
    assert [monitor.name for monitor in monitors] == ["image", "text"]
    assert [monitor.attached for monitor in monitors] == [True, True]
    assert [monitor.snapshot().dimensions for monitor in monitors] == [4, 3]  # type: ignore[union-attr]
    assert not caught


def test_the_names_of_several_latents_differ_where_their_parts_do_not() -> None:
    heads = {f"{side}_{part}": nn.Linear(12, 4) for part in ("image", "text") for side in ("mu", "logvar")}
    model = nn.ModuleDict(heads)
    monitors = [written(line, model) for line in lines_of(model)]
    assert len({monitor.name for monitor in monitors}) == len(monitors) == 2
    assert all(monitor.attached for monitor in monitors)


def test_the_advice_of_a_silence_ends_it() -> None:
    """`mean=…` of the module that is called, `observe` in the loop."""
    first, *_ = KIND_ADVICE[AlertKind.SILENT].advice
    assert "monitor.observe(mean, logvar=…)" in first
    model = Vae()
    by_hand = PolarMonitor(sinks=(), every=5, max_overhead=1.0)
    by_module = polar_monitor.attach(model, mean="fc_mu", logvar="fc_logvar", sinks=(), every=5, max_overhead=1.0)
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for _ in range(10):
        h = model.body(torch.randn(128, 12))  # the model itself is not called
        by_hand.observe(model.fc_mu(h), logvar=model.fc_logvar(h))
        optimizer.step()
        by_hand.step()
    assert by_hand.snapshot() is not None
    assert by_module.snapshot() is not None
