"""One toy VAE, one set of data and one seed, trained by a plain loop and by each framework."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch
from models import Vae, vae_loss
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

STEPS, BATCH = 48, 64
OF_PACKAGES = {"lightning_trainer": "lightning", "scvi_cells": "scvi", "diffusion_autoencoder": "diffusers"}
"""Examples with cells that need a package, which has no other example."""
OPTIONS: dict[str, Any] = {"every": 12, "max_overhead": 1.0, "strict": True}
"""Evaluations at steps that do not depend on time."""


class OwnNoise(Vae):
    """The VAE with noise of its own: what a framework draws from the global generator changes nothing."""

    def __init__(self) -> None:
        torch.manual_seed(3)
        super().__init__()
        self.noise = torch.Generator().manual_seed(4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = self.body(x)
        mean, logvar = self.fc_mu(h), self.fc_logvar(h)
        noise = torch.randn(mean.shape, generator=self.noise)
        return self.decoder(mean + (0.5 * logvar).exp() * noise), mean, logvar


def data() -> Tensor:
    """Inputs of all steps, in order."""
    draw = torch.Generator().manual_seed(5)
    return torch.randn(STEPS * BATCH, 3, generator=draw) @ torch.randn(3, 12, generator=draw)


def loader(x: Tensor | None = None) -> DataLoader[Any]:
    """Batches in order; the loader draws from a generator of its own."""
    return DataLoader(TensorDataset(data() if x is None else x), batch_size=BATCH, generator=torch.Generator())


def adam(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), 1e-2)


def plain(model: nn.Module, folder: Path, options: dict[str, Any] | None) -> Any:
    """The loop that all others are compared with. Without options there is no monitor."""
    import polar_monitor

    monitor = None if options is None else polar_monitor.attach(model, log_dir=folder, **options)
    optimizer = adam(model)
    for (x,) in loader():
        optimizer.zero_grad()
        vae_loss(model(x), x).backward()
        optimizer.step()
    if monitor is not None:
        monitor.detach()
    return monitor


def lit_module(package: Any, model: nn.Module) -> Any:
    """A LightningModule of either package around the model."""

    class Lit(package.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = model

        def training_step(self, batch: Any, index: int) -> Tensor:
            return vae_loss(self.net(batch[0]), batch[0])

        def validation_step(self, batch: Any, index: int) -> None:
            self.net(batch[0])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return adam(self)

    return Lit()


QUIET = {
    "accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False,
    "max_epochs": 1,
}  # fmt: skip


def _lightning(package: str, model: nn.Module, folder: Path, options: dict[str, Any] | None) -> Any:
    module = importlib.import_module(package)
    from polar_monitor.integrations.lightning import PolarCallback

    callback = None if options is None else PolarCallback(log_dir=folder, **options)
    trainer = module.Trainer(callbacks=callback, logger=False, **QUIET)
    trainer.fit(lit_module(module, model), loader())
    return None if callback is None else callback.monitor


def lightning(model: nn.Module, folder: Path, options: dict[str, Any] | None) -> Any:
    return _lightning("lightning.pytorch", model, folder, options)


def pytorch_lightning(model: nn.Module, folder: Path, options: dict[str, Any] | None) -> Any:
    return _lightning("pytorch_lightning", model, folder, options)


class WithLoss(nn.Module):
    """Gives the Trainer of transformers what it expects: keyword inputs, and an output whose first part is the loss."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.net = model

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"loss": vae_loss(self.net(x), x)}


def trainer(model: nn.Module, folder: Path, callbacks: list[Any], **arguments: Any) -> Any:
    """A Trainer of transformers for the same steps as the plain loop."""
    from transformers import Trainer, TrainingArguments

    class InOrder(Trainer):  # type: ignore[misc]
        def _get_train_sampler(self, *_: Any) -> Any:
            return torch.utils.data.SequentialSampler(self.train_dataset)

    settings = {"max_grad_norm": 0.0, "save_strategy": "no", "report_to": [], "disable_tqdm": True} | arguments
    args = TrainingArguments(
        str(folder / "out"), per_device_train_batch_size=BATCH, num_train_epochs=1, use_cpu=True, **settings
    )
    optimizer = adam(model)
    constant = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
    rows = [{"x": x} for x in data()]
    return InOrder(WithLoss(model), args, train_dataset=rows, callbacks=callbacks, optimizers=(optimizer, constant))


def transformers(model: nn.Module, folder: Path, options: dict[str, Any] | None) -> Any:
    from polar_monitor.integrations.transformers import PolarCallback

    callback = None if options is None else PolarCallback(log_dir=folder, **options)
    trainer(model, folder, [] if callback is None else [callback]).train()
    return None if callback is None else callback.monitor


def accelerate(model: nn.Module, folder: Path, options: dict[str, Any] | None) -> Any:
    from accelerate import Accelerator

    import polar_monitor

    monitor = None if options is None else polar_monitor.attach(model, log_dir=folder, **options)
    accelerator = Accelerator(cpu=True)
    net, optimizer, batches = accelerator.prepare(model, adam(model), loader())
    for (x,) in batches:
        with accelerator.accumulate(net):
            optimizer.zero_grad()
            accelerator.backward(vae_loss(net(x), x))
            optimizer.step()
    if monitor is not None:
        monitor.detach()
    return monitor


def engine_of(model: nn.Module) -> Any:
    """An Ignite engine whose process function is the loop's body."""
    from ignite.engine import Engine

    optimizer = adam(model)

    def update(engine: Any, batch: Any) -> float:
        optimizer.zero_grad()
        loss = vae_loss(model(batch[0]), batch[0])
        loss.backward()
        optimizer.step()
        return loss.item()

    return Engine(update)


def ignite(model: nn.Module, folder: Path, options: dict[str, Any] | None) -> Any:
    from polar_monitor.integrations.ignite import PolarHandler

    engine = engine_of(model)
    handler = None if options is None else PolarHandler(model, log_dir=folder, **options).attach(engine)
    engine.run(loader(), max_epochs=1)
    return None if handler is None else handler.monitor


FRAMEWORKS = {
    "lightning": lightning,
    "pytorch_lightning": pytorch_lightning,
    "transformers": transformers,
    "accelerate": accelerate,
    "ignite": ignite,
}
"""Training with each framework, by the name of its package."""


def is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
