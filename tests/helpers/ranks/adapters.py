"""Frameworks that train on several ranks: the adapters merge them, and stop them together."""

import os
from pathlib import Path

import torch
import torch.distributed as dist
from frameworks import BATCH, OwnNoise, adam, lit_module, trainer
from models import vae_loss
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset

import polar_monitor

STEPS = 30
OPTIONS = {"every": 5, "max_overhead": 1.0, "sinks": ()}


def rows(rank, breaks):
    """Rows of one rank. With `breaks` those of the second rank are not finite from its 11th batch on."""
    x = torch.randn(STEPS * BATCH, 12, generator=torch.Generator().manual_seed(rank))
    if breaks and rank == 1:
        x[10 * BATCH :] = torch.nan
    return x


def loader(rank, breaks):
    return DataLoader(TensorDataset(rows(rank, breaks)), batch_size=BATCH, generator=torch.Generator())


def as_torchrun(rank):
    """Set what torchrun sets; the group exists already."""
    names = {"MASTER_ADDR": "localhost", "MASTER_PORT": "29500", "NODE_RANK": "0", "RANK": rank, "LOCAL_RANK": rank}
    os.environ.update({name: str(value) for name, value in names.items()}, WORLD_SIZE=str(dist.get_world_size()))


def result(monitor, steps):
    """Return what must be the same on all ranks, and the rows of the latest evaluation."""
    snapshot = monitor.snapshot()
    labels = [str(label) for label in monitor.regime().labels]
    return steps, monitor.should_stop, labels, snapshot.rows, monitor.health().ranks


def lightning(rank, breaks):
    import lightning.pytorch as pl

    from polar_monitor.integrations.lightning import PolarCallback

    size = dist.get_world_size()
    as_torchrun(rank)
    callback = PolarCallback(**OPTIONS)
    run = pl.Trainer(
        accelerator="cpu", devices=size, strategy="ddp", max_epochs=1, callbacks=callback, logger=False,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
        use_distributed_sampler=False,
    )  # fmt: skip
    run.fit(lit_module(pl, OwnNoise()), loader(rank, int(breaks)))
    return result(callback.monitor, run.global_step)


def ignite(rank, breaks):
    from ignite.engine import Engine

    from polar_monitor.integrations.ignite import PolarHandler

    model = DistributedDataParallel(OwnNoise())
    optimizer = adam(model)

    def update(engine, batch):
        optimizer.zero_grad()
        vae_loss(model(batch[0]), batch[0]).backward()
        optimizer.step()

    engine = Engine(update)
    handler = PolarHandler(model, **OPTIONS).attach(engine)
    engine.run(loader(rank, int(breaks)), max_epochs=1)
    return result(handler.monitor, engine.state.iteration)


def accelerate(rank, breaks):
    from accelerate import Accelerator

    as_torchrun(rank)
    accelerator, net = Accelerator(cpu=True), OwnNoise()
    monitor = polar_monitor.attach(net, **OPTIONS)
    net, optimizer = accelerator.prepare(net, adam(net))
    for (x,) in loader(rank, int(breaks)):
        accelerator.backward(vae_loss(net(x), x))
        optimizer.step()
        optimizer.zero_grad()
        if monitor.sync(due=True):
            if monitor.should_stop:
                accelerator.set_trigger()
            if accelerator.check_trigger():
                break
    monitor.sync()
    monitor.detach()
    return result(monitor, monitor.health().steps)


def transformers(rank, breaks, folder):
    from transformers import TrainerCallback

    from polar_monitor.integrations.transformers import PolarCallback

    class Breaks(TrainerCallback):
        def on_step_begin(self, args, state, control, **_):
            if int(breaks) and rank == 1 and state.global_step == 10:
                model.fc_mu.bias.data.fill_(torch.nan)

    as_torchrun(rank)
    model, callback = OwnNoise(), PolarCallback(**OPTIONS)
    run = trainer(model, Path(folder), [callback, Breaks()], logging_nan_inf_filter=False)
    run.train()
    return result(callback.monitor, run.state.global_step)


SIZES = (5000, 800, 0)
"""Rows that each rank gives to the metric."""


def latents(rank):
    """Means and log-variances of an active, a weak and a passive dimension."""
    draw = torch.Generator().manual_seed(rank)
    mean = torch.randn(SIZES[rank], 3, generator=draw) * torch.tensor([1.0, 0.5, 0.01])
    return mean, torch.tensor([0.05, 0.75, 1.0]).log().expand(SIZES[rank], 3).contiguous()


def metric(rank, *which):
    """Compute the metric of two ranks, twice, with the metric of one process beside it."""
    from polar_monitor.integrations.torchmetrics import PolarisationMetric

    which = [int(one) for one in which]
    one, alone = PolarisationMetric(3), PolarisationMetric(3, window=8192, sync_on_compute=False)
    for part, (mean, logvar) in ((p, latents(p)) for p in which):
        newest = slice(-4096, None)  # what each rank keeps
        alone.update(mean[newest], logvar=logvar[newest])
        if part == which[rank]:
            for some in range(0, len(mean), 250):
                one.update(mean[some : some + 250], logvar=logvar[some : some + 250])
    results = [{name: float(value) for name, value in one.compute().items()} for _ in range(2)]
    all_rows = [torch.cat(sides).double() for sides in zip(*map(latents, which), strict=True)]
    kl = 0.5 * (all_rows[0].square() + all_rows[1].exp() - 1 - all_rows[1]).sum() / len(all_rows[0])
    return results, {name: float(value) for name, value in alone.compute().items()}, float(kl), int(one.rows)
