"""Ranks that differ: in the number of their batches, in what they know of the latent, in what is left of the group."""

import warnings

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.algorithms.join import Join
from torch.nn.parallel import DistributedDataParallel

import polar_monitor
from polar_monitor.distributed.join import JoinableMonitor

from .tasks import Vae, new, observe, record, rows

BATCHES = (24, 9, 0, 17)
"""Batches of each rank."""


def batches(rank):
    generator = torch.Generator().manual_seed(100 + rank)
    return [torch.randn(64, 8, generator=generator) for _ in range(BATCHES[rank])]


def joined(rank, in_the_loop=False):
    """Train with `Join` and uneven batches, with and without a monitor, and merge after it, or in the loop too."""
    weights, merges = [], []
    for watch in (False, True):
        torch.manual_seed(0)
        model = DistributedDataParallel(Vae())
        monitor = polar_monitor.attach(model, sinks=(), every=5, max_overhead=1.0) if watch else None
        optimizer = torch.optim.SGD(model.parameters(), 1e-2)
        torch.manual_seed(1 + rank)
        merging = watch and in_the_loop
        with Join([model, JoinableMonitor(monitor)] if merging else [model]):
            for batch in batches(rank):
                optimizer.zero_grad()
                model(batch).backward()
                optimizer.step()
                if merging:
                    merges += [one.observed for one in monitor.sync(due=True)]
        weights.append([p.detach().clone() for p in model.parameters()])
    return all(map(torch.equal, *weights)), merges, monitor


def joined_to_the_end(rank):
    """Merge twice after the `Join`."""
    same, _, monitor = joined(rank)
    merged, again = record(monitor.sync()), record(monitor.sync())
    monitor.detach()
    return same, merged, again, monitor.summary()


def joined_in_the_loop(rank):
    """Merge in the loop, and once after it."""
    same, merges, monitor = joined(rank, in_the_loop=True)
    last, evaluations = record(monitor.sync()), monitor.health().evaluations
    monitor.detach()
    return same, merges, last, evaluations


class Unnamed(nn.Module):
    """A VAE whose names say nothing: its forwards show the latent."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(8, 16), nn.Linear(16, 6), nn.Linear(3, 8)

    def forward(self, x):
        m, s = self.b(self.a(x).tanh()).chunk(2, -1)
        z = m + torch.randn_like(m) * (s / 2).exp()
        kl = 0.5 * (m.square() + s.exp() - 1 - s).sum(1)
        return ((self.c(z) - x).square().sum(1) + 0.01 * kl).mean()


def undecided(rank, empty):
    """Train without DDP, and without a single batch on one rank: its search of the latent stays open."""
    torch.manual_seed(0)
    model = Unnamed()
    monitor = polar_monitor.attach(model, sinks=(), every=5, max_overhead=1.0)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for batch in torch.randn(40, 64, 8):
        if rank != int(empty):
            optimizer.zero_grad()
            model(batch).backward()
            optimizer.step()
        monitor.sync(due=True)
    first, said, open_ = record(monitor.sync()), monitor.summary(), monitor.explain()
    for batch in torch.randn(40, 64, 8):  # the empty rank gets data too, and decides
        optimizer.zero_grad()
        model(batch).backward()
        optimizer.step()
        monitor.sync(due=True)
    later, health = record(monitor.sync()), monitor.health()
    monitor.detach()
    return first, said, open_, later, (health.ranks, health.ranks_without_rows, health.errors)


def gone(rank):
    """Merge, and then call `sync` without the group; a detached monitor has evaluated nothing alone."""
    group = dist.new_group([0, 1])
    monitor = observe(new(), rows(rank))
    merged, before = record(monitor.sync(group=group)), monitor.health().evaluations
    observe(monitor, rows(rank))
    dist.destroy_process_group(group)
    errors = [_error(monitor, group=group, due=due) for due in (False, True)]
    dist.destroy_process_group()
    errors += [_error(monitor), _error(monitor, group=group), _error(new(), group=group)]
    alone = record(monitor.evaluate())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        monitor.detach()
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)  # for the end of the process
    return merged, errors, alone, monitor.health().evaluations - before


def _error(monitor, **arguments):
    try:
        monitor.sync(**arguments)
    except polar_monitor.PolarMonitorError as failure:
        return str(failure)
    return ""
