"""`attach`: watch a model in one line.

`attach` takes the arguments of `PolarMonitor`. They are written down once, there: the decorator gives `attach` the same
signature (type checkers and editors see it too) and puts the explanations into its docstring.
"""

from __future__ import annotations

import difflib
import inspect
import logging
from collections.abc import Callable, Iterable
from typing import Any, Concatenate, ParamSpec

from torch import nn

from .._torch_compat import rank
from ..discovery.unwrap import unwrap
from ..errors import announce, log_line
from .monitor import PolarMonitor
from .sources.connection import attached_monitors

P = ParamSpec("P")
PLACE = "    (arguments of PolarMonitor)"
"""Line of a docstring that the explanations replace."""


def _with_arguments_of(
    make: Callable[P, PolarMonitor],
) -> Callable[[Callable[..., PolarMonitor]], Callable[Concatenate[nn.Module, P], PolarMonitor]]:
    """Give a function (model, **arguments) the signature and the explanations of `make`."""

    def decorate(function: Callable[..., PolarMonitor]) -> Callable[Concatenate[nn.Module, P], PolarMonitor]:
        model = inspect.Parameter("model", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation="nn.Module")
        others = list(inspect.signature(make).parameters.values())
        function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [model, *others], return_annotation="PolarMonitor"
        )
        if make.__doc__ and function.__doc__:  # not with `python -OO`
            arguments = inspect.cleandoc(make.__doc__).partition("Args:\n")[2].partition("\n\n")[0]
            function.__doc__ = inspect.cleandoc(function.__doc__).replace(PLACE, arguments)
        return function

    return decorate


def check_names(arguments: Iterable[str], function: str) -> None:
    """Raise TypeError for an argument that PolarMonitor does not have; the message names the nearest one."""
    known = list(inspect.signature(PolarMonitor).parameters)
    for unknown in set(arguments) - set(known):
        close = difflib.get_close_matches(unknown, known, n=1)
        nearest = f": did you mean {close[0]}=?" if close else ""
        raise TypeError(f"{function}() got an unexpected argument {unknown!r}{nearest}")


@_with_arguments_of(PolarMonitor)
def attach(model: nn.Module, **arguments: Any) -> PolarMonitor:
    """Watch the latent variables of a model while it trains; the training loop stays as it is.

    Args:
        model: The model, before or after it is wrapped; attach before the first call of a compiled one.
        (arguments of PolarMonitor)

    Returns:
        The monitor. The model keeps it alive until `detach`, so it need not be kept. A callback, rule or sink that
            holds the model keeps both alive until then.

    Raises:
        PolarMonitorError: An argument cannot be used, or there is no latent, or several; the message contains the line
            to write. Nothing is raised later, from inside training.

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
    check_names(arguments, "attach")
    monitor = PolarMonitor(**arguments)
    inner = unwrap(model)
    monitor.attach(inner, replacing=attached_monitors.get(inner, {}).get(monitor.name))
    if rank() == 0:
        announce(monitor._announcement())
    log_line(logging.DEBUG, "%s", monitor.explain())
    return monitor
