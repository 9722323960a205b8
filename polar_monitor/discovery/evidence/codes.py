"""Codes without a sample: a tensor that one module gives and another takes exactly, narrower than the data.

The values settle this: nothing is added to the code, nothing goes around it, and an output of the data's size follows.
A reading of names is a hint only: a code that no name supports is shown, not taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from .obstacles import LISTED, NOT_FINITE, is_listed, listed_code, not_finite
from .pieces import Slot
from .samples import SampleSlot, fingerprint, is_constant
from .seen import F32, Seen, shown
from .unseen.functional import PAIRS, code_through_function, relates_rows
from .views import View

MIN_STEPS = 3
"""Steps in which a code must be the same tensor."""
HINTS = {
    "encoder",
    "encode",
    "enc",
    "decoder",
    "decode",
    "dec",
    "bottleneck",
    "latent",
    "code",
    "autoencoder",
    "ae",
    "z",
}
"""Words of modules and classes on both sides of a code."""
QUANTISERS = {"quantizer", "quantize", "quantiser", "vq", "codebook", "vectorquantizer", "fsq", "lfq"}
"""Words of modules that replace a code by the nearest of a list."""
MIN_VARIANCE_ROWS = 16
"""Smallest number of rows that show the variance of the data."""


@dataclass(frozen=True)
class Code:
    """One code without a sample, in the fields of `Reading`."""

    mean: Slot
    sample: SampleSlot
    shape: tuple[int, ...]
    order: int
    steps: int
    """Steps in which it was seen."""
    hints: tuple[str, ...]
    """Words of names around it that say so."""
    data: tuple[int, ...]
    """Shape of what the model takes."""
    output: tuple[int, ...]
    """Shape of the reconstruction: that of the data, or pairs of a graph's nodes."""
    decoder: str = ""
    """Name of the module that takes the code alone and gives the reconstruction; '' if no module does."""
    data_variance: float = 0.0
    """Variance of a number of the data over the rows that were seen; 0 if it is not known."""
    others: tuple[str, ...] = ()
    """Modules that hand on a tensor as narrow, before or after: the names may mean one of these."""
    function: str = ""
    """Words for the model's output as a function of the code, if the decoder is no module."""
    spread: None = None
    form: None = None

    @property
    def is_confirmed(self) -> bool:
        """True if the values say so in several steps, and some name does."""
        return self.steps >= MIN_STEPS and bool(self.hints)

    @property
    def size(self) -> int:
        """Numbers of the code."""
        return prod(self.shape)

    @property
    def evidence(self) -> str:
        """The evidence in words."""
        width, of = prod(self.shape[1:]), prod(self.data[1:])
        if self.function:
            return (
                f"the model's output is {self.function} of what {self.mean} gives, in {self.steps} steps: "
                f"{width} numbers for the {of} of an input"
            )
        after = "an output of its size" if self.output == self.data else f"an output of {self.output} for its pairs"
        return (
            f"{self.sample} is exactly what {self.mean} gives, in {self.steps} steps: {width} numbers for the {of} of "
            f"an input, and {after} comes after it"
        )


class CodeJudge:
    """Looks for a code in the tensors of complete steps."""

    def __init__(self) -> None:
        self.steps = 0
        self.reason = "no forward was seen"
        """Words for why there is no code."""
        self.is_explained = False
        """True if these say what has to be done: values are not finite, or a code is one of a list."""
        self.gives_back = False
        """True if some output has the size of the model's input, as a reconstruction has, or relates its rows."""
        self._codes: dict[tuple[Slot, SampleSlot], list[int]] = {}
        self._latest: Code | None = None

    def add(self, seen: Sequence[Seen]) -> None:
        """Take the tensors of one step that shows all modules."""
        self.steps += 1
        match, self.reason = code_of(seen)
        self.is_explained = any(words in self.reason for words in (NOT_FINITE, LISTED))
        self.gives_back |= gives_back(seen)
        if match is not None:
            times = self._codes.setdefault((match.mean, match.sample), [0])
            times[0] += 1
            self._latest = replace(match, steps=times[0])

    @property
    def waits(self) -> bool:
        """True if there is a code so far, which more steps have to confirm."""
        return 1 < self.steps < MIN_STEPS and self.best() is not None

    def best(self) -> Code | None:
        """Return the code of the latest step that has one; None if some step had none, or another."""
        latest = self._latest
        return latest if latest is not None and latest.steps == self.steps else None


def code_of(seen: Sequence[Seen]) -> tuple[Code | None, str]:
    """Return the code that a step shows, or None, and why there is none."""
    if not seen:
        return None, "no forward was seen"
    outermost = seen[0].module
    data = next((entry for entry in seen if entry.module == outermost and not entry.is_output), None)
    if data is None or len(data.shape) < 2:
        return None, "the model takes no tensor with a row for each input"
    if reason := not_finite(seen):
        return None, reason
    width = prod(data.shape[1:])
    handed, reason = _code_of_modules(seen, data, width)
    return (handed, reason) if handed is not None else (_code_of_function(seen, data), reason)


def _code_of_function(seen: Sequence[Seen], data: Seen) -> Code | None:
    """Return the code that the model's own forward decodes without a module; None if no output shows one."""
    match = code_through_function(seen, data)
    if match is None or _heads_of_a_sample(seen, match[0]) or is_listed(match[0].block, data.block):
        return None
    given, output, function = match
    hints = {PAIRS} if relates_rows(output, data, seen) else (_words(given) | words_of(output.kind)) & HINTS
    slot, mean = SampleSlot("", True, output.path, output.call, View("")), Slot(given.module, given.path, None)
    variance = _variance_of(data.block)
    return Code(
        mean,
        slot,
        given.shape,
        given.order,
        1,
        tuple(sorted(hints)),
        data.shape,
        output.shape,
        "",
        variance,
        (),
        function,
    )


def _code_of_modules(seen: Sequence[Seen], data: Seen, width: int) -> tuple[Code | None, str]:
    """Return the code that one module hands to another, or None, and why there is none."""
    back = [entry for entry in seen if entry.is_output and _is_end(entry, data, seen)]
    if not back:
        shapes = [str(entry.shape) for entry in seen if entry.is_output and entry.module == data.module]
        gives = f"the model gives {', '.join(shapes)}" if shapes else "the model gives no tensor"
        return None, f"{gives} and takes {data.shape}: no output has the size of the input; a policy or a regressor?"
    end = back[-1].order
    output = data.shape if _gives_back(back[-1], data) else back[-1].shape
    passed = [pair for pair in _handed_over(seen) if pair[1].order < end and pair[0].shape[0] == data.shape[0]]
    narrow = [pair for pair in passed if 0 < pair[0].row_size < width]
    if not narrow:
        return None, listed_code(
            seen, data
        ) or "no tensor that one module gives and another takes is narrower than the input"
    size = min(pair[0].row_size for pair in narrow)
    narrowest = [pair for pair in narrow if pair[0].row_size == size]
    given, taken = next((pair for pair in narrowest if _decoder_of(seen, pair[0], output)), narrowest[0])
    after = narrowest[-1][0]
    if (around := _goes_around(seen, given, taken, end)) is not None:
        return None, f"{around!r} takes what an earlier module gives: it goes around {given.module!r}, as in a U-Net"
    for entry in (given, after):
        if heads := _heads_of_a_sample(seen, entry):
            return None, f"what {entry.module!r} gives may be a sample that it draws from {' and '.join(heads)}"
    if (
        is_listed(given.block, data.block)
        or is_listed(after.block, data.block)
        or _words(taken) & QUANTISERS
        or _words(after) & QUANTISERS
    ):
        words = listed_code(seen, data)
        return None, words or f"what {after.module!r} gives is one of a list of codes, not a continuous latent"
    hints = tuple(sorted((_words(given) | _words(taken)) & HINTS))
    slot = SampleSlot(taken.module, False, taken.path, taken.call, View(""))
    decoder, variance = _decoder_of(seen, given, output), _variance_of(data.block)
    mean, others = Slot(given.module, given.path, None), tuple(dict.fromkeys(pair[0].module for pair in narrowest))
    return Code(mean, slot, given.shape, given.order, 1, hints, data.shape, output, decoder, variance, others), ""


def _decoder_of(seen: Sequence[Seen], given: Seen, output: tuple[int, ...]) -> str:
    """Return the outermost module that takes what was given, alone, and gives an output of this shape; '' for none."""
    if given.block is None or len(given.shape) < 2:
        return ""
    mark = fingerprint(given.block)
    for entry in seen:
        if entry.is_output or entry.block is None or entry.order < given.order or fingerprint(entry.block) != mark:
            continue
        if entry.shape != given.shape:
            continue
        own = [other for other in seen if other.module == entry.module and other.call == entry.call]
        gives = [other for other in own if other.is_output]
        if len(own) == 2 and entry.module and len(gives) == 1 and prod(gives[0].shape[1:]) == prod(output[1:]):
            return entry.module
    return ""


def _variance_of(block: F32 | None) -> float:
    """Return the mean variance of the columns of rows; 0 if they are not known."""
    if block is None or len(block) < MIN_VARIANCE_ROWS:
        return 0.0
    variance = float(np.var(block.reshape(len(block), -1).astype(np.float64), axis=0).mean())
    return variance if np.isfinite(variance) else 0.0


def gives_back(seen: Sequence[Seen]) -> bool:
    """Return True if an output of a step has the size of the model's input, or relates its rows."""
    data = next((entry for entry in seen if entry.module == seen[0].module and not entry.is_output), None)
    return data is not None and any(
        entry.is_output and (_gives_back(entry, data) or relates_rows(entry, data, seen)) for entry in seen
    )


def _is_end(entry: Seen, data: Seen, seen: Sequence[Seen]) -> bool:
    return _gives_back(entry, data) or _relates(entry, data, seen) or relates_rows(entry, data, seen)


def _gives_back(entry: Seen, data: Seen) -> bool:
    """Return True if an output has the size of the data, or one more axis for the tokens that they may be."""
    if data.block is None:
        return entry.shape[: len(data.shape)] == data.shape and len(entry.shape) == len(data.shape) + 1
    return entry.shape[0] == data.shape[0] and entry.row_size == data.row_size


def _relates(entry: Seen, data: Seen, seen: Sequence[Seen]) -> bool:
    """Return True if an output is that of a graph's decoder: a number for each pair of inputs, or of pairs it took."""
    if entry.is_layer or entry.block is None or entry.module == data.module:
        return False
    if entry.shape == (data.shape[0],) * 2 == entry.block.shape:
        return bool((entry.block == entry.block.T).all())
    taken = (other.shape for other in seen if other.module == entry.module and not other.is_output)
    return len(entry.shape) <= 2 and (2, prod(entry.shape)) in taken


def _heads_of_a_sample(seen: Sequence[Seen], given: Seen) -> list[str]:
    """Return two modules that a sample may come from, if a module that is no layer may have drawn it; none for a code.

    They are inside it and take the same tensor, or it takes what they give.
    """
    if given.is_layer:
        return []
    inside = f"{given.module}." if given.module else ""
    inputs: dict[str, bytes] = {}
    heads: dict[bytes, dict[str, bytes]] = {}
    for entry in seen:
        if entry.order >= given.order or entry.block is None:
            continue
        mark, inner = fingerprint(entry.block), entry.module.startswith(inside) and entry.module != given.module
        if not entry.is_output:
            inputs.setdefault(entry.module, mark)
        if entry.shape == given.shape and (inner if entry.is_output else entry.module == given.module):
            around = inputs.get(entry.module, mark) if entry.is_output else b""
            heads.setdefault(around, {})[entry.module if entry.is_output else shown(entry.path)] = mark
    own = fingerprint(given.block) if given.block is not None else b""
    pairs = (list(pair)[-2:] for pair in heads.values() if len(pair) > 1)
    return [] if any(own in pair.values() for pair in heads.values()) else next(pairs, [])


def _handed_over(seen: Sequence[Seen]) -> list[tuple[Seen, Seen]]:
    """Return the pairs of an output and of the input of another module that equals it, in the order of the inputs."""
    given: dict[bytes, Seen] = {}
    pairs = []
    for entry in seen:
        if entry.block is None or is_constant(entry.block):
            continue
        mark = fingerprint(entry.block)
        if entry.is_output:
            if mark not in given or not given[mark].is_layer:
                given[mark] = entry
        elif mark in given and np.array_equal(given[mark].block.ravel(), entry.block.ravel()):  # type: ignore[union-attr]
            pairs.append((given[mark], entry))
    return pairs


def _goes_around(seen: Sequence[Seen], given: Seen, taken: Seen, end: int) -> str | None:
    """Return the module after a code that takes what was given before it, alone or beside other columns."""
    earlier = [entry for entry in seen if entry.order < given.order and entry.row_size > given.row_size]
    before = {fingerprint(entry.block) for entry in earlier if entry.block is not None}
    widths = {size for entry in earlier for size in (entry.shape[1], entry.row_size)}
    for entry in seen:
        if entry.is_output or entry.block is None or not taken.order < entry.order <= end:
            continue
        for width in (0, *sorted(widths & set(range(1, entry.shape[1] if len(entry.shape) > 1 else 0)))):
            for kind in ("first", "last") if width else ("",):
                part = View(kind, width).of(entry.block, entry.shape)
                if part is not None and part[0].size >= given.row_size and fingerprint(part[0]) in before:
                    return entry.module
    return None


def _words(entry: Seen) -> set[str]:
    """Return the words of a module's name and class."""
    if "Transformer" in entry.kind:  # an encoder, but of no code
        return set()
    return words_of(f"{entry.module}.{entry.kind}")


def words_of(name: str) -> set[str]:
    """Return the words of a name, in small letters."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return {word for word in re.split(r"[^a-z]+", spaced.lower()) if word}
