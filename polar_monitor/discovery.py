"""Finding the latents: from what the user named, or from the model's own names; never by a guess.

With nothing named, a pair of modules whose names mean "mean" and "log-variance" is taken, or an encoder whose width
fits its decoder. Whatever is left open is an error that lists the candidates and the exact line to write.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from torch import nn

from ._compat import unwrapped
from .errors import PolarMonitorError
from .latents import KINDS, Latent, Part, is_channels_first, structured, width

AFFIXES = {
    "fc", "linear", "lin", "head", "layer", "to", "z", "conv", "enc", "encoder", "hidden", "proj", "projection",
    "latent", "net", "q", "qz", "out", "output", "dense", "h", "hidden2", "2", "1", "final", "posterior",
}  # fmt: skip
MEANS = {"mu", "mean", "means", "loc"}
SPREADS = {
    "logvar": "logvar", "logvariance": "logvar", "logv": "logvar", "logsigma2": "logvar", "lv": "logvar",
    "logstd": "logstd", "logsigma": "logstd", "logscale": "logstd",
}  # fmt: skip
UNCLEAR = {"var", "variance", "sigma", "std", "scale", "sigma2", "stddev"}
CODES = {"bottleneck", "code", "embedding_head"}

Named = str | nn.Module | Callable[[Any], Any]


def find(model: nn.Module, mean: Any, spreads: dict[str, Any], latent: Any) -> Latent:
    """The latent that the arguments of `attach` name, or the only one that the model's names leave open.

    `spreads` holds what was passed for logvar, var and std. Raises PolarMonitorError where there is none, or a choice.
    """
    given = {kind: value for kind, value in spreads.items() if value is not None}
    if len(given) > 1:
        raise PolarMonitorError(f"expected at most one of {', '.join(KINDS)}; got {' and '.join(given)}: pass one")
    kind, spread = next(iter(given.items()), (None, None))
    if latent is not None:
        return _from_one(model, latent, mean, kind, spread)
    if mean is None and kind is None:
        return _discover(model)
    if mean is None:
        raise PolarMonitorError(f'got {kind}= without mean=: pass mean="<module>" beside it')
    if _is_reader(mean):
        return _from_one(model, model, mean, kind, spread)
    return _pair(model, mean, kind, spread, "as the arguments say")


def _is_reader(value: Any) -> bool:
    return callable(value) and not isinstance(value, nn.Module)


def _pair(model: nn.Module, mean: Any, kind: str | None, spread: Any, why: str) -> Latent:
    if spread is not None and _is_reader(spread):
        raise PolarMonitorError(
            f"{kind}= is a callable but mean= is a module: pass latent= and two callables, or two modules"
        )
    module, name = _module(model, mean, "mean")
    parts = [Part(module, name, None, "mean")]
    if spread is not None:
        other, other_name = _module(model, spread, str(kind))
        if other is module:
            raise PolarMonitorError(
                f"mean= and {kind}= are the same module {name!r}: use latent={name!r} if it gives both"
            )
        parts.append(Part(other, other_name, None, "spread"))
        a, b = width(module, True), width(other, True)
        if a is not None and b is not None and a != b:
            raise PolarMonitorError(
                f"mean {name!r} has {a} dimensions, {kind} {other_name!r} has {b}: they must be equal"
            )
    said = f"mean from {name!r}" + (f", {kind} from {parts[1].name!r}" if spread is not None else ", no variance")
    return Latent(tuple(parts), kind, width(module, True), is_channels_first(module), f"{said}: {why}")


def _from_one(model: nn.Module, latent: Any, mean: Any, kind: str | None, spread: Any) -> Latent:
    module, name = _module(model, latent, "latent")
    where = name or "the model"
    if mean is None:
        if kind is not None:
            raise PolarMonitorError(
                f"got latent= and {kind}=: pass mean= too, both callables on the output of {where!r}"
            )
        why = f"mean and variance from the output of {where!r}, by its type (a pair or halves: mean, log-variance)"
        return Latent((Part(module, name, structured, "both"),), "var", None, is_channels_first(module), why)
    for word, value in (("mean", mean), (kind, spread)):
        if value is not None and not _is_reader(value):
            raise PolarMonitorError(f"{word}: expected a callable on the output of {where!r}, got {value!r}")

    def read(output: Any) -> Any:
        return mean(output), None if spread is None else spread(output)

    said = f"mean and {kind or 'no variance'} from the output of {where!r}, as the arguments say"
    return Latent((Part(module, name, read, "both"),), kind, None, is_channels_first(module), said)


def _module(model: nn.Module, which: Any, word: str) -> tuple[nn.Module, str]:
    names = {unwrapped(name): (module, name) for name, module in model.named_modules()}
    if isinstance(which, str):
        if unwrapped(which) in names:
            module, _ = names[unwrapped(which)]
            return module, unwrapped(which)
        known = ", ".join(repr(name) for name in list(names)[1:25])
        raise PolarMonitorError(f"{word}: expected the name of a module, got {which!r}; the model has {known}")
    for name, (module, _) in names.items():
        if module is which:
            return module, name
    raise PolarMonitorError(
        f"{word}: expected a module of the model, its name or a callable; got {type(which).__name__}"
    )


def _core(name: str) -> str:
    """A module's name without affixes, case and separators: "encoder.fc_log_var" is "logvar"."""
    last = name.rsplit(".", 1)[-1]
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", last)
    return "".join(word.lower() for word in words if word.lower() not in AFFIXES)


def _discover(model: nn.Module) -> Latent:
    names = {unwrapped(name): module for name, module in model.named_modules() if name}
    cores = {name: _core(name) for name in names}
    pairs, unclear = [], []
    for name in (name for name, core in cores.items() if core in MEANS):
        parent = name.rpartition(".")[0]
        beside = [other for other in names if other.rpartition(".")[0] == parent]
        fits = [other for other in beside if cores[other] in SPREADS]
        maybe = [other for other in beside if cores[other] in UNCLEAR]
        pairs += [(name, SPREADS[cores[other]], other) for other in fits]
        unclear += [(name, other) for other in maybe] if not fits else []
    if {"fc1", "fc21", "fc22", "fc3", "fc4"} <= set(names):
        pairs.append(("fc21", "logvar", "fc22"))
    lone = [name for name, core in cores.items() if core in MEANS]
    if len(pairs) == 1 and not unclear:
        name, kind, other = pairs[0]
        return _pair(model, name, kind, other, "the only pair of modules whose names mean mean and log-variance")
    if pairs or unclear:
        raise PolarMonitorError(_choice(pairs, unclear))
    codes = [
        name
        for name, core in cores.items()
        if core in CODES or name.rsplit(".", 1)[-1] in ("fc_z", "to_z", "to_latent")
    ]
    if len(lone + codes) == 1:
        return _pair(
            model, (lone + codes)[0], None, None, "the only module whose name means a latent; no variance beside it"
        )
    if not lone + codes:
        found = _encoder(names, model)
        if found is not None:
            return found
    raise PolarMonitorError(_nothing(names, lone + codes))


def _encoder(names: dict[str, nn.Module], model: nn.Module) -> Latent | None:
    encoder = next((name for name in ("encoder", "enc") if name in names), None)
    decoder = next((name for name in ("decoder", "dec") if name in names), None)
    if encoder is None or decoder is None:
        return None
    gives, takes = width(names[encoder], True), width(names[decoder], False)
    if gives is None or takes is None:
        return None
    if gives == takes:
        return _pair(model, encoder, None, None, f"it gives the {takes} dimensions that {decoder!r} takes")
    if gives == 2 * takes:
        why = f"halves (mean, log-variance) of {encoder!r}: it gives twice the {takes} dimensions {decoder!r} takes"
        part = Part(names[encoder], encoder, structured, "both")
        return Latent((part,), "var", takes, is_channels_first(names[encoder]), why)
    return None


def _choice(pairs: list[tuple[str, str, str]], unclear: list[tuple[str, str]]) -> str:
    lines = [
        f'    attach(model, mean="{name}", {kind if kind in KINDS else "std"}="{other}")' for name, kind, other in pairs
    ]
    lines += [f'    attach(model, mean="{m}", {kind}="{s}")' for m, s in unclear for kind in KINDS]
    doubt = (
        "whether the module gives σ², σ or log σ² cannot be read off its name"
        if unclear
        else "there is more than one latent"
    )
    return f"expected one latent, got several readings ({doubt}). Write the line that is true:\n" + "\n".join(lines)


def _nothing(names: dict[str, nn.Module], found: list[str]) -> str:
    if found:
        lines = "\n".join(f'    attach(model, mean="{name}")' for name in found)
        return f"expected one latent, got {len(found)} candidates. Write the line that is true:\n{lines}"
    leaves = [name for name, module in names.items() if not list(module.children())]
    return (
        "no latent was found by the names of the model's modules. Write one of\n"
        '    attach(model, mean="<module>", logvar="<module>")       # two modules\n'
        '    attach(model, latent="<module>")                        # one module whose output carries both\n'
        "    attach(model, mean=lambda out: out[1], logvar=lambda out: out[2])   # the model's own output\n"
        '    attach(model, mean="<module>")                          # an autoencoder: no variance\n'
        f"The model's modules: {', '.join(leaves[:25]) or 'none'}"
    )
