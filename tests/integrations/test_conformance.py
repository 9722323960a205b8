"""Every framework gives what the plain loop gives: labels, counts and weights. Nothing stays on the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks import FRAMEWORKS, OPTIONS, STEPS, OwnNoise, is_installed, plain
from torch import nn

from polar_monitor.sinks.jsonl import read_jsonl

pytestmark = [
    pytest.mark.integrations,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::polar_monitor.PolarMonitorWarning"),
]
COUNTS = ("steps", "calls", "rows_seen", "rows_dropped", "rows_skipped", "errors", "evaluations")


def traces(model: nn.Module) -> list[tuple[str, ...]]:
    """Names of all attributes of all modules, and what their hooks are."""
    return [
        (*sorted(vars(module)), *(str(vars(module)[name]) for name in sorted(vars(module)) if "hooks" in name))
        for module in model.modules()
    ]


def outcome(folder: Path, monitor: Any) -> tuple[Any, ...]:
    """What a run says: labels of each evaluation, and counts."""
    labels = [(e.step, e.regime and [str(label) for label in e.regime.labels]) for e in read_jsonl(folder)]
    return labels, {name: getattr(monitor.health(), name) for name in COUNTS}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    folder = tmp_path_factory.mktemp("plain")
    model = OwnNoise()
    monitor = plain(model, folder, OPTIONS)
    return (*outcome(folder / "polar.jsonl", monitor), model.state_dict())


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_framework_gives_what_the_plain_loop_gives(
    name: str, reference: tuple[Any, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_installed(name):
        pytest.skip(f"{name} is not installed")
    monkeypatch.chdir(tmp_path)
    model, alone = OwnNoise(), OwnNoise()
    monitor = FRAMEWORKS[name](model, tmp_path / "run", OPTIONS)
    FRAMEWORKS[name](alone, tmp_path / "alone", None)
    labels, counts, weights = reference
    assert outcome(tmp_path / "run" / "polar.jsonl", monitor) == (labels, counts)
    assert counts["steps"] == STEPS
    for key, value in model.state_dict().items():
        assert torch.equal(value, weights[key])
        assert torch.equal(value, alone.state_dict()[key])
    assert traces(model) == traces(alone)
    assert not monitor.attached
