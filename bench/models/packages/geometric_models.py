"""Graph autoencoders of torch_geometric."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import ARGVA, GAE, VGAE, GCNConv

from ..blocks import mlp, seeded
from ..data import GRAPH_NODES, WIDTH, graph
from ..structure import Posterior, Structure

LATENTS = 5


class Encoder(nn.Module):
    """The encoder of the package's examples."""

    def __init__(self, variational: bool) -> None:
        super().__init__()
        self.conv1, self.conv_mu = GCNConv(WIDTH, 32), GCNConv(32, LATENTS)
        self.conv_logstd = GCNConv(32, LATENTS) if variational else None

    def forward(self, x: Tensor, edges: Tensor) -> Any:
        h = self.conv1(x, edges).relu()
        mean = self.conv_mu(h, edges)
        return mean if self.conv_logstd is None else (mean, self.conv_logstd(h, edges))


def _batches(seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    x, adjacency = next(graph(seed))
    edges = (adjacency - torch.diag(adjacency.diag())).nonzero().T.contiguous()
    while True:
        yield x, edges


def _loss(model: Any, batch: tuple[Tensor, Tensor]) -> Tensor:
    z = model.encode(*batch)
    loss = model.recon_loss(z, batch[1])
    return loss + model.kl_loss() / GRAPH_NODES if isinstance(model, VGAE) else loss


def _adversarial_loss(model: Any, batch: tuple[Tensor, Tensor]) -> Tensor:
    z = model.encode(*batch)
    return (
        model.recon_loss(z, batch[1]) + model.reg_loss(z) + model.discriminator_loss(z) + model.kl_loss() / GRAPH_NODES
    )


def _truth(model: Any, batch: tuple[Tensor, Tensor]) -> Posterior:
    mean, logstd = model.encoder(*batch)
    return Posterior(mean, (2 * logstd.clamp(max=10)).exp())


def _code(model: Any, batch: tuple[Tensor, Tensor]) -> Posterior:
    return Posterior(model.encoder(*batch), None)


WHERE = "encoder.conv_mu gives μ, encoder.conv_logstd log σ"
STRUCTURES = (
    Structure(
        "VGAE", "geometric", WHERE, seeded(lambda: VGAE(Encoder(True))), _batches, _truth, _loss, inputs=GRAPH_NODES
    ),
    Structure(
        "GAE",
        "geometric",
        "encoder gives a code",
        seeded(lambda: GAE(Encoder(False))),
        _batches,
        _code,
        _loss,
        inputs=GRAPH_NODES,
    ),
    Structure(
        "ARGVA",
        "geometric",
        WHERE,
        seeded(lambda: ARGVA(Encoder(True), mlp(LATENTS, 32, 1))),
        _batches,
        _truth,
        _adversarial_loss,
        inputs=GRAPH_NODES,
    ),
)
