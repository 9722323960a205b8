"""The study of structures: every model trains, and its truth is the posterior that its forward draws from."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from bench.models import __main__ as main
from bench.models import judge, lines, report, truth
from bench.models.structure import Posterior
from bench.models.structures import ALL
from bench.models.training import Run, equal, no_backward

COMPILED = {"compiled_eager", "compiled_aot_eager"}
"""Models that take seconds to compile; the encode_decode model is the same without."""
QUICK = [name for name in ALL if name not in COMPILED]
NO_SAMPLE_ALIKE = {"laplace", "cholesky", "iwae", "vits", "accumulated"}
"""Models whose sample is no normal one, or has another shape than the truth."""


@pytest.mark.parametrize("name", QUICK)
def test_a_model_trains_and_its_truth_has_a_shape(name: str) -> None:
    structure = ALL[name]
    run = Run(structure)
    before = run.bits()
    run.train(1)
    assert not equal(before, run.bits())
    if not structure.is_latent:
        return
    with torch.no_grad():
        posteriors = structure.posteriors(run.model, next(run.batches))
    assert posteriors
    for posterior in posteriors:
        assert posterior.mean.dim() in (2, 3)
        assert posterior.mean.isfinite().all()
        if posterior.variance is not None:
            assert posterior.variance.shape == posterior.mean.shape
            assert posterior.variance.isfinite().all() and (posterior.variance > 0).all()


class Residuals(TorchDispatchMode):
    """Looks at all tensors of a forward for a sample of a posterior: (z − μ)/σ has mean 0 and variance 1."""

    def __init__(self, posteriors: list[Posterior]) -> None:
        super().__init__()
        self.posteriors, self.matches = posteriors, [False] * len(posteriors)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.is_floating_point():
            for i, posterior in enumerate(self.posteriors):
                for mean, variance in _alike(posterior, result):
                    self.matches[i] |= _is_sample(result.detach(), mean, variance)
        return result


def _is_sample(z: Tensor, mean: Tensor, variance: Tensor) -> bool:
    r, n = (z - mean) / variance.sqrt(), z.numel()
    if not abs(float(r.mean())) < 5 / n**0.5 or not abs(float(r.var()) - 1) < 8 / n**0.5:
        return False
    return abs(float((r * mean).mean() / mean.std())) < 6 / n**0.5


def _alike(posterior: Posterior, z: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the posterior in the layouts that z may have: channels first, time first, or a single step."""
    sides = posterior.mean, posterior.variance
    assert sides[1] is not None
    layouts = [sides, tuple(side.transpose(0, 1) for side in sides)]
    if sides[0].dim() == 3:
        if z.dim() > 2 and z.numel() == sides[0].numel():
            layouts.append(tuple(side.transpose(1, 2).reshape(z.shape) for side in sides))
        layouts += [(sides[0][:, t], sides[1][:, t]) for t in range(sides[0].shape[1])]
    for mean, variance in layouts:
        if mean.shape == z.shape:
            yield mean, variance


@pytest.mark.parametrize("name", [n for n in QUICK if ALL[n].is_latent and n not in NO_SAMPLE_ALIKE])
def test_the_forward_draws_from_the_truth(name: str) -> None:
    structure = ALL[name]
    run = Run(structure)
    for module in run.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # the truth and the step would see other masks
    run.train(2)
    batch = next(run.batches)
    state = torch.get_rng_state()
    with torch.no_grad():
        posteriors = structure.posteriors(run.model, batch)
    if posteriors[0].variance is None or posteriors[0].mean.shape[0] == 0:
        return
    torch.set_rng_state(state)
    with Residuals(posteriors) as seen:
        structure.step(run.model, run.optimisers, batch)
    assert all(seen.matches)


def test_the_information_of_the_truth_is_that_of_a_normal_channel() -> None:
    torch.manual_seed(0)
    variance = torch.tensor([0.01, 0.5, 0.9999], dtype=torch.float64)
    mean = torch.randn(8192, 3, dtype=torch.float64) * (1 - variance).sqrt()
    stated, errors = truth.marginal_information(mean, variance.expand_as(mean))
    for value, error, v in zip(stated, errors, variance, strict=True):
        assert float(value) == pytest.approx(-0.5 * math.log(v), abs=4 * float(error) + 0.005)


def test_a_wrong_unit_is_no_right_reading() -> None:
    from polar_monitor import classify

    torch.manual_seed(1)
    mean = torch.randn(8192, 2).double() * torch.tensor([1.0, 0.05])
    variance = torch.tensor([0.05, 0.99]).double().expand_as(mean)
    true = truth._reference([Posterior(mean, variance)])
    regime = classify(mean, var=variance)
    assert judge.reading([regime.snapshot], regime, true).right
    wrong = classify(mean, var=variance.sqrt())
    assert not judge.reading([wrong.snapshot], wrong, true).right
    code = classify(mean)
    assert not judge.reading([code.snapshot], code, true).right
    other = classify(mean[:, :1], var=variance[:, :1])
    assert not judge.reading([other.snapshot], other, true).right


def test_lines_are_taken_from_a_message() -> None:
    text = (
        'Use one of:\n    attach(model, mean="a", std="b")\n    attach(model, latent="<module>")\n    attach(model, …)'
    )
    assert lines.offered(text) == ['attach(model, mean="a", std="b")']
    assert lines.offered("attach(model, mean=lambda out: out[1], logvar=lambda out: out[2])  # own") == [
        "attach(model, mean=lambda out: out[1], logvar=lambda out: out[2])"
    ]


RESULT = {
    "error": None, "messages": [], "is_latent": True, "bit_equal": True, "judged": True, "line": None,
    "reading": {"right": False, "faults": ["KL"], "rms": 9.0, "labels_right": 0, "dimensions": 2},
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "category"),
    [
        ({}, report.SILENT),
        ({"messages": ["the reading may be wrong"]}, report.LOUD),
        ({"messages": ["so"], "line": "attach(model)"}, report.EXPLAINED),
        ({"error": "no", "reading": None}, report.LOUD),
        ({"reading": None, "judged": False}, report.SILENT),
        ({"reading": RESULT["reading"] | {"right": True}}, report.RIGHT),
        ({"reading": RESULT["reading"] | {"right": True}, "bit_equal": False}, report.SILENT),
        ({"is_latent": False, "reading": None}, report.SILENT),
        ({"is_latent": False, "reading": None, "error": "an action", "judged": None}, report.RIGHT),
        ({"is_latent": False, "reading": None, "judged": False}, report.SILENT),
        ({"crashed": "no result"}, report.CRASHED),
    ],
)
def test_categories(changes: dict[str, Any], category: str) -> None:
    assert report.category(RESULT | changes) == category


def test_results_of_the_same_settings_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    assert main._kept(file, {"steps": 5}) == {}
    file.write_text(json.dumps({"a": {"settings": {"steps": 5}}, "b": {"settings": {"steps": 9}}, "c": {}}))
    assert list(main._kept(file, {"steps": 5})) == ["a"]


def test_frozen_weights_need_no_gradients() -> None:
    run = Run(ALL["pytorch_example"])
    run.train(1)
    run.freeze()
    before = run.bits()
    with no_backward():
        run.train(2)
    after = run.bits()
    assert all(torch.equal(before[name], after[name]) for name in before if name != "rng")
    assert all(parameter.grad is None for parameter in run.model.parameters())
