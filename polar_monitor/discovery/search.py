"""Looking for the latent in a model's own names and widths; a choice is an error that lists what could be meant.

Taken without asking: the only pair of modules whose names say mean and log-variance (or log σ); the pair of PyTorch's
own VAE example; the only module whose name says mean, where nothing is named a spread; an encoder whose output, known
from its type, is as wide as its decoder's input (an autoencoder) or twice as wide (mean and log-variance in halves).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import product

from torch import nn

from ..errors import PolarMonitorError
from .layer_widths import gives, takes
from .module_names import Role, elsewhere, role
from .suggestions import UNIT, Candidate, means_only, nothing, parent, several
from .unwrap import unwrapped
from .vocabulary import CODES, CODES_BESIDE_A_SPREAD

PYTORCH_EXAMPLE = ("fc1", "fc21", "fc22", "fc3", "fc4")
ENDS = (("quant_conv", "post_quant_conv"), ("encoder", "decoder"), ("enc", "dec"))
"""Names of what gives the latent and what takes it; latent diffusion models have the first pair inside the second."""


def discover(model: nn.Module) -> Candidate:
    """The only reading of a model's names and widths. Raises PolarMonitorError where there is none, or several."""
    names = {unwrapped(name): module for name, module in model.named_modules() if name}
    roles = {name: found for name in names if (found := role(name)) is not None}
    inside = {name: found for name, found in roles.items() if not elsewhere(name)}
    pairs = _pairs(names, inside)
    if len(pairs) == 1 and pairs[0].kind is not None and _usual(pairs[0], inside):
        return replace(pairs[0], why="the only pair of modules whose names say mean and spread")
    if pairs:
        raise PolarMonitorError(several(pairs, _doubt(pairs)))
    means = [name for name, found in inside.items() if found.kind == "mean"]
    spreads = [name for name, found in inside.items() if found.kind != "mean" and found.usual]
    if not means:
        spreads = [name for name in spreads if inside[name].kind is not None]
    if spreads:
        apart = [
            Candidate(mean, inside[spread].kind, spread) for mean, spread in product(means or ["<module>"], spreads)
        ]
        raise PolarMonitorError(several(apart, "the spread has no module beside it that is named a mean"))
    lone = means + [name for name in names if _last(name) in CODES and not elsewhere(name)]
    if len(lone) == 1 and (inside[lone[0]].usual if means else gives(names[lone[0]]) is not None):
        return Candidate(
            lone[0], None, None, "the only module whose name says it is the latent; none is named a spread"
        )
    if lone:
        raise PolarMonitorError(means_only(lone))
    fitting = _by_width(names)
    if fitting is not None:
        return fitting
    encoders = {n: (gives(module) or 0) % 2 == 0 for n, module in names.items() if _last(n) in dict(ENDS)}
    leaves = [name for name, module in names.items() if not list(module.children())]
    raise PolarMonitorError(nothing(encoders, leaves, [name for name in roles if name not in inside]))


def _doubt(pairs: list[Candidate]) -> str:
    if any(pair.kind is None for pair in pairs):
        return UNIT
    return "there is more than one latent" if len(pairs) > 1 else "the names may mean another variable"


def _usual(pair: Candidate, roles: dict[str, Role]) -> bool:
    """Whether neither name of a pair hints at another variable."""
    return all(roles[name].usual for name in (pair.mean, str(pair.spread)) if name in roles)


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _pairs(names: Iterable[str], roles: dict[str, Role]) -> list[Candidate]:
    """Means with the spreads beside them: those of the same stem, or else of any usual one."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(parent(name), []).append(name)
    pairs = []
    for around, group in groups.items():
        spreads = {name: roles[name] for name in group if name in roles and roles[name].kind != "mean"}
        means = {name: roles[name] for name in group if name in roles and roles[name].kind == "mean"}
        if not means and any(found.kind and found.usual for found in spreads.values()):
            means = {name: Role("mean", ()) for name in group if _last(name) in CODES_BESIDE_A_SPREAD}
        for mean, said in means.items():
            fits = [name for name, found in spreads.items() if found.stem == said.stem]
            if not fits and said.usual:
                fits = [name for name, found in spreads.items() if found.usual]
            clear = [name for name in fits if spreads[name].kind is not None]
            pairs += [Candidate(mean, spreads[name].kind, name) for name in clear or fits]
        dot = f"{around}." if around else ""
        if {f"{dot}{name}" for name in PYTORCH_EXAMPLE} <= set(group) and not elsewhere(around):
            pairs.append(Candidate(f"{dot}fc21", "logvar", f"{dot}fc22"))
    return pairs


def _by_width(names: dict[str, nn.Module]) -> Candidate | None:
    """The only encoder whose output goes straight into its decoder, if the widths say what it carries."""
    found = []
    for place in dict.fromkeys(parent(name) for name in names if _last(name) in ("encoder", "enc")):
        beside = {_last(name): module for name, module in names.items() if parent(name) == place}
        first, into = next(((a, b) for a, b in ENDS if a in beside and b in beside), ("", ""))
        between = [module for name, module in beside.items() if not any(name in ends for ends in ENDS)]
        if first and all(next(module.parameters(), None) is None for module in between):
            found.append((f"{place}.{first}" if place else first, beside[first], into, beside[into]))
    if len(found) != 1:
        return None
    name, encoder, into, decoder = found[0]
    wide, taken = gives(encoder), takes(decoder)
    if wide is None or taken is None or wide not in (taken, 2 * taken):
        return None
    if wide == taken:
        return Candidate(name, None, None, f"it gives the {taken} dimensions that {into!r} takes")
    why = (
        f"mean and log-variance from the halves of {name!r}: it gives twice the {taken} dimensions that {into!r} takes "
        f'(if the second half has another unit, write latent="{name}", mean=lambda out: …, std=lambda out: …)'
    )
    return Candidate(name, "logvar", None, why, halves=True)
