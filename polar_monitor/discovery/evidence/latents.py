"""From a confirmed reading to the modules to hook, and the support that names give to a reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from ...arrays.layout import CHANNELS_FIRST, CHANNELS_LAST, axes_of, dimensions_of
from ..latent import Latent, Part
from ..layout import layout_of, suggested_layout
from ..module_names import is_other_part, role
from ..unwrap import unwrapped
from .codes import Code
from .forms import Form
from .pieces import Slot
from .reading import Calls, Reading
from .seen import shown

PLAIN_MEAN = "{s}"
"""Code for a mean that is a piece as it is."""


@dataclass(frozen=True)
class SpreadReader:
    """Reads the spread of a latent in a unit of `arrays.spread.UNITS`. Compiled forwards run this."""

    slot: Slot
    form: Form

    def __call__(self, output: Any) -> Any:
        """Return the spread."""
        spread = self.slot.read(output)
        return spread if self.form.read is None else self.form.read(spread)


@dataclass(frozen=True)
class PairReader:
    """Reads mean and spread of the output of one module. Compiled forwards run this."""

    mean: Slot
    spread: SpreadReader

    def __call__(self, output: Any) -> tuple[Any, Any]:
        """Return (mean, spread)."""
        return self.mean.read(output), self.spread(output)


def best_of(readings: Sequence[Reading]) -> Reading:
    """Return the reading with most dimensions, the one nearest to the decoder among equals.

    One whose sample is decoded to the data comes before one that is drawn beside it, as for a label or a prior. Where
    no output has the size of the data, one that is made of another one's sample comes last: it is a level above.
    """

    def rank(reading: Reading) -> tuple[bool, bool, int, int]:
        takers = [taker for other in readings if other is not reading for taker in other.takers]
        is_above = any(f"{reading.mean.module}.".startswith(f"{taker}.") for taker in takers)
        return reading.decodes, reading.decodes or not is_above, reading.size, reading.order

    return max(readings, key=rank)


def latent_of(model: nn.Module, reading: Reading) -> Latent:
    """Return the latent of a reading of a model's forwards."""
    modules = {unwrapped(name): module for name, module in model.named_modules(remove_duplicate=False)}
    mean, spread = reading.mean, reading.spread
    read_spread = SpreadReader(spread, reading.form)
    if mean.module == spread.module:
        pair = PairReader(mean, read_spread)
        parts: tuple[Part, ...] = (Part(modules[mean.module], mean.module, pair, "both", reading.calls.mean),)
    else:
        parts = (
            Part(modules[mean.module], mean.module, mean.read, "mean", reading.calls.mean),
            Part(modules[spread.module], spread.module, read_spread, "spread", reading.calls.spread),
        )
    layout = _layout(model, modules[mean.module], reading)
    dimensions = dimensions_of(axes_of(layout, len(reading.shape)), reading.shape)
    why = f"mean from {mean}, {reading.form.name} from {spread}: {reading.evidence}"
    return Latent(parts, reading.form.unit, dimensions, layout, why, dimensions)


def of_calls(latent: Latent, calls: Calls) -> Latent:
    """Return a latent that names gave with these calls of its modules."""
    sides = {"mean": calls.mean, "both": calls.mean, "spread": calls.spread}
    return replace(latent, parts=tuple(replace(part, calls=sides[part.side]) for part in latent.parts))


def code_latent_of(model: nn.Module, code: Code) -> Latent:
    """Return the latent of a code without a sample."""
    modules = {unwrapped(name): module for name, module in model.named_modules(remove_duplicate=False)}
    module = modules[code.mean.module]
    layout = _layout(model, module, code)
    dimensions = dimensions_of(axes_of(layout, len(code.shape)), code.shape)
    part = Part(module, code.mean.module, code.mean.read, "mean")
    why = f"mean from {code.mean}, no variance: {code.evidence}"
    return Latent((part,), None, dimensions, layout, why, dimensions)


def name_hint(mean: Slot, spread: Slot, unit: str) -> float:
    """Return the support that the names of two modules give to a reading, from -1 to 1."""
    support = 0.0
    first, second = role(mean.module), role(spread.module)
    if first is not None:
        support += 0.5 if first.kind == "mean" else -0.5
    if second is not None and second.kind is not None:
        support += 0.5 if second.kind == unit else -0.5
    if is_other_part(mean.module):
        support -= 0.5
    return max(support, -1.0)


def line_of(reading: Reading) -> str:
    """Return the line of code that names a reading."""
    return line_for(reading.mean, reading.spread, PLAIN_MEAN, reading.form.code, reading.form.unit)


def line_for(mean: Slot, spread: Slot, made: str, scaled: str, unit: str) -> str:
    """Return the line of code for what is made of two pieces: code with {s} for the piece, and the spread's unit."""
    sides = [code.replace("{s}", _written(slot)) for slot, code in ((mean, made), (spread, scaled))]
    if mean.module == spread.module:
        latent = f'latent="{mean.module}", ' if mean.module else ""
        return f"attach(model, {latent}mean=lambda out: {sides[0]}, {unit}=lambda out: {sides[1]})"
    first, second = (
        f'"{slot.module}"' if side == "out" else f'("{slot.module}", lambda out: {side})'
        for slot, side in zip((mean, spread), sides, strict=True)
    )
    return f"attach(model, mean={first}, {unit}={second})"


def line_of_latent(latent: Latent) -> str:
    """Return the line of code that names a latent which the names of modules gave."""
    if len(latent.parts) == 2:
        return f'attach(model, mean="{latent.parts[0].name}", {latent.kind}="{latent.parts[1].name}")'
    word = "mean" if latent.kind is None else "latent"
    return f'attach(model, {word}="{latent.parts[0].name}")'


def _written(slot: Slot) -> str:
    value, cut = f"out{shown(slot.path)}", slot.cut
    if cut is None:
        return value
    if cut.kind == "alternate":
        return f"{value}[..., {cut.number}::2]"
    if cut.kind == "token":
        return f"{value}[{cut.number}]" if cut.axis == 0 else f"{value}[:, {cut.number}]"
    return f"{value}.chunk(2, {cut.axis})[{cut.number}]"


def agrees(latent: Latent, reading: Reading) -> bool:
    """Return True if a latent that names gave is what a reading says."""
    if latent.kind is None:
        return False
    mean, spread = reading.mean, reading.spread
    if len(latent.parts) == 2:
        names = tuple(part.name for part in latent.parts)
        plain = reading.form.read is None and mean.cut is None and spread.cut is None
        return names == (mean.module, spread.module) and plain and latent.kind == reading.form.unit
    halves = (mean.cut, spread.cut) == (None, None) or (
        mean.cut is not None and spread.cut is not None and [mean.cut.number, spread.cut.number] == [0, 1]
    )
    same = mean.module == spread.module and _ends_in(latent.parts[0], mean.module)
    return same and halves and reading.form.name == "log σ²"


def _ends_in(part: Part, name: str) -> bool:
    """Return True if a module gives what the module of this name gives: it is that one, or ends in it."""
    module, around = part.module, part.name
    while around != name and isinstance(module, nn.Sequential) and len(module):
        last = list(module._modules)[-1]
        module, around = module[-1], f"{around}.{last}" if around else last
    return around == name


def overlaps(latent: Latent, reading: Reading) -> bool:
    """Return True if a latent and a reading share a module, or one is inside the other: only one can be right."""
    given = [f"{part.name}." for part in latent.parts]
    seen = [f"{slot.module}." for slot in (reading.mean, reading.spread)]
    return any(a.startswith(b) or b.startswith(a) for a in given for b in seen if a != "." and b != ".")


def _layout(model: nn.Module, module: nn.Module, reading: Reading | Code) -> str:
    """Return the layout of the mean: a cut says where the dimensions are, else the layers and the shape."""
    axes, cut = len(reading.shape), reading.mean.cut
    if axes < 3:
        return "nd"[:axes] if axes == 1 else "nd"
    suggested = suggested_layout(module, model)
    if cut is not None and cut.axis == 1:
        return CHANNELS_FIRST
    if cut is not None and suggested == CHANNELS_FIRST:
        return CHANNELS_LAST
    return layout_of([reading.shape], None, module, (), model) if suggested is None else suggested


def is_code(latent: Latent, code: Code) -> bool:
    """Return True if a code is what a latent without a spread reads.

    It is of the same module, of one at its end, or of one that hands on a tensor as narrow.
    """
    given, seen = latent.parts[0].name, code.mean.module
    return latent.kind is None and (
        given in (seen, *code.others) or f"{seen}.".startswith(f"{given}.") or f"{given}.".startswith(f"{seen}.")
    )
