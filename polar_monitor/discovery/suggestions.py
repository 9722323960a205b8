"""Errors that leave the choice of the latent to the user: what was found, and the lines of code to choose from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..arrays.spread import ARGUMENTS
from .module_names import parent

PLACEHOLDER = "<module>"
"""Stands for the name of a module in lines that nothing is known for."""
MAX_LINES = 16
"""Lines that an error proposes."""
MAX_NAMES = 25
"""Modules that an error lists."""


@dataclass(frozen=True)
class Candidate:
    """One reading of a model: the module of the mean, and of the spread."""

    mean: str
    kind: str | None
    """Unit of the spread; None if its name does not settle the unit, or without a spread."""
    spread: str | None
    why: str = ""
    halves: bool = False
    """True if the module of the mean gives both sides in one tensor."""


def several(pairs: list[Candidate]) -> str:
    """Return the error for pairs of mean and spread that are not clearly one latent."""
    unclear = list(dict.fromkeys(str(pair.spread) for pair in pairs if pair.kind is None))
    listed = "; ".join(f"{pair.mean!r} and {pair.spread!r}" for pair in pairs[:MAX_LINES])
    if unclear:
        verb = ", ".join(map(repr, unclear[:MAX_LINES])) + " may output log σ², σ², σ or log σ"
        return _choose(f"found {listed}, but {verb}", _lines(pairs))
    if len(pairs) > 1:
        return _choose(
            f"found {listed}, so there may be more than one latent", _named_lines(pairs), "one of, or several"
        )
    return _choose(f"found {listed}, but the names may mean another variable than the latent", _lines(pairs))


def unpaired(pairs: list[Candidate]) -> str:
    """Return the error for spreads that have no module beside them that is named a mean."""
    spreads = ", ".join(repr(spread) for spread in dict.fromkeys(pair.spread for pair in pairs))
    return _choose(f"found the spread {spreads}, but no module beside it is named a mean", _lines(pairs))


def means_only(names: list[str]) -> str:
    """Return the error for means without a spread that are not clearly one latent."""
    listed = ", ".join(map(repr, names[:MAX_LINES]))
    result = f"only {listed}, which may mean another variable" if len(names) == 1 else f"{len(names)}: {listed}"
    return _choose(f"expected one latent, found {result}", [_mean_line(name) for name in names])


def nothing(encoders: dict[str, bool], modules: Iterable[str], outside: list[str]) -> str:
    """Return the error for a model without a name or width to go by.

    `encoders` are modules named encoder, with True for each that may carry both sides; `outside` are modules named as a
    mean or spread inside another part than the encoder.
    """
    lines = [f'attach(model, mean="{PLACEHOLDER}", logvar="{PLACEHOLDER}")   # two modules']
    for name, both in (encoders or {PLACEHOLDER: True}).items():
        if both:
            lines.append(f"{_latent_line(name)}   # one module whose output carries both")
        lines.append(f"{_mean_line(name)}   # an autoencoder: no variance")
    lines.append("attach(model, mean=lambda out: out[1], logvar=lambda out: out[2])   # the model's own output")
    aside = f"\nNot taken, as they belong to a decoder or a prior: {', '.join(outside)}" if outside else ""
    names = ", ".join(list(modules)[:MAX_NAMES]) or "none"
    result = "no latent was found by the names and widths of the model's modules"
    return f"{_choose(result, lines)}\nThe model's modules: {names}{aside}"


def _choose(result: str, lines: list[str], among: str = "one of") -> str:
    """Return a message that says what was found and lists the lines to choose from."""
    excess = len(lines) - MAX_LINES
    listed = "\n".join(f"    {line}" for line in lines[:MAX_LINES])
    more = f"\n    … and {excess} more" if excess > 0 else ""
    return f"{result}. Use {among if len(lines) > 1 else 'this line if it is the latent'}:\n{listed}{more}"


def _lines(pairs: list[Candidate]) -> list[str]:
    lines = [line for pair in pairs for line in _pair_lines(pair)]
    if any(pair.kind is None for pair in pairs):
        around = dict.fromkeys(parent(pair.mean) for pair in pairs)
        lines += [f"{_latent_line(name)}   # if its output is a distribution" for name in around if name]
    return lines


def _named_lines(pairs: list[Candidate]) -> list[str]:
    """Return one line for each pair, with a name of its own: a monitor takes the place of one with the same name."""
    parts = [parent(pair.mean) for pair in pairs]
    own = all(parts) and len(set(parts)) == len(parts) and not {"train", "eval"} & set(parts)
    names = parts if own else [pair.mean for pair in pairs]
    return [
        f'{line.removesuffix(")")}, name="{name}")'
        for pair, name in zip(pairs, names, strict=True)
        for line in _pair_lines(pair)
    ]


def _pair_lines(pair: Candidate) -> list[str]:
    kinds = ARGUMENTS if pair.kind is None else (pair.kind,)
    return [f'attach(model, mean="{pair.mean}", {kind}="{pair.spread}")' for kind in kinds]


def _latent_line(name: str) -> str:
    return f'attach(model, latent="{name}")'


def _mean_line(name: str) -> str:
    return f'attach(model, mean="{name}")'
