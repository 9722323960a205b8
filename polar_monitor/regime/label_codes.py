"""Labels as `bytes`, one code for each dimension: quick to compare and to count, whatever their number.

`bytes` never change, so they can be kept from one evaluation to the next and can be the key of a cache.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .label import Label

CODED_LABELS = (Label.PASSIVE, Label.UNDECIDED, Label.MIXED, Label.ACTIVE)
PASSIVE, UNDECIDED, MIXED, ACTIVE = (np.uint8(code) for code in range(len(CODED_LABELS)))
"""Codes: places in `CODED_LABELS`."""
CODES = {label: code for code, label in enumerate(CODED_LABELS)}
MAX_CACHED = 16
"""Sets of labels whose tuple and masks are kept: those of the last evaluations of a few latents and modes."""
Flags = NDArray[np.bool_]


class Codes(NamedTuple):
    """The labels as codes, and what the next evaluation needs; `evidence.py` explains it."""

    labels: bytes
    latest: bytes
    """Codes by this evaluation alone."""
    sides: bytes
    """The answers to the three questions about each dimension, two bits each: 0 not known, 1 no, 2 yes."""
    evidence: bytes
    """Evidence against each answer, (3, D) float64."""


def encode(labels: Iterable[Label]) -> bytes:
    """Return the code of each label."""
    return bytes(map(CODES.__getitem__, labels))


def without_evidence(labels: bytes, latest: bytes | None = None) -> Codes:
    """Return codes whose answers are not known, as before the first evaluation and by a published criterion."""
    return Codes(labels, labels if latest is None else latest, bytes(len(labels)), bytes(24 * len(labels)))


@lru_cache(MAX_CACHED)
def decode(codes: bytes) -> tuple[Label, ...]:
    """Return the label of each code; the same tuple as long as the labels do not change."""
    return tuple(map(CODED_LABELS.__getitem__, codes))


def as_array(codes: bytes) -> NDArray[np.uint8]:
    """Return codes as an array (D,) that cannot be written."""
    return np.frombuffer(codes, np.uint8)


@lru_cache(MAX_CACHED)
def numbers(evidence: bytes) -> tuple[float, ...]:
    """Return evidence as numbers; the same tuple as long as it does not change."""
    return tuple(np.frombuffer(evidence).tolist())


@lru_cache(MAX_CACHED)
def where_informative(codes: bytes) -> Flags:
    """Return which dimensions are active or mixed (D,); an array that cannot be written."""
    return _read_only(as_array(codes) >= MIXED)


@lru_cache(MAX_CACHED)
def informative(codes: bytes) -> tuple[int, ...]:
    """Return the numbers of the active and mixed dimensions."""
    return tuple(j for j, code in enumerate(codes) if code >= MIXED)


@lru_cache(MAX_CACHED)
def where_passive(codes: bytes) -> Flags:
    """Return which dimensions are passive (D,); an array that cannot be written."""
    return _read_only(as_array(codes) == PASSIVE)


def _read_only(flags: Flags) -> Flags:
    flags.flags.writeable = False
    return flags
