"""Graph models: one full batch of nodes, and a junction-tree VAE with two latents."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..blocks import elbo, kl_logvar, mlp, sample, seeded, squared
from ..data import GRAPH_NODES, WIDTH, graph, two_views
from ..structure import Posterior, Structure

LATENTS = 5


class GraphConv(nn.Module):
    """A graph convolution with a dense adjacency."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.lin = nn.Linear(before, after)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        return adjacency @ self.lin(x)


class VariationalEncoder(nn.Module):
    """The encoder of graph autoencoder examples: conv1, conv_mu, conv_logstd."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = GraphConv(WIDTH, 32)
        self.conv_mu, self.conv_logstd = GraphConv(32, LATENTS), GraphConv(32, LATENTS)

    def forward(self, x: Tensor, adjacency: Tensor) -> tuple[Tensor, Tensor]:
        h = functional.relu(self.conv1(x, adjacency))
        return self.conv_mu(h, adjacency), self.conv_logstd(h, adjacency)


class Vgae(nn.Module):
    """A VGAE, whose training loop calls `encode` and `decode`, not the model; log σ is clamped to 10 at most."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = VariationalEncoder()

    def encode(self, x: Tensor, adjacency: Tensor) -> Tensor:
        self.mu, logstd = self.encoder(x, adjacency)
        self.logstd = logstd.clamp(max=10)
        return sample(self.mu, self.logstd.exp()) if self.training else self.mu

    def decode(self, z: Tensor) -> Tensor:
        return z @ z.T


def _graph_loss(model: Vgae, batch: tuple[Tensor, Tensor]) -> Tensor:
    z = model.encode(*batch)
    edges = (batch[1] > 0).float()
    errors = functional.binary_cross_entropy_with_logits(model.decode(z), edges, pos_weight=torch.tensor(10.0))
    return errors + kl_logvar(model.mu, 2 * model.logstd) / GRAPH_NODES * 3


def _graph_truth(model: Vgae, batch: tuple[Tensor, Tensor]) -> Posterior:
    mu, logstd = model.encoder(*batch)
    return Posterior(mu, (2 * logstd).exp())


class JtVae(nn.Module):
    """JT-VAE: T_mean, T_var, G_mean, G_var with log σ² = −|head|; G_mean is called once more, to assemble."""

    def __init__(self) -> None:
        super().__init__()
        self.jtnn, self.mpn = mlp(WIDTH, 32, 32), mlp(WIDTH, 32, 32)
        self.T_mean, self.T_var = nn.Linear(32, LATENTS), nn.Linear(32, LATENTS)
        self.G_mean, self.G_var = nn.Linear(32, LATENTS), nn.Linear(32, LATENTS)
        self.decoder, self.jtmpn = mlp(2 * LATENTS, 48, 2 * WIDTH), mlp(WIDTH, 32, 32)

    def encode(self, tree: Tensor, mol: Tensor) -> list[tuple[Tensor, Tensor]]:
        t, g = self.jtnn(tree), self.mpn(mol)
        return [(self.T_mean(t), -self.T_var(t).abs()), (self.G_mean(g), -self.G_var(g).abs())]

    def forward(self, tree: Tensor, mol: Tensor) -> Tensor:
        posteriors = self.encode(tree, mol)
        z = torch.cat([sample(mean, (logvar / 2).exp()) for mean, logvar in posteriors], 1)
        output = self.decoder(z)
        divergence = sum(kl_logvar(mean, logvar) for mean, logvar in posteriors)
        # the assembly scores candidates of the graph by G_mean of their messages
        candidates = self.G_mean(self.jtmpn(output[:, WIDTH:].repeat(3, 1))).view(3, len(z), LATENTS)
        scores = (candidates * z[:, LATENTS:]).sum(2)
        assembly = functional.cross_entropy(scores.T, torch.zeros(len(z), dtype=torch.long))
        return squared(output, torch.cat([tree, mol], 1)) + divergence + 0.1 * assembly


def _tree_truth(model: JtVae, batch: tuple[Tensor, Tensor]) -> list[Posterior]:
    pairs = zip("TG", model.encode(*batch), strict=True)
    return [Posterior(mean, logvar.exp(), f"{which}_mean") for which, (mean, logvar) in pairs]


class MolVae(nn.Module):
    """A pooled graph VAE with heads on the sum of the nodes: 12 nodes an input, the batch is a list of graphs."""

    def __init__(self) -> None:
        super().__init__()
        self.node_embedding, self.message = nn.Linear(4, 32), GraphConv(32, 32)
        self.lin_mu, self.lin_lv = nn.Linear(32, LATENTS), nn.Linear(32, LATENTS)
        self.decode_nodes = mlp(LATENTS, 48, 48)

    def encode(self, x: Tensor, adjacency: Tensor) -> tuple[Tensor, Tensor]:
        h = functional.relu(self.message(functional.relu(self.node_embedding(x)), adjacency)).view(-1, 12, 32).sum(1)
        return self.lin_mu(h), self.lin_lv(h)

    def forward(self, x: Tensor, adjacency: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.encode(x, adjacency)
        return self.decode_nodes(sample(mean, (0.5 * logvar).exp())), mean, logvar


def _molecules(seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    ring = torch.eye(12).roll(1, 0) / 2 + torch.eye(12).roll(-1, 0) / 2
    adjacency = torch.block_diag(*[ring] * 64)
    for left, _ in two_views(seed, 48):
        yield left.reshape(-1, 4), adjacency


def _mol_loss(model: MolVae, batch: tuple[Tensor, Tensor]) -> Tensor:
    output, mean, logvar = model(*batch)
    return elbo(output, batch[0].view(-1, 48), mean, logvar)


def _mol_truth(model: MolVae, batch: tuple[Tensor, Tensor]) -> Posterior:
    mean, logvar = model.encode(*batch)
    return Posterior(mean, logvar.exp())


STRUCTURES = (
    Structure(
        "vgae", "graphs", "encoder.conv_mu gives μ, encoder.conv_logstd log σ; 300 nodes", seeded(Vgae), graph,
        _graph_truth, _graph_loss, inputs=GRAPH_NODES,
    ),
    Structure(
        "jt_vae", "graphs", "T_mean and −|T_var|, G_mean and −|G_var|", seeded(JtVae), two_views, _tree_truth,
        lambda model, batch: model(*batch),
    ),
    Structure(
        "pooled_graph", "graphs", "lin_mu and lin_lv on the pooled nodes", seeded(MolVae), _molecules, _mol_truth,
        _mol_loss,
    ),
)  # fmt: skip
