"""Train a VAE on several processes, with one monitor for all of them: `torchrun --nproc-per-node 2 FILE`."""

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import polar_monitor


class Vae(nn.Module):
    """VAE with more dimensions than its data need."""

    def __init__(self):
        super().__init__()
        self.hidden, self.fc_mu, self.fc_logvar = nn.Linear(20, 64), nn.Linear(64, 6), nn.Linear(64, 6)
        self.decoder = nn.Sequential(nn.Linear(6, 64), nn.Tanh(), nn.Linear(64, 20))

    def forward(self, x):
        """Return the loss."""
        h = self.hidden(x).tanh()
        mu, logvar = self.fc_mu(h), self.fc_logvar(h)
        z = mu + torch.randn_like(mu) * (logvar / 2).exp()
        kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)
        return ((self.decoder(z) - x).square().sum(1) + kl).mean()


def main(steps: int = 600) -> None:
    dist.init_process_group("gloo")
    torch.manual_seed(0)
    mixing = torch.randn(3, 20)  # the data have three directions, the model six dimensions
    model = DistributedDataParallel(Vae())
    monitor = polar_monitor.attach(model, sinks=())
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    torch.manual_seed(1 + dist.get_rank())  # other data on every rank
    for _ in range(steps):
        loss = model(torch.randn(64, 3) @ mixing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        monitor.sync(due=True)
        if monitor.should_stop:  # the same on every rank
            break
    monitor.sync()
    if dist.get_rank() == 0:
        print(monitor.summary())
    monitor.detach()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
