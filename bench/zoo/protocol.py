"""What all model families can do; x is (n, inputs), u (n, U), z (n, D), all float32."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor


class LatentModel(Protocol):
    """A model with D latent dimensions, for training and for interventions on its latents."""

    def __call__(self, x: Tensor, /) -> Any:
        """One pass in training: reconstruction first, then mean (and log-variance); this is what hooks see."""

    def encode(self, x: Tensor, u: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Mean representation (n, D) and log-variance (n, D) of the posterior; None for a code without one."""

    def decode(self, z: Tensor) -> Tensor:
        """What the decoder makes of z: logits or means of the reconstruction (n, inputs)."""

    def reconstruction(self, x: Tensor, z: Tensor) -> Tensor:
        """Loss of reconstructing x from z, an input (n,): nats, or squared error where the model says so."""

    def prior(self, u: Tensor | None = None) -> tuple[Tensor, Tensor] | None:
        """Mean and log-variance (n, D) of a conditional prior; None for N(0, 1), or where there is no prior."""

    def loss(self, x: Tensor, weight: float, /, u: Tensor | None = None) -> Tensor:
        """What training minimises, a scalar: mean reconstruction loss plus `weight` times the regulariser."""
