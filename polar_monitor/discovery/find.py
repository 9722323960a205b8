"""The latent that the user named; `search` looks for one that is not named."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from torch import nn

from ..arrays.spread import one_spread
from ..errors import PolarMonitorError, UndecidedError
from . import search
from .conditional_prior import standardising
from .latent import Latent, Part, Reader
from .layer_widths import likely_dimensions, output_width
from .layout import suggested_layout
from .module_names import role
from .outputs import one_tensor, structured
from .request import LatentRequest
from .suggestions import MAX_NAMES
from .unwrap import unwrapped

MIN_LAYERS = 2
"""Layers with parameters that a model with a latent has at least: one before it and one after it."""


def find(model: nn.Module, mean: Any, spreads: dict[str, Any], latent: Any) -> Latent:
    """Return the latent that the arguments of `attach` name, or else the only one that the model's names leave open.

    `spreads` are the arguments logvar, var, std and logstd. Raises PolarMonitorError if there is none, or a choice.
    """
    kind, spread = one_spread(**spreads)
    if latent is not None:
        return _from_one_output(model, latent, mean, kind, spread)
    if _is_processed(mean) and _is_processed(spread) and mean[0] == spread[0]:
        return _from_one_output(model, mean[0], mean[1], kind, spread[1])
    if mean is None and kind is None:
        candidate = search.discover(model)
        if candidate.halves:
            return _from_halves(model, *_module(model, candidate.mean, "latent"), candidate.why)
        return _from_modules(model, candidate.mean, candidate.kind, candidate.spread, candidate.why)
    if mean is None:
        raise PolarMonitorError(f'got {kind}= without mean=: pass mean="<module>" beside it')
    if _is_reader(mean):
        return _from_one_output(model, model, mean, kind, spread)
    return _from_modules(model, mean, kind, spread, "as the arguments say")


def find_or_ask(model: nn.Module, request: LatentRequest) -> tuple[Latent | None, str]:
    """Return the latent that arguments or names give, or None and the question that the data of the forwards decide.

    Raises PolarMonitorError for arguments that cannot be used, and for a model in which nothing can be a latent.
    """
    if isinstance(request.latent, Latent):
        return request.latent, ""
    try:
        return prepared(find(model, request.mean, dict(request.spreads), request.latent), request), ""
    except UndecidedError as question:
        layers = [module for module in model.modules() if any(True for _ in module.parameters(recurse=False))]
        if len(layers) < MIN_LAYERS:
            raise
        return None, str(question)


def prepared(latent: Latent, request: LatentRequest) -> Latent:
    """Return a latent in the layout and in units of the prior that the user gave. Raises PolarMonitorError."""
    latent = in_layout(latent, request.layout)
    return latent if request.prior is None else in_units_of_prior(latent, request.prior)


def in_units_of_prior(latent: Latent, prior: Callable[[Any], Any]) -> Latent:
    """Return the same latent, standardised by a prior of each row that a callable reads from the module's output.

    Raises PolarMonitorError if no single output has both.
    """
    if isinstance(prior, nn.Module):
        raise PolarMonitorError(
            f"prior: expected a callable on the module's output, got the module {type(prior).__name__}, which "
            "takes the auxiliary variable: return its output from the forward and pass prior=lambda out: …"
        )
    part = latent.parts[0]
    if part.side != "both" or part.reader is None:
        raise PolarMonitorError(
            f"prior: a callable reads the prior from the output that has the latent, but {part.name!r} gives "
            f"{'the mean' if part.side == 'mean' else 'one side'} alone: pass callables on the model's own output, "
            "attach(model, mean=lambda out: …, logvar=lambda out: …, prior=lambda out: (prior_mean, prior_var)), or "
            "call monitor.observe(mean, logvar=…, prior=(prior_mean, prior_var)) in the loop"
        )
    read = standardising(part.reader, latent.kind, prior)
    return replace(latent, parts=(replace(part, reader=read),), why=f"{latent.why}; standardised by the given prior")


def in_layout(latent: Latent, layout: str | None) -> Latent:
    """Return the same latent, its tensors read by the user's layout; None leaves it as it is."""
    if layout is None:
        return latent
    parts = []
    for part in latent.parts:
        halves = isinstance(part.reader, partial) and part.reader.func is structured
        parts.append(replace(part, reader=partial(structured, layout=layout)) if halves else part)
    return replace(latent, parts=tuple(parts), layout=layout, layout_given=True)


def _is_reader(value: Any) -> bool:
    return callable(value) and not isinstance(value, nn.Module)


def _is_processed(value: Any) -> bool:
    """Return True for (module, function): what the function makes of the module's output."""
    return isinstance(value, tuple) and len(value) == 2 and _is_reader(value[1])


def _side(model: nn.Module, value: Any, word: str) -> tuple[nn.Module, str, Reader]:
    """Return the module of one side, its name and the reader of its output. Raises PolarMonitorError."""
    if _is_processed(value):
        return (*_module(model, value[0], word), value[1])
    if isinstance(value, tuple):
        raise PolarMonitorError(
            f"{word}: expected a module, its name, or a module and a function of its output; got {value!r}: write "
            f'{word}=("<module>", lambda s: …)'
        )
    return (*_module(model, value, word), one_tensor)


def _from_modules(model: nn.Module, mean: Any, kind: str | None, spread: Any, why: str) -> Latent:
    """Return the latent of one module for the mean and, if there is a spread, another for it."""
    if spread is not None and _is_reader(spread):
        raise PolarMonitorError(
            f"{kind}= is a callable but mean= is a module: pass latent= and two callables, two modules, or "
            f'{kind}=("<module>", lambda s: …) for a function of what a module gives'
        )
    module, name, reader = _side(model, mean, "mean")
    parts = [Part(module, name, reader, "mean")]
    dimensions = _width(module, reader)
    if spread is not None:
        other, other_name, other_reader = _side(model, spread, str(kind))
        if other is module:
            raise PolarMonitorError(
                f"mean= and {kind}= are the same module {name!r}: use latent={name!r} if it gives both"
            )
        parts.append(Part(other, other_name, other_reader, "spread"))
        other_width = _width(other, other_reader)
        if dimensions is not None and other_width is not None and dimensions != other_width:
            raise PolarMonitorError(
                f"mean {name!r} has {dimensions} dimensions, {kind} {other_name!r} has {other_width}: they must be "
                f"equal; pass the module that gives the {kind} of {name!r}"
            )
        dimensions = other_width if dimensions is None else dimensions
    read = f"mean from {name!r}" + (f", {kind} from {parts[1].name!r}" if spread is not None else ", no variance")
    likely = dimensions or likely_dimensions(module, halves=False)
    return Latent(tuple(parts), kind, dimensions, suggested_layout(module, model), f"{read}: {why}", likely)


def _width(module: nn.Module, reader: Reader) -> int | None:
    """Return the dimensions that a module gives; None if its type does not fix them, or a function may."""
    return output_width(module) if reader is one_tensor else None


def _from_halves(model: nn.Module, module: nn.Module, name: str, why: str) -> Latent:
    """Return the latent of one module whose output carries both sides, read by `structured`."""
    layout, width = suggested_layout(module, model), output_width(module)
    part = Part(module, name, partial(structured, layout=layout), "both")
    dimensions = None if width is None else width // 2
    likely = dimensions or likely_dimensions(module, halves=True)
    return Latent((part,), "var", dimensions, layout, why, likely)


def _from_one_output(model: nn.Module, latent: Any, mean: Any, kind: str | None, spread: Any) -> Latent:
    """Return the latent of one module, read by the user's callables or, without any, by `structured`."""
    module, name = _module(model, latent, "latent")
    where = name or "the model"
    if mean is None:
        if kind is not None:
            raise PolarMonitorError(
                f"got latent= and {kind}=: pass mean= too, both callables on the output of {where!r}"
            )
        _check_carries_both(module, name)
        why = f"mean and variance from the output of {where!r}, by its type (a pair or halves: mean, log-variance)"
        return _from_halves(model, module, name, why)
    for word, value in (("mean", mean), (kind, spread)):
        if value is not None and not _is_reader(value):
            raise PolarMonitorError(
                f"{word}: expected a callable on the output of {where!r}, got {value!r}: write {word}=lambda out: …"
            )

    def read(output: Any) -> Any:
        return mean(output), None if spread is None else spread(output)

    why = f"mean and {kind or 'no variance'} from the output of {where!r}, as the arguments say"
    if name:
        likely = likely_dimensions(module, True) or _discovered_dimensions(model)
    else:
        likely = _discovered_dimensions(model) or likely_dimensions(module, True)
    layout = suggested_layout(module, model) if name else None
    return Latent((Part(module, name, read, "both"),), kind, None, layout, why, likely)


def _discovered_dimensions(model: nn.Module) -> int | None:
    """Return D of the latent that the names give; a callable on another module's output may be meant to read it."""
    try:
        candidate = search.discover(model)
    except PolarMonitorError:
        return None
    width = output_width(_module(model, candidate.mean, "mean")[0])
    return width // 2 if width is not None and candidate.halves else width


def _check_carries_both(module: nn.Module, name: str) -> None:
    width, stated = output_width(module), role(name)
    if width is None:
        return
    if stated is not None:
        side = "mean" if stated.kind == "mean" else "spread"
        raise PolarMonitorError(
            f"latent: expected a module whose output carries mean and spread, but the name of {name!r} says {side}: "
            f'pass mean="<module>" and logvar=, var=, std= or logstd="<module>"'
        )
    if width % 2:
        raise PolarMonitorError(
            f"latent: expected a module that gives mean and log-variance in one tensor, but {name!r} gives {width} "
            f"dimensions, which have no halves: pass mean={name!r} if it gives the mean alone"
        )


def _module(model: nn.Module, which: Any, word: str) -> tuple[nn.Module, str]:
    """Return a module and its name, from either; `word` is the argument. Raises PolarMonitorError for another."""
    names = {unwrapped(name): module for name, module in model.named_modules(remove_duplicate=False)}
    if isinstance(which, str):
        name = unwrapped(which)
        if name in names:
            return names[name], name
        close = difflib.get_close_matches(which, names, n=1)
        nearest = f'{word}="{close[0]}", or ' if close else ""
        others = ", ".join(repr(name) for name in list(names)[1:MAX_NAMES]) + (", …" if len(names) > MAX_NAMES else "")
        raise PolarMonitorError(f"{word}: the model has no module {which!r}. Write {nearest}one of: {others}")
    for name, module in names.items():
        if module is which:
            return module, name
    kind = type(which).__name__
    if isinstance(which, nn.Module):
        remedy = f'pass its name, as in {word}="<module>"'
        raise PolarMonitorError(f"{word}: got a {kind} that is not a module of this model; {remedy}")
    raise PolarMonitorError(f"{word}: expected a module of the model, its name or a callable; got {kind}")
