"""Plain autoencoder."""

from __future__ import annotations

from torch import Tensor, nn

from ._likelihood import Likelihood, bernoulli


class Autoencoder(nn.Module):
    """Autoencoder, whose code has a mean and no variance; `decay` times its square is the L2 penalty.

    The reconstruction loss is `likelihood`: nats for `bernoulli`, the square of x's unit for `squared_error`.
    """

    def __init__(
        self,
        inputs: int,
        latents: int = 10,
        hidden: int = 256,
        decay: float = 0.0,
        likelihood: Likelihood = bernoulli,
    ) -> None:
        super().__init__()
        self.decay = decay
        self.likelihood = likelihood
        self.encoder = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, latents))
        self.decoder = nn.Sequential(nn.Linear(latents, hidden), nn.ReLU(), nn.Linear(hidden, inputs))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output of the decoder, and the code."""
        code = self.encoder(x)
        return self.decoder(code), code

    def encode(self, x: Tensor, u: Tensor | None = None) -> tuple[Tensor, None]:
        """Return the code (n, D), and None, as there is no variance. u is not used."""
        return self.encoder(x), None

    def decode(self, z: Tensor) -> Tensor:
        """Return the output of the decoder (n, inputs) for codes (n, D)."""
        output: Tensor = self.decoder(z)
        return output

    def reconstruction(self, x: Tensor, z: Tensor) -> Tensor:
        """Return the loss of reconstructing x from codes, one per input (n,), in the unit of the likelihood."""
        return self.likelihood(x, self.decode(z))

    def prior(self, u: Tensor | None = None) -> None:
        """Return None, as there is no prior."""
        return

    def penalty(self, code: Tensor) -> Tensor:
        """Return the regulariser of a batch of codes (n, D), the mean of their squared length."""
        return code.square().sum(1).mean()

    def loss(self, x: Tensor, weight: float | None = None, u: Tensor | None = None) -> Tensor:
        """Return the mean reconstruction loss per input plus `weight` (default `decay`) times `penalty`."""
        output, code = self(x)
        return self.likelihood(x, output).mean() + (self.decay if weight is None else weight) * self.penalty(code)
