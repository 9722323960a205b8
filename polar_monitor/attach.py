"""`attach`: find the latents of a model and watch them."""

from __future__ import annotations

import logging
import warnings
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from . import criteria, discovery
from .alerts import Alert, AlertRules
from .errors import PolarMonitorError, PolarMonitorWarning
from .lane import Settings
from .monitor import PolarMonitor
from .sinks import Sink
from .sinks.default import default_sinks

log = logging.getLogger("polar_monitor")

_watched: weakref.WeakKeyDictionary[nn.Module, dict[str, PolarMonitor]] = weakref.WeakKeyDictionary()


def attach(
    model: nn.Module,
    *,
    mean: Any = None,
    logvar: Any = None,
    var: Any = None,
    std: Any = None,
    latent: Any = None,
    **arguments: Any,
) -> PolarMonitor:
    """Watch the latent variables of a model while it trains; the training loop stays as it is.

    Args:
        model: The model, before or after it is wrapped; attach before the first call of a compiled one.
        mean: The module that gives the posterior mean (or the code of an autoencoder): its name or itself. Or a
            callable on the output of `latent`, or of the model where `latent` is not given.
        logvar, var, std: The same for the posterior's log-variance, variance or standard deviation; at most one.
        latent: One module whose output carries both: a distribution, named fields, (mean, log-variance), or one tensor
            whose halves are mean and log-variance.
        prior: (mean, variance), numbers or arrays (D,); None is N(0, 1). It enters `kl` alone.
        log_dir: Folder for TensorBoard and JSONL; None is where `SummaryWriter` would write.
        sinks: Where evaluations go. None: TensorBoard and JSONL. Given: these, and the two only with a `log_dir`.
        criterion: "information", or the name of a published criterion that decides the labels instead.
        every: Optimiser steps between evaluations; the governor may stretch it.
        window: Rows that statistics are taken over.
        max_overhead: Largest share of the loop's time to be used, from 0 to 1; 1 leaves `every` as it is.
        warmup: Steps during which only NON_FINITE and SILENT are raised.
        alerts: When to alert.
        on_alert: Called with every alert, on the training thread.
        name: Name of this latent in tags and logs, where a model has several.
        modes: Which of "train" and "eval" (of `module.training`) to watch; each has statistics of its own.
        strict: Raise our own errors instead of logging them; for tests.

    Returns:
        The monitor. The model keeps it alive, so it need not be kept.

    Raises:
        PolarMonitorError: An argument that cannot be used, no latent found, or several; the message has the line to
            write. Nothing is raised later, from inside training.

    Example:
        >>> import torch, polar_monitor
        >>> class Vae(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.fc_mu, self.fc_logvar = torch.nn.Linear(8, 2), torch.nn.Linear(8, 2)
        >>> monitor = polar_monitor.attach(Vae(), sinks=())
        >>> print(monitor.explain().splitlines()[0][:40])
        mean from 'fc_mu', logvar from 'fc_logva
    """
    model = _unwrap(model)
    found = discovery.find(model, mean, {"logvar": logvar, "var": var, "std": std}, latent)
    name = str(arguments.get("name") or "")
    before = _watched.get(model, {}).pop(name, None)
    if before is not None:
        before.detach()
        said = "this model is watched already: the new monitor replaces the old one"
        warnings.warn(f"polar_monitor: {said}{f' ({name})' if name else ''}", PolarMonitorWarning, stacklevel=2)
    monitor = build(**arguments)
    monitor.connect(model, found)
    _watched.setdefault(model, {})[name] = monitor
    log.info("watching %s", monitor.explain())
    return monitor


def build(
    *,
    prior: Any = None,
    log_dir: str | Path | None = None,
    sinks: Sequence[Sink] | None = None,
    criterion: str = "information",
    every: int = 100,
    window: int = 4096,
    max_overhead: float = 0.01,
    warmup: int = 0,
    alerts: AlertRules | None = None,
    on_alert: Callable[[Alert], None] | None = None,
    name: str | None = None,
    modes: Sequence[str] = ("train",),
    strict: bool = False,
) -> PolarMonitor:
    """A monitor that is not connected to a model yet; the arguments are those of `attach`."""
    criteria.check(criterion)
    for word, number, least in (("every", every, 1), ("window", window, 512), ("warmup", warmup, 0)):
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise PolarMonitorError(f"{word}: expected a whole number from {least} on, got {number!r}")
    if not 0 < max_overhead <= 1:
        raise PolarMonitorError(f"max_overhead: expected a share above 0 and at most 1, got {max_overhead!r}")
    if isinstance(modes, str) or not modes or not set(modes) <= {"train", "eval"}:
        raise PolarMonitorError(f'modes: expected some of ("train", "eval"), got {modes!r}')
    if alerts is not None and not isinstance(alerts, AlertRules):
        raise PolarMonitorError(f"alerts: expected AlertRules(…), got {type(alerts).__name__}")
    if callable(prior):
        raise PolarMonitorError(
            "prior: expected (mean, variance) arrays, got a callable. With a conditional prior, standardise "
            "the latents by it and pass them to monitor.observe((mean - prior_mean) / prior_std, var=var / prior_var)"
        )
    if prior is not None and (not isinstance(prior, tuple | list) or len(prior) != 2):
        raise PolarMonitorError(f"prior: expected (mean, variance), got {type(prior).__name__}")
    pair = None if prior is None else (_array(prior[0]), _array(prior[1]))
    folder, chosen = None, tuple(sinks or ())
    if sinks is None or log_dir is not None:
        folder, defaults = default_sinks(log_dir)
        chosen = (*defaults, *chosen)
    settings = Settings(window, pair, criterion, alerts or AlertRules(), warmup)
    _compile()
    return PolarMonitor(
        settings=settings,
        sinks=chosen,
        every=every,
        max_overhead=max_overhead,
        modes=tuple(modes),
        name=name or "",
        log_dir=folder,
        on_alert=on_alert,
        strict=strict,
    )


def _compile() -> None:
    """Compile (or load) the kernels and run each once, now and on this thread: no training step waits for that."""
    from .stream import LatentStream

    rows = np.linspace(-1, 1, 1200, dtype=np.float32).reshape(600, 2) ** 3
    for variance in (None, np.full_like(rows, 0.5)):
        stream = LatentStream(2, window=512, has_variance=variance is not None)
        stream.update(rows, variance)
        stream.snapshot(step=0)


def _array(value: Any) -> Any:
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value


def _unwrap(model: Any) -> nn.Module:
    if isinstance(model, torch.jit.ScriptModule):
        raise PolarMonitorError(
            "expected an nn.Module, got a ScriptModule, which takes no hooks: attach before torch.jit.script, and "
            "script inside `with monitor.detached():`, or pass the latents to monitor.observe()"
        )
    if isinstance(model, nn.DataParallel):
        raise PolarMonitorError(
            "expected a model that runs in one thread, got DataParallel, whose replicas share hooks between threads: "
            "use DistributedDataParallel, or attach to model.module and train on one device"
        )
    if not isinstance(model, nn.Module):
        raise PolarMonitorError(f"model: expected an nn.Module, got {type(model).__name__}")
    for wrapper in ("_orig_mod", "module"):
        inner = getattr(model, wrapper, None)
        if isinstance(inner, nn.Module) and (
            wrapper == "_orig_mod" or isinstance(model, nn.parallel.DistributedDataParallel)
        ):
            return _unwrap(inner)
    return model
