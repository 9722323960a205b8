"""What each rank of a test does; `start.py` runs it in a process of its own."""

import os
import signal
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import checkpoint
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

import polar_monitor
from polar_monitor.distributed.checkpoint import Checkpoint
from polar_monitor.errors import PolarMonitorError

SIZES = (900, 1500, 0, 700)
"""Rows of each rank."""


def rows(rank):
    generator = torch.Generator().manual_seed(rank)
    mean = torch.randn(SIZES[rank], 3, generator=generator) * torch.tensor([1.0, 0.01, 0.5])
    return mean, torch.rand(SIZES[rank], 3, generator=generator) * 0.1 + 0.02


def new(**more):
    return polar_monitor.PolarMonitor(every=1, max_overhead=1.0, **{"sinks": (), **more})


def observe(monitor, *parts):
    for mean, variance in parts:
        if len(mean):
            monitor.observe(mean, var=variance)
    monitor.step()
    return monitor


def record(evaluations):
    """Return what is compared of evaluations."""
    done = []
    for one in evaluations:
        numbers = {name: value for name, value in one.snapshot.to_dict().items() if name not in ("step",)}
        labels = [str(label) for label in one.regime.labels]
        done.append((one.step, one.observed, one.health.rows_seen, labels, str(one.regime.verdict), numbers))
    return done


def merged(rank):
    """Merge uneven ranks, one of them empty; the first also judges all rows alone."""
    size = dist.get_world_size()
    monitor = observe(new(), rows(rank))
    one = monitor.sync()
    again = monitor.sync()
    alone = observe(new(), *(rows(other) for other in range(size))).evaluate()
    return record(one), record(again), record(alone)


def wrong(rank):
    """Attach with other arguments, then watch other latents; both are an error on every rank, and no rank hangs."""
    texts = []
    for monitor, width in ((new(warmup=rank), 3), (new(), 3 + rank)):
        monitor.observe(torch.randn(600, width), var=torch.ones(600, width))
        try:
            monitor.sync()
        except PolarMonitorError as failure:
            texts.append(str(failure))
    return texts


class Vae(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.fc_mu, self.fc_logvar = nn.Linear(8, 16), nn.Linear(16, 3), nn.Linear(16, 3)
        self.decoder = nn.Linear(3, 8)

    def forward(self, x):
        hidden = self.encoder(x).tanh()
        mu, logvar = self.fc_mu(hidden), self.fc_logvar(hidden)
        z = mu + torch.randn_like(mu) * (logvar / 2).exp()
        kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)
        return ((self.decoder(z) - x).square().sum(1) + 0.01 * kl).mean()


def trained(rank, folder, steps, watch=True, wrap=DistributedDataParallel, group=None):
    """Train with DDP, and return the monitor and the weights."""
    torch.manual_seed(0)
    model = wrap(Vae())
    monitor = polar_monitor.attach(model, log_dir=Path(folder) / "run") if watch else None
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    torch.manual_seed(1 + rank)
    merges = []
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        model(torch.randn(32 + 16 * rank, 8)).backward()
        optimizer.step()
        if monitor is not None and monitor.sync(due=True, group=group):
            merges.append((step, monitor.should_stop))
    return monitor, merges, [p.detach().clone() for p in model.parameters()]


def training(rank, folder):
    """Train with and without the monitor; save, and go on from the state."""
    _, _, without = trained(rank, folder, 60, watch=False)
    monitor, merges, weights = trained(rank, folder, 60)
    last = monitor.sync()
    state = monitor.state_dict()
    monitor.detach()
    folders = sorted(path.name for path in Path(folder).rglob("*.jsonl"))
    same = all(torch.equal(a, b) for a, b in zip(without, weights, strict=True))
    torch.save(state, Path(folder) / f"state-{rank}.pt")
    return same, merges, record(last), folders


def resumed(rank, path):
    """Load a state, observe, and merge."""
    monitor = new()
    monitor.load_state_dict(torch.load(path))
    mean, variance = rows(rank)
    if len(mean):
        monitor.observe(mean, logvar=variance.log())
    monitor.step()
    return record(monitor.sync())


def dying(rank, folder):
    """Merge once; then a rank dies before the next merge."""
    monitor = observe(new(sinks=None, log_dir=Path(folder) / "run"), rows(rank))
    monitor.sync()
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    observe(monitor, rows(rank)).sync()


def saved(rank, folder):
    """Merge, and save with torch.distributed.checkpoint."""
    monitor = observe(new(), rows(rank))
    record(monitor.sync())
    checkpoint.save({"monitor": Checkpoint(monitor)}, checkpoint_id=folder)
    return True


def loaded(rank, folder):
    """Load that checkpoint on any number of ranks, and merge with new rows."""
    monitor = new()
    checkpoint.load({"monitor": Checkpoint(monitor)}, checkpoint_id=folder)
    return record(observe(monitor, rows(rank)).sync())


def sharded(rank):
    """Train a model that FSDP2 has sharded, with the monitor attached before and after, and without."""
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    results, weights = [], []
    for when in ("before", "after", "never"):
        torch.manual_seed(0)
        model = Vae()
        monitor = polar_monitor.attach(model, sinks=()) if when == "before" else None
        fully_shard(model, mesh=mesh)
        monitor = polar_monitor.attach(model, sinks=()) if when == "after" else monitor
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        torch.manual_seed(1 + rank)
        for _ in range(30):
            model(torch.randn(32, 8)).backward()
            optimizer.step()
            optimizer.zero_grad()
            if monitor is not None:
                monitor.sync(due=True)
        weights.append([p.full_tensor().detach() for p in model.parameters()])
        if monitor is not None:
            results.append(record(monitor.sync()))
    return results, [all(torch.equal(a, b) for a, b in zip(weights[-1], some, strict=True)) for some in weights]


WRAPPINGS = {
    "plain": DistributedDataParallel,
    "static graph": lambda model: DistributedDataParallel(model, static_graph=True),
    "unused parameters": lambda model: DistributedDataParallel(model, find_unused_parameters=True),
    "compiled": lambda model: torch.compile(DistributedDataParallel(model), backend="aot_eager"),
    "compiled inside": lambda model: DistributedDataParallel(torch.compile(model, backend="aot_eager")),
}


def wrapped(rank):
    """Train with every wrapping of DDP, attached before and after it, and without the monitor."""
    table = {}
    for name, wrap in WRAPPINGS.items():
        weights, seen, tags = {}, [], []
        for when in ("never", "before", "after"):
            torch._dynamo.reset()  # compiled code is kept by class, and that of the first has no hooks
            torch.manual_seed(0)
            model = Vae()
            monitor = polar_monitor.attach(model, sinks=()) if when == "before" else None
            model = wrap(model)
            monitor = polar_monitor.attach(model, sinks=()) if when == "after" else monitor
            optimizer = torch.optim.Adam(model.parameters(), 1e-2)
            torch.manual_seed(1 + rank)
            for _ in range(12):
                model(torch.randn(64, 8)).backward()
                optimizer.step()
                optimizer.zero_grad()
                if monitor is not None:
                    monitor.sync(due=True)
            if monitor is not None:
                monitor.sync()
                snapshot = monitor.snapshot()
                seen.append(0 if snapshot is None else snapshot.rows)
                tags.append(monitor.explain().splitlines()[0])
                monitor.detach()
            weights[when] = [p.detach().clone() for p in model.parameters()]
        equal = [all(map(torch.equal, weights["never"], weights[when])) for when in ("before", "after")]
        table[name] = equal, seen, tags[0] == tags[1]
    return table
