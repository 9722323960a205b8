"""An autoencoder whose code has one scale by construction, so that only the decoder says which dimensions count."""

from __future__ import annotations

from torch import Tensor, nn

from polar_monitor.demo.models import Autoencoder, Likelihood, squared_error


class ColumnDecay(Autoencoder):
    """An autoencoder with a batch-normed code; the regulariser is paid by the columns of the decoder's first layer.

    Each dimension of the code has variance 1 in each batch. The penalty, Σ_j ‖w_j‖ over those columns, sets whole
    columns to 0 (group lasso, Yuan & Lin 2006): the decoder drops a dimension that the encoder goes on to fill.
    """

    def __init__(
        self, inputs: int, latents: int = 10, hidden: int = 256, likelihood: Likelihood = squared_error
    ) -> None:
        super().__init__(inputs, latents, hidden, likelihood=likelihood)
        self.encoder.append(nn.BatchNorm1d(latents, affine=False))

    def penalty(self, code: Tensor) -> Tensor:
        """Return the sum of the lengths of the columns, a scalar; the code does not enter."""
        weight = self.decoder[0].weight
        assert isinstance(weight, Tensor)
        return weight.norm(dim=0).sum()
