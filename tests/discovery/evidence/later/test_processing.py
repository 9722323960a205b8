"""What heads become on their way into a sample: the code is what was tried, and the true one is found."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from polar_monitor.discovery.evidence.later.processing import MEANS, PLAIN, SPREADS, evaluated, explanation_of, further


def same(s: Tensor) -> Tensor:
    return s


def half(s: Tensor) -> Tensor:
    return (s / 2).exp()


def test_the_code_says_what_is_computed() -> None:
    tensor = torch.randn(37, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    twice = [two for one in further(PLAIN[0]) for two in further(one)]
    for one in (*MEANS, *SPREADS, *(two for base in (*SPREADS[:24], *SPREADS[-40:]) for two in further(base)), *twice):
        with np.errstate(all="ignore"):
            made = one.apply(tensor.numpy())
        expected = evaluated(one, tensor).numpy()
        usable = np.isfinite(made)
        assert np.allclose(made[usable], expected[usable], rtol=1e-5, atol=1e-8), one.code


CASES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor], str, str]] = {
    "nothing": (same, half, "{s}", "{s}"),
    "tanh": (lambda m: 3 * m.tanh(), half, "3 * {s}.tanh()", "{s}"),
    "scale": (lambda m: 0.5 * m, half, "0.5 * {s}", "{s}"),
    "unit length": (
        lambda m: 2 * functional.normalize(m, dim=-1), half, "2 * torch.nn.functional.normalize({s}, dim=-1)", "{s}"
    ),
    "two clamps": (same, lambda s: half(s.clamp(-6, 2)), "{s}", "{s}.clamp(-6, 2)"),
    "softplus and a floor": (
        same, lambda s: functional.softplus(s) + 0.05, "{s}", "(torch.nn.functional.softplus({s})) + 0.05"
    ),
    "precision": (same, lambda s: half(-s), "{s}", "-{s}"),
    "shift": (same, lambda s: half(s - 4), "{s}", "{s} - 4"),
    "softmax": (same, lambda s: 5 * s.softmax(-1) + 1e-6, "{s}", "{s}.shape[-1] * {s}.softmax(-1)"),
    "soft clamps and a floor": (
        lambda m: 5 * (m / 5).tanh(), lambda s: (5 * (s / 5).tanh()).exp() + 0.01,
        "5 * ({s} / 5).tanh()", "(5 * ({s} / 5).tanh()).exp() + 0.01",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_true_processing_is_found(case: str) -> None:
    mean, std, made, scaled = CASES[case]
    draw = torch.Generator().manual_seed(0)
    m, s = (torch.randn(6000, 5, generator=draw) for _ in range(2))
    m, s = 2 * m, 1.5 * s - 1 if case != "two clamps" else 4 * s
    z = mean(m) + std(s) * torch.randn(6000, 5, generator=draw)
    explanation = explanation_of(*(side.double().numpy() for side in (z, m, s)), mantissa=23)
    assert explanation is not None
    assert (explanation.mean.code, explanation.spread.code) == (made, scaled)
    assert "residual variance 1.0" in explanation.words("'mu'", "'lv'")


def test_numbers_that_are_no_sample_are_not_explained() -> None:
    z, m, s = np.random.default_rng(0).normal(size=(3, 500, 4))
    assert explanation_of(np.tanh(z * 9 + m), m, s, 23) is None


@pytest.mark.parametrize("odd", [float("inf"), float("nan")])
def test_numbers_that_are_not_finite_are_not_explained(odd: float) -> None:
    """As those of a training that diverges."""
    z, m, s = np.random.default_rng(0).normal(size=(3, 500, 4))
    assert explanation_of(z, np.where(m > 0, odd, m), s, 23) is None
    assert explanation_of(np.where(z > 0, odd, z), m, s, 23) is None
