"""One model of the study: how it is made, trained, and what its own posterior is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor, nn, optim


class Posterior(NamedTuple):
    """The model's own posterior for a batch, computed outside of its forward."""

    mean: Tensor
    """(n, D), or (n, P, D) for P places, steps or tokens of each input."""
    variance: Tensor | None
    """The same shape; None for a code."""
    name: str = "the latent"


Truth = Callable[[Any, Any], Posterior | Sequence[Posterior]]


def adam(model: nn.Module) -> list[optim.Optimizer]:
    """Return one optimiser for all parameters."""
    return [optim.Adam(model.parameters(), 2e-3)]


@dataclass(frozen=True)
class Structure:
    """One model; either `loss` or `step` says how it is trained."""

    name: str
    family: str
    where: str
    """Place of the latent, in words."""
    build: Callable[[int], nn.Module]
    batches: Callable[[int], Iterator[Any]]
    truth: Truth | None
    """Posteriors that a right reading may be of: one, or several if the model has several latents. None for a model
    without a latent."""
    loss: Callable[[Any, Any], Tensor] | None = None
    own_step: Callable[[Any, list[optim.Optimizer], Any], None] | None = None
    optimisers: Callable[[nn.Module], list[optim.Optimizer]] = adam
    decode: Callable[[Any, Tensor], Tensor] | None = None
    """The output for samples (n, D) of the latent, where the decoder is a plain function of them."""
    heavy: bool = False
    """True for a model whose step takes long: it gets fewer steps, one window and fewer inputs for its truth."""
    inputs: int | None = None
    """Number of different inputs, if it is finite: nodes of a graph."""

    @property
    def is_latent(self) -> bool:
        """False for a model in which nothing may be recorded."""
        return self.truth is not None

    def step(self, model: nn.Module, optimisers: list[optim.Optimizer], batch: Any) -> None:
        """Train one step, as the model's own training loop does."""
        if self.own_step is not None:
            self.own_step(model, optimisers, batch)
            return
        assert self.loss is not None
        for optimiser in optimisers:
            optimiser.zero_grad()
        self.loss(model, batch).backward()
        for optimiser in optimisers:
            optimiser.step()

    def posteriors(self, model: nn.Module, batch: Any) -> list[Posterior]:
        """Return the posteriors of a batch as a list."""
        assert self.truth is not None
        result = self.truth(model, batch)
        return [result] if isinstance(result, Posterior) else list(result)
