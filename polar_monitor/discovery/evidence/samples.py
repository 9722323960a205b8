"""Candidates for the sample of a latent, and for its mean and spread, among the tensors of one training step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..module_names import parent
from .pieces import Piece, pieces_of
from .seen import F32, Path, Seen
from .tally import MAX_CANDIDATES

MIN_NUMBERS = 8
"""Numbers of the smallest sample that is looked at."""


class SampleSlot(NamedTuple):
    """Where a sample was seen."""

    module: str
    is_output: bool
    path: Path
    call: int
    part: str
    """"" for all of it, "first" or "last" for columns beside others, "one" for the first of several samples."""

    def __str__(self) -> str:
        name = repr(self.module) if self.module else "the model"
        return f"the output of {name}" if self.is_output else f"what enters {name}"


class Sample(NamedTuple):
    """A tensor that may be a sample, and the pieces that may be its mean and spread, of as many rows."""

    slot: SampleSlot
    order: int
    values: F32
    key: tuple[int, int]


class Step:
    """The tensors of one training step, ready to be searched."""

    def __init__(self, seen: Sequence[Seen]) -> None:
        self.seen = seen
        self.pieces: dict[tuple[int, int], list[Piece]] = defaultdict(list)
        for entry in seen:
            if entry.is_output and entry.call == 0:
                for piece in pieces_of(entry):
                    self.pieces[piece.key].append(piece)
        self._inputs: dict[str, bytes] = {}
        """First input of each module."""
        self._begins: dict[str, int] = {}
        """Position at which the first call of each module begins."""
        for entry in seen:
            if entry.call == 0 and not entry.is_output:
                self._begins.setdefault(entry.module, entry.order)
                if entry.block is not None:
                    self._inputs.setdefault(entry.module, fingerprint(entry.block))

    def samples(self) -> Iterator[Sample]:
        """Yield the tensors that may be a sample: no output of a layer, and each only once."""
        made = {fingerprint(s.block) for s in self.seen if s.is_output and s.is_layer and s.block is not None}
        known: set[bytes] = set()
        outermost = self.seen[0].module if self.seen else ""
        for entry in self.seen:
            if entry.block is None or (entry.is_output and (entry.is_layer or entry.call)):
                continue
            if fingerprint(entry.block) in made:
                continue
            if entry.module == outermost and not entry.is_output:
                made.add(fingerprint(entry.block))  # the data
                continue
            for sample in self._parts(entry):
                mark = fingerprint(sample.values)
                if mark not in known and sample.values.size >= MIN_NUMBERS and not is_constant(sample.values):
                    known.add(mark)
                    yield sample

    def _parts(self, entry: Seen) -> Iterator[Sample]:
        """Yield a tensor, and parts of it that have the size of some piece."""
        block, shape = entry.block, entry.shape
        assert block is not None

        def sample(part: str, values: F32, key: tuple[int, int]) -> Sample:
            return Sample(
                SampleSlot(entry.module, entry.is_output, entry.path, entry.call, part), entry.order, values, key
            )

        if (key := (shape[0], entry.row_size)) in self.pieces:
            yield sample("", block, key)
        if len(shape) >= 3 and (key := (shape[1], entry.row_size // shape[1])) in self.pieces and shape[1]:
            yield sample("one", block[0], key)
        if len(shape) >= 2 and not entry.is_output:
            rest = int(np.prod(shape[2:]))
            for rows, size in self.pieces:
                width = size // rest
                if rows == shape[0] and size % rest == 0 and 1 <= width < shape[1]:
                    yield sample("first", block[:, :width], (rows, size))
                    yield sample("last", block[:, -width:], (rows, size))

    def candidates(self, sample: Sample) -> list[Piece]:
        """Return the pieces that may be mean and spread of a sample, in order of preference where they are equal.

        They come before the sample; or from a module around all of it, which may give its mean and spread again.
        """
        own = fingerprint(sample.values)
        pieces = [
            piece
            for piece in self.pieces[sample.key]
            if (piece.seen.order < sample.order or self._encloses(piece, sample)) and fingerprint(piece.values) != own
        ]
        pieces.sort(key=lambda piece: (piece.seen.order > sample.order, -piece.seen.order))
        return sorted(pieces[:MAX_CANDIDATES], key=_preference)

    def _encloses(self, piece: Piece, sample: Sample) -> bool:
        """Return True if the module of a piece had begun before the sample was seen, and is no layer."""
        begin = self._begins.get(piece.slot.module, sample.order)
        return not piece.seen.is_layer and begin < sample.order

    def are_linked(self, first: Piece, second: Piece) -> bool:
        """Return True if two pieces can be the heads of one latent: of one module, one parent, or one input."""
        a, b = first.slot, second.slot
        if a == b:
            return False
        if a.module == b.module:
            return first.seen.path != second.seen.path or (
                a.cut is not None and b.cut is not None and a.cut[:2] == b.cut[:2]
            )
        if parent(a.module) == parent(b.module):
            return True
        taken = self._inputs.get(a.module)
        return taken is not None and taken == self._inputs.get(b.module)


def _preference(piece: Piece) -> tuple[bool, bool, int, int]:
    """Order equal pieces: those that a layer gives as they are first, then the innermost module."""
    return not piece.seen.is_layer, piece.slot.cut is not None, -piece.slot.module.count("."), piece.seen.order


def fingerprint(values: F32) -> bytes:
    """Return bytes that are equal for equal first numbers, whatever the shape."""
    return np.ascontiguousarray(values).ravel()[:64].tobytes()


def is_constant(values: F32) -> bool:
    """Return True if all numbers are equal."""
    return bool((values == values.flat[0]).all())
