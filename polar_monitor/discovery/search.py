"""Search for the latent in a model's own names and widths. A choice is an error that lists the possible readings.

The search takes, without asking:

* the only pair of modules named mean and log-variance (or log σ), or the pair of PyTorch's own VAE example;
* the only module named a mean or a code, if nothing is named a spread;
* an encoder whose output, known from its type, is as wide as its decoder's input (an autoencoder) or twice as wide
  (mean and log-variance in halves).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import torch
from torch import nn

from ..errors import UndecidedError
from .layer_widths import input_width, output_width
from .module_names import Role, is_other_part, last, parent, role
from .suggestions import Candidate, means_only, nothing, several, unpaired
from .unwrap import unwrapped
from .vocabulary import CODE_MODULES, CODE_MODULES_BESIDE_A_SPREAD, ENCODER_DECODER, PYTORCH_EXAMPLE

Modules = dict[str, nn.Module]
Roles = dict[str, Role]


def discover(model: nn.Module) -> Candidate:
    """Return the only reading of a model's names and widths. Raises UndecidedError for none, or several."""
    named = [(name, module) for name, module in model.named_modules() if name]
    modules = {unwrapped(name): module for name, module in named if not isinstance(module, torch.jit.ScriptModule)}
    all_roles = {name: stated for name in modules if (stated := role(name)) is not None}
    roles = {name: stated for name, stated in all_roles.items() if not is_other_part(name)}
    candidate = _only_pair(modules, roles) or _only_mean(modules, roles) or _by_width(modules)
    if candidate is not None:
        return candidate
    encoder_names = dict(ENCODER_DECODER)
    encoders = {n: (output_width(module) or 0) % 2 == 0 for n, module in modules.items() if last(n) in encoder_names}
    leaves = [name for name, module in modules.items() if not list(module.children())]
    raise UndecidedError(nothing(encoders, leaves, [name for name in all_roles if name not in roles]))


def _only_pair(modules: Modules, roles: Roles) -> Candidate | None:
    """Return the one pair whose names say mean and spread; None if nothing is named a spread.

    Raises UndecidedError for several pairs, one that is unclear, and a spread without its mean.
    """
    pairs = _pairs(modules, roles)
    if len(pairs) == 1 and pairs[0].kind is not None and _are_plain(pairs[0], roles):
        return replace(pairs[0], why="the only pair of modules whose names say mean and spread")
    if pairs:
        raise UndecidedError(several(pairs))
    means = [name for name, stated in roles.items() if stated.kind == "mean"]
    spreads = [name for name, stated in roles.items() if stated.kind != "mean" and stated.is_plain]
    if not means:
        spreads = [name for name in spreads if roles[name].kind is not None]
    if spreads:
        apart = [
            Candidate(mean, roles[spread].kind, spread) for mean, spread in product(means or ["<module>"], spreads)
        ]
        raise UndecidedError(unpaired(apart))
    return None


def _only_mean(modules: Modules, roles: Roles) -> Candidate | None:
    """Return the one module named a mean or a code; None if there is none. Raises UndecidedError for several."""
    means = [name for name, stated in roles.items() if stated.kind == "mean"]
    names = means + [name for name in modules if last(name) in CODE_MODULES and not is_other_part(name)]
    if not names:
        return None
    if len(names) == 1 and (roles[names[0]].is_plain if means else output_width(modules[names[0]]) is not None):
        why = "the only module whose name says it is the latent; none is named a spread"
        return Candidate(names[0], None, None, why)
    raise UndecidedError(means_only(names))


def _are_plain(pair: Candidate, roles: Roles) -> bool:
    """Return True if neither name of a pair points to another variable."""
    return all(roles[name].is_plain for name in (pair.mean, str(pair.spread)) if name in roles)


def _pairs(modules: Modules, roles: Roles) -> list[Candidate]:
    """Return means with the spreads in the same module: those of the same stem, or else any of a plain name."""
    groups: dict[str, list[str]] = {}
    for name in modules:
        groups.setdefault(parent(name), []).append(name)
    pairs = []
    for around, group in groups.items():
        spreads = {name: roles[name] for name in group if name in roles and roles[name].kind != "mean"}
        means = {name: roles[name] for name in group if name in roles and roles[name].kind == "mean"}
        if not means and any(stated.kind and stated.is_plain for stated in spreads.values()):
            means = {name: Role("mean", ()) for name in group if last(name) in CODE_MODULES_BESIDE_A_SPREAD}
        for mean, stated in means.items():
            pairs += _beside(mean, stated, spreads)
        prefix = f"{around}." if around else ""
        if {f"{prefix}{name}" for name in PYTORCH_EXAMPLE} <= set(group) and not is_other_part(around):
            pairs.append(Candidate(f"{prefix}fc21", "logvar", f"{prefix}fc22"))
    return pairs


def _beside(mean: str, stated: Role, spreads: Roles) -> list[Candidate]:
    """Return a mean with each spread that fits; only those of a clear unit if there are such."""
    fits = [name for name, other in spreads.items() if other.stem == stated.stem]
    if not fits and stated.is_plain:
        fits = [name for name, other in spreads.items() if other.is_plain]
    clear = [name for name in fits if spreads[name].kind is not None]
    return [Candidate(mean, spreads[name].kind, name) for name in clear or fits]


def _by_width(modules: Modules) -> Candidate | None:
    """Return the only encoder whose output goes straight into its decoder, if the widths say what it carries."""
    matches = []
    for place in dict.fromkeys(parent(name) for name in modules if last(name) in ("encoder", "enc")):
        beside = {last(name): module for name, module in modules.items() if parent(name) == place}
        first, into = next(((a, b) for a, b in ENCODER_DECODER if a in beside and b in beside), ("", ""))
        between = [module for name, module in beside.items() if not any(name in ends for ends in ENCODER_DECODER)]
        if first and all(next(module.parameters(), None) is None for module in between):
            matches.append((f"{place}.{first}" if place else first, beside[first], into, beside[into]))
    if len(matches) != 1:
        return None
    name, encoder, into, decoder = matches[0]
    given, taken = output_width(encoder), input_width(decoder)
    if given is None or taken is None or given not in (taken, 2 * taken):
        return None
    if given == taken:
        return Candidate(name, None, None, f"{name!r} gives the {taken} dimensions that {into!r} takes")
    why = (
        f"mean and log-variance from the halves of {name!r}: it gives twice the {taken} dimensions that {into!r} takes "
        f'(if the second half has another unit, write latent="{name}", mean=lambda out: …, std=lambda out: …)'
    )
    return Candidate(name, "logvar", None, why, halves=True)
