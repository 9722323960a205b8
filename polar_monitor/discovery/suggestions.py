"""A reading of a model as the line of code that states it, and the errors that leave the choice to the user."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .latent import KINDS

LINES = 16
"""Most lines that an error proposes."""
UNIT = "whether a module gives σ², σ or log σ² cannot be read off its name"


@dataclass(frozen=True)
class Candidate:
    """One reading of a model: the module of the mean, and of the spread; `halves` where the mean's carries both."""

    mean: str
    kind: str | None
    """None with a spread: its unit is not told by its name."""
    spread: str | None
    why: str = ""
    halves: bool = False


def parent(name: str) -> str:
    """The name of the module around a module; '' at the top."""
    return name.rpartition(".")[0]


def several(pairs: list[Candidate], doubt: str) -> str:
    """What to write for each of several readings."""
    lines = [line for pair in pairs for line in _lines(pair, pairs)]
    if any(pair.kind is None for pair in pairs):
        around = dict.fromkeys(parent(pair.mean) for pair in pairs)
        lines += [f"{_latent(name)}   # if its output is a distribution" for name in around if name]
    return f"expected one latent, got several readings ({doubt}). Write the line that is true:\n{_listed(lines)}"


def means_only(names: list[str]) -> str:
    """What to write for each of several means (or one that is not surely one)."""
    lines = [_mean(name) for name in names]
    return f"expected one latent, got {len(names)} candidates. Write the line that is true:\n{_listed(lines)}"


def nothing(encoders: dict[str, bool], modules: Iterable[str], outside: list[str]) -> str:
    """What to write where no name and no width tells anything; `encoders` with whether each may carry both sides."""
    lines = ['attach(model, mean="<module>", logvar="<module>")   # two modules']
    for name, both in (encoders or {"<module>": True}).items():
        if both:
            lines.append(f"{_latent(name)}   # one module whose output carries both")
        lines.append(f"{_mean(name)}   # an autoencoder: no variance")
    lines.append("attach(model, mean=lambda out: out[1], logvar=lambda out: out[2])   # the model's own output")
    aside = f"\nNot taken, as they belong to a decoder or a prior: {', '.join(outside)}" if outside else ""
    return (
        f"no latent was found by the names and widths of the model's modules. Write one of\n{_listed(lines)}\n"
        f"The model's modules: {', '.join(list(modules)[:25]) or 'none'}{aside}"
    )


def _lines(pair: Candidate, pairs: list[Candidate]) -> list[str]:
    if pair.kind != "logstd":
        kinds = KINDS if pair.kind is None else (pair.kind,)
        return [f'attach(model, mean="{pair.mean}", {kind}="{pair.spread}")' for kind in kinds]
    # There is no argument for log σ, which is read only where it is found by its name.
    around = parent(pair.mean)
    if around and [parent(other.mean) for other in pairs].count(around) == 1 and parent(str(pair.spread)) == around:
        return [f'attach(model.get_submodule("{around}"))   # finds {pair.mean!r} and {pair.spread!r}']
    return [f"PolarMonitor().observe(mean, std=log_std.exp())   # outputs of {pair.mean!r} and {pair.spread!r}"]


def _latent(name: str) -> str:
    return f'attach(model, latent="{name}")'


def _mean(name: str) -> str:
    return f'attach(model, mean="{name}")'


def _listed(lines: list[str]) -> str:
    rest = len(lines) - LINES
    return "\n".join(f"    {line}" for line in lines[:LINES]) + (f"\n    … and {rest} more" if rest > 0 else "")
