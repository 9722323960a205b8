"""Tensors of one training step, ready to be searched for a sample and for its mean and spread."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..module_names import parent
from .pieces import Piece, Slot, pieces_of
from .samples import Pairing, Sample, SampleSlot, fingerprint, is_constant
from .seen import F32, Seen
from .tally import Scales, scales_of
from .views import Sizes, View, is_rectified, views_of

MIN_NUMBERS = 2
"""Numbers of the smallest sample that is looked at."""
MAX_CANDIDATES = 32
"""Pieces that are tried as mean and as spread of one sample: the latest before it."""

NOT_DECODERS = ("Norm", "Norm1d", "Norm2d", "Norm3d", "GELU", "SiLU", "Softmax")
"""Ends of the names of layers that no model gives a sample to, unless a module around them takes it."""
SIMPLEX = "Softmax"
"""The one of them that maps a sample to a simplex, if it takes a matrix; it takes more axes in attention."""
NOT_JOINED = ("Norm", "Norm1d", "Norm2d", "Norm3d", "ReLU", "GELU", "SiLU", "Tanh", "Sigmoid", "Softmax", "Dropout")
"""Ends of the names of layers that no model gives a sample and conditions side by side."""
SAME_CORRELATION = 0.8
"""Correlation above which residuals are another tensor's numbers."""


class Step:
    """The tensors of one training step, ready to be searched."""

    def __init__(self, seen: Sequence[Seen]) -> None:
        self.seen = seen
        self.pieces: dict[int, list[Piece]] = defaultdict(list)
        """Pieces by their numbers, in the order in which they were seen."""
        self._scales: dict[object, Scales] = {}
        self._marks: dict[object, bytes] = {}
        self._inputs: dict[tuple[str, int], bytes] = {}
        """First input of each call of a module."""
        self._begins: dict[tuple[str, int], int] = {}
        """Position at which each call of a module begins."""
        self._taken: dict[View, dict[bytes, list[tuple[str, int]]]] = {}
        self._given: dict[int, list[tuple[str, int, F32]]] = {}
        for entry in seen:
            if entry.is_output:
                for piece in pieces_of(entry):
                    self.pieces[piece.numbers].append(piece)
            else:
                self._begins.setdefault((entry.module, entry.call), entry.order)
                if entry.block is not None:
                    self._inputs.setdefault((entry.module, entry.call), fingerprint(entry.block))

        shapes = {piece.shape for pieces in self.pieces.values() for piece in pieces}
        rows = {(shape[0], prod(shape[1:])) for shape in shapes if shape}
        heads, tails = ({(shape[0], shape[at], prod(shape)) for shape in shapes if len(shape) > 1} for at in (1, -1))
        self.sizes = Sizes(self.pieces, shapes, rows, heads, tails)

    def scales(self, piece: Piece, line: F32, key: object) -> Scales:
        """Return the forms of a piece, which are computed once for all samples that need the same numbers."""
        place = (piece.slot, piece.seen.call, key)
        if place not in self._scales:
            self._scales[place] = scales_of(line)
        return self._scales[place]

    def whitened(self, sample: Sample) -> Sample | None:
        """Return a sample of a multivariate normal as if its numbers were independent; None if there is none."""
        for entry in reversed(self.seen):
            if not (entry.is_output and entry.order < sample.order and entry.path[-1:] == (".scale_tril",)):
                continue
            mean = self._mean_of(entry)
            if entry.block is not None and mean is not None and entry.shape[:-1] == sample.shape == mean.shape:
                count = min(len(part) for part in (entry.block, mean.values, sample.values))
                factor, center = entry.block[:count].astype(np.float64), mean.values[:count].astype(np.float64)
                if factor.shape[-1] == entry.shape[-1] == center.shape[-1]:
                    noise = np.linalg.solve(factor, (sample.values[:count] - center)[..., None])[..., 0]
                    values = center + noise * np.sqrt(np.square(factor).sum(-1))
                    return sample._replace(values=values.astype(np.float32))
        return None

    def _mean_of(self, entry: Seen) -> Piece | None:
        slot = Slot(entry.module, (*entry.path[:-1], ".mean"), None)
        pieces = self.pieces.get(prod(entry.shape[:-1]), ())
        return next((piece for piece in pieces if piece.slot == slot and piece.seen.call == entry.call), None)

    @cached_property
    def has_covariance(self) -> bool:
        """True if a module gave a distribution with a covariance matrix."""
        return any(entry.path[-1:] == (".scale_tril",) for entry in self.seen)

    def places(self) -> Iterator[Seen]:
        """Yield the tensors that may hold a sample, each once: neither the data nor what a layer has given."""
        known: set[bytes] = set()
        outermost = self.seen[0].module if self.seen else ""
        for entry in self.seen:
            layer = entry.is_layer and not entry.is_output and (len(entry.shape) > 2 or entry.kind != SIMPLEX)
            if entry.block is None or (layer and entry.kind.endswith(NOT_DECODERS)):
                continue
            mark = fingerprint(entry.block)
            if mark in known or (entry.is_output and entry.call and not entry.is_layer):
                continue
            known.add(mark)
            if not (entry.is_layer if entry.is_output else entry.module == outermost):
                yield entry

    def samples_in(self, entry: Seen, joined: bool = True) -> Iterator[Sample]:
        """Yield the views of a tensor that have the size of some piece; with other columns beside it if `joined`."""
        known: set[object] = set()
        for view in views_of(entry.shape, not joined or entry.is_output or entry.kind.endswith(NOT_JOINED), self.sizes):
            sample = self.sample(entry, view)
            if sample is not None:
                mark = (fingerprint(sample.values), sample.values.flat[-64:].tobytes(), sample.shape)
                if mark not in known:
                    known.add(mark)
                    yield sample

    def sample(self, entry: Seen, view: View, pairing: Pairing = "latest") -> Sample | None:
        """Return one view of a tensor; None if it can be no sample."""
        assert entry.block is not None
        part = view.of(entry.block, entry.shape)
        if part is None or part[0].size < MIN_NUMBERS or is_constant(part[0]) or is_rectified(part[0]):
            return None
        slot = SampleSlot(entry.module, entry.is_output, entry.path, entry.call, view, pairing)
        return Sample(slot, entry.order, part[0], part[1], entry.mantissa)

    def find(self, slot: SampleSlot) -> Sample | None:
        """Return the sample that was seen at a place in an earlier step; None if it is not there now."""
        for entry in self.seen:
            if (entry.module, entry.is_output, entry.path, entry.call) == slot[:4] and entry.block is not None:
                return self.sample(entry, slot.view, slot.pairing)
        return None

    def takers(self, sample: Sample) -> set[str]:
        """Return the modules that take a sample as it is, or beside other columns."""
        if not sample.slot.is_output:
            return {sample.slot.module}
        own, width = fingerprint(sample.values), sample.shape[1] if len(sample.shape) > 1 else 0
        views = (View(""), View("first", width), View("last", width))
        taken = [place for view in views for place in self._inputs_by_mark(view).get(own, ())]
        return {module for module, order in taken if order > sample.order}

    def is_input(self, sample: Sample) -> bool:
        """Return True if a sample is some columns of what the model takes."""
        data = (entry.block for entry in self.seen if entry.module == self.seen[0].module and not entry.is_output)
        return any(_holds(block, sample.values) for block in data if block is not None)

    def is_beside_inputs(self, sample: Sample) -> bool:
        """Return True if every module that takes a sample of a row takes all of the model's inputs beside it.

        A decoder needs no latent for data that it is given: the sample is an action, of a policy.
        """
        outermost = self.seen[0].module
        data = [entry for entry in self.seen if entry.module == outermost and not entry.is_output and not entry.call]
        if len(sample.shape) != 2 or not data or any(entry.block is None or len(entry.shape) != 2 for entry in data):
            return False
        own, is_taken = sample.values, False
        for entry in self.seen:
            if entry.is_output or entry.block is None or len(entry.shape) != 2 or entry.module == outermost:
                continue
            count = min(len(entry.block), len(own))
            if entry.order < sample.order or not _holds(entry.block[:count], own[:count]):
                continue
            call = (entry.module, entry.call)
            beside = [one.block for one in self.seen if (one.module, one.call) == call and not one.is_output]
            if not all(any(_holds(block, one.block) for block in beside if block is not None) for one in data):
                return False
            is_taken = True
        return is_taken

    def _inputs_by_mark(self, view: View) -> dict[bytes, list[tuple[str, int]]]:
        """Return where the inputs of modules, in one view, have these first numbers: (module, order)."""
        if view not in self._taken:
            places: dict[bytes, list[tuple[str, int]]] = {}
            self._taken[view] = places
            for entry in self.seen:
                part = None if entry.is_output or entry.block is None else view.of(entry.block, entry.shape)
                if part is not None:
                    places.setdefault(fingerprint(part[0]), []).append((entry.module, entry.order))
        return self._taken[view]

    def gives_data_after(self, sample: Sample) -> bool:
        """Return True if a module that is called after a sample gives rows as large as those that the model takes."""
        data, begun = next((entry for entry in self.seen if not entry.is_output), None), set()
        for entry in self.seen:
            if entry.order >= sample.order and not entry.is_output:
                begun.add(entry.module)
            elif data is not None and entry.module in begun and entry.row_size == data.row_size:
                return True
        return False

    def given(self, numbers: int) -> list[tuple[str, int, F32]]:
        """Return the parts of modules' inputs of so many numbers: (module, order, first numbers)."""
        if numbers not in self._given:
            parts: list[tuple[Seen, F32]] = []
            for entry in self.seen:
                if entry.is_output or entry.is_layer or entry.block is None or entry.call:
                    continue
                sizes = Sizes({numbers}, (), {(entry.shape[0], numbers // max(entry.shape[0], 1))}, (), ())
                views = (view for view in views_of(entry.shape, False, sizes) if view.kind)
                parts += [(entry, part[0]) for view in views if (part := view.of(entry.block, entry.shape)) is not None]
                pieces = (piece for piece in pieces_of(entry) if piece.slot.cut is not None or entry.path[0] == 0)
                parts += [(entry, piece.values) for piece in pieces if piece.numbers == numbers]
            self._given[numbers] = [(entry.module, entry.order, part.reshape(-1)) for entry, part in parts]
        return self._given[numbers]

    def is_given(self, residual: F32, sample: Sample, mean: Piece, every: int) -> bool:
        """Return True if residuals are a part of what a module around the mean takes: a flow's coupling, no noise.

        They are those of every so many numbers of the sample.
        """
        centred = residual - residual.mean()
        for module, order, part in self.given(prod(sample.shape)):
            if order < sample.order and mean.slot.module.startswith(f"{module}." if module else ""):
                part = part[::every][: residual.size]
                own = centred[: part.size]
                with np.errstate(all="ignore"):  # what modules take may be infinite, as masks of attention are
                    scatter = part @ part - part.sum() ** 2 / part.size
                    is_same = (own @ part) ** 2 > SAME_CORRELATION**2 * (own @ own) * scatter > 0
                if is_same:
                    return True
        return False

    def paired(self, sample: Sample) -> dict[Slot, Piece]:
        """Return the pieces that may belong to a sample, one of each slot: of the latest call before it, or the first.

        A module around all of the sample comes after it, and may give its mean and spread again.
        """
        before: dict[Slot, Piece] = {}
        after: dict[Slot, Piece] = {}
        is_complete = sample.slot.view.is_complete
        for piece in self.pieces.get(prod(sample.shape), ()):
            if not is_complete and piece.shape[:1] != sample.shape[:1]:
                continue  # what is beside other columns has its rows
            if piece.seen.order < sample.order:
                if sample.slot.pairing == "latest":
                    before.pop(piece.slot, None)  # the order is that of the calls
                    before[piece.slot] = piece
                else:
                    before.setdefault(piece.slot, piece)
            elif self._encloses(piece, sample):
                after.setdefault(piece.slot, piece)
        return {**dict(reversed(before.items())), **{slot: after[slot] for slot in after if slot not in before}}

    def pairings(self, sample: Sample) -> tuple[Pairing, ...]:
        """Return the ways to pair a sample with calls: two if a module was called several times before it."""
        several = any(
            piece.seen.call and piece.seen.order < sample.order for piece in self.pieces.get(prod(sample.shape), ())
        )
        return ("latest", "first") if several else ("latest",)

    def candidates(self, sample: Sample) -> list[Piece]:
        """Return the pieces that may be mean and spread of a sample, in order of preference where they are equal."""
        own = fingerprint(sample.values)
        latest = list(self.paired(sample).values())[:MAX_CANDIDATES]
        return sorted((piece for piece in latest if self._mark(piece) != own), key=_preference)

    def _mark(self, piece: Piece) -> bytes:
        place = (piece.slot, piece.seen.call)
        if place not in self._marks:
            self._marks[place] = fingerprint(piece.values)
        return self._marks[place]

    def _encloses(self, piece: Piece, sample: Sample) -> bool:
        """Return True if the module of a piece had begun before the sample was seen, and is no layer."""
        begin = self._begins.get((piece.slot.module, piece.seen.call), sample.order)
        return not piece.seen.is_layer and begin < sample.order

    def links(self, pieces: Sequence[Piece]) -> NDArray[np.bool_]:
        """Return which pairs can be the heads of one latent: of one module, one parent, or one input.

        Parts are those of one tensor.
        """
        modules = _numbered([piece.slot.module for piece in pieces])
        parents = _numbered([parent(piece.slot.module) for piece in pieces])
        paths = _numbered([piece.slot.path for piece in pieces])
        cuts = _numbered([piece.slot.cut and piece.slot.cut[:2] for piece in pieces])
        calls = [(piece.slot.module, piece.seen.call) for piece in pieces]
        inputs = _numbered([self._inputs.get(call, place) for place, call in enumerate(calls)])
        is_cut = np.array([piece.slot.cut is not None for piece in pieces])
        parts = (paths[:, None] != paths) | ((cuts[:, None] == cuts) & is_cut)
        around = (parents[:, None] == parents) | (inputs[:, None] == inputs)
        linked: NDArray[np.bool_] = np.where(modules[:, None] == modules, parts, around)
        wholes = _numbered([piece.slot.cut and (piece.slot[:2], piece.slot.cut[:2]) for piece in pieces])
        linked &= wholes[:, None] == wholes
        np.fill_diagonal(linked, False)
        return linked


def _holds(block: F32, part: F32 | None) -> bool:
    """Return True if a part is some columns of a block, as far as both go."""
    if part is None or block.ndim != 2 or part.ndim != 2 or not 0 < part.shape[1] <= block.shape[1]:
        return False
    count = min(len(block), len(part))
    block, part = block[:count], part[:count]
    starts = np.flatnonzero((block[:, : block.shape[1] - part.shape[1] + 1] == part[:, :1]).all(0))
    return any(np.array_equal(block[:, start : start + part.shape[1]], part) for start in starts)


def _numbered(keys: Sequence[object]) -> NDArray[np.int64]:
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def _preference(piece: Piece) -> tuple[bool, bool, int, int]:
    """Order equal pieces: those that a layer gives as they are first, then the innermost module."""
    return not piece.seen.is_layer, piece.slot.cut is not None, -piece.slot.module.count("."), piece.seen.order
