"""Reconstruction losses of x given a decoder's output, summed over the inputs: (n, inputs) -> (n,)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

Likelihood = Callable[[Tensor, Tensor], Tensor]


def bernoulli(x: Tensor, output: Tensor) -> Tensor:
    """Return the cross-entropy of x in [0, 1] under logits, nats."""
    return functional.binary_cross_entropy_with_logits(output, x, reduction="none").sum(1)


def squared_error(x: Tensor, output: Tensor) -> Tensor:
    """Return the squared error; half of it is nats for a noise variance of 1, up to a constant."""
    return (output - x).square().sum(1)


@dataclass(frozen=True)
class Gaussian:
    """Negative log-likelihood of x under N(output, variance) with a fixed variance (η² in the literature), nats."""

    variance: float

    def __call__(self, x: Tensor, output: Tensor) -> Tensor:
        """Return the loss (n,) of x and the decoder's output, (n, inputs) each."""
        constant = 0.5 * x.shape[1] * math.log(2 * math.pi * self.variance)
        return squared_error(x, output) / (2 * self.variance) + constant
