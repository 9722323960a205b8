"""A variational graph autoencoder of torch_geometric on one graph: one line.

python examples/frameworks/with_torch_geometric.py
"""

import torch
from torch_geometric.nn import VGAE, GCNConv

import polar_monitor


class Encoder(torch.nn.Module):
    def __init__(self, features: int, latents: int) -> None:
        super().__init__()
        self.conv = GCNConv(features, 32)
        self.conv_mu, self.conv_logstd = GCNConv(32, latents), GCNConv(32, latents)

    def forward(self, x, edges):
        h = self.conv(x, edges).relu()
        return self.conv_mu(h, edges), self.conv_logstd(h, edges)


def main(steps: int = 400):
    torch.manual_seed(0)
    group = torch.randint(0, 4, (800,))
    same = group[:, None] == group
    edges = (torch.rand(800, 800) < torch.where(same, 0.05, 0.002)).nonzero().T
    x = torch.nn.functional.one_hot(group, 4) + torch.randn(800, 4)
    model = VGAE(Encoder(4, 8))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)

    monitor = polar_monitor.attach(model)

    for _ in range(steps):
        optimizer.zero_grad()
        loss = model.recon_loss(model.encode(x, edges), edges) + model.kl_loss() / len(x)
        loss.backward()
        optimizer.step()
    print(monitor.summary())
    return monitor


if __name__ == "__main__":
    main()
