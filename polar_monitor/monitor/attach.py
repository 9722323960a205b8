"""`attach`: watch a model in one line."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

from torch import nn

from ..discovery.unwrap import unwrap
from .monitor import PolarMonitor, watched

log = logging.getLogger("polar_monitor")

P = ParamSpec("P")


def _with_arguments_of(
    made: Callable[Concatenate[PolarMonitor, P], None],
) -> Callable[[Callable[..., PolarMonitor]], Callable[Concatenate[nn.Module, P], PolarMonitor]]:
    """Give a function (model, **arguments) the signature of what makes the monitor."""

    def decorate(function: Callable[..., PolarMonitor]) -> Callable[Concatenate[nn.Module, P], PolarMonitor]:
        first = inspect.Parameter("model", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation="nn.Module")
        rest = list(inspect.signature(made).parameters.values())[1:]
        function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [first, *rest], return_annotation="PolarMonitor"
        )
        return function

    return decorate


@_with_arguments_of(PolarMonitor.__init__)
def attach(model: nn.Module, **arguments: Any) -> PolarMonitor:
    """Watch the latent variables of a model while it trains; the training loop stays as it is.

    Args:
        model: The model, before or after it is wrapped; attach before the first call of a compiled one.
        **arguments: Those of `PolarMonitor`, which documents them. All have defaults.

    Returns:
        The monitor. The model keeps it alive until `detach`, so it need not be kept. A callback, rule or sink that
            holds the model keeps both alive until then.

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
    monitor = PolarMonitor(**arguments)
    inner = unwrap(model)
    monitor.attach(inner, replacing=watched.get(inner, {}).get(monitor.name))
    watched.setdefault(inner, {})[monitor.name] = monitor
    log.info("watching %s", monitor.explain())
    return monitor
