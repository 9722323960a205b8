"""Exchange of shares between the ranks of a process group: one int64 and one float64 vector, both always summed.

Every rank calls it, in the same order; a rank without a row contributes none. The first vector says what each rank has,
so that the second has one length everywhere. Each rank writes its rows to places of its own, and zero elsewhere, so the
sum carries them over exactly and every rank has the same result.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import PolarMonitorError
from .ranks import Ranks
from .share import KINDS, Share, in_order, quotas

COUNTS = 8
"""Counters of a share."""
PER_RANK = 3
"""Numbers in the first vector for each rank and mode: form, rows, mantissa."""
ABSENT = 0
"""Form of a rank that has seen no row."""


class Exchanged(NamedTuple):
    """Result of an exchange, the same on every rank."""

    shares: tuple[Share | None, ...]
    """Merged share of each mode; None if no rank has rows."""
    plan: NDArray[np.int64]
    """Numbers of rank 0."""
    notes: NDArray[np.float64]
    """Sums over the ranks."""
    size: int
    """Bytes of both vectors."""
    without_rows: int
    """Number of ranks that have no row in any mode."""


def exchange(
    shares: Sequence[Share | None],
    plan: Sequence[int],
    notes: NDArray[np.float64],
    agreed: Mapping[str, object],
    ranks: Ranks,
) -> Exchanged:
    """Merge the shares of all ranks.

    Args:
        shares: One for each mode; None if this rank has seen no row in it.
        plan: Integers that all ranks get from rank 0.
        notes: Numbers (k,) that are summed; k is the same on all ranks.
        agreed: Arguments that must be the same on all ranks, by name; their order and number are the same everywhere.
        ranks: The ranks, of which this is one.

    Raises PolarMonitorError, on every rank and after both collectives, if the shares do not fit each other;
    otherwise what `torch.distributed` raises.
    """
    checks = _checks(agreed)
    head = _head(shares, plan, checks, ranks)
    total_head = ranks.sum(head)
    agreements, forms, counts, chosen_plan = _read_head(total_head, len(checks), len(shares), len(plan), ranks.size)
    problem = _problem(agreements, forms, list(agreed))
    bodies = [_Body.of(forms[mode]) if not problem else None for mode in range(len(shares))]
    parts = [notes.astype(np.float64), *(b.filled(s, ranks.rank) for b, s in zip(bodies, shares, strict=True) if b)]
    body_vector = np.concatenate(parts)
    total = ranks.sum(body_vector)
    if problem:
        raise PolarMonitorError(problem)
    merged, start = [], len(notes)
    for mode, body in enumerate(bodies):
        merged.append(None if body is None else body.read(total[start:], counts[mode]))
        start += 0 if body is None else body.length
    empty = int((forms[:, :, 0] == ABSENT).all(axis=0).sum())
    return Exchanged(tuple(merged), chosen_plan, total[: len(notes)], head.nbytes + body_vector.nbytes, empty)


def _checks(agreed: Mapping[str, object]) -> NDArray[np.int64]:
    """Return a checksum of 16 bits for each argument, four in a number."""
    sums = [zlib.crc32(repr(value).encode()) & 0xFFFF for value in agreed.values()]
    return np.array(sums + [0] * (-len(sums) % 4), np.uint16).view(np.int64)


def _head(
    shares: Sequence[Share | None], plan: Sequence[int], checks: NDArray[np.int64], ranks: Ranks
) -> NDArray[np.int64]:
    rank, agreements = ranks.rank, np.zeros((ranks.size, len(checks)), np.int64)
    agreements[rank] = checks
    forms, counts = np.zeros((len(shares), ranks.size, PER_RANK), np.int64), np.zeros((len(shares), COUNTS), np.int64)
    for mode, share in enumerate(shares):
        if share is not None:
            forms[mode, rank] = share.form, share.rows, share.mantissa
            counts[mode, : len(share.counts)] = share.counts
    own = np.array(plan if rank == 0 else [0] * len(plan), np.int64)
    return np.concatenate([agreements.ravel(), forms.ravel(), counts.ravel(), own])


def _read_head(
    head: NDArray[np.int64], checks: int, modes: int, planned: int, ranks: int
) -> tuple[NDArray[np.int64], ...]:
    ends = np.cumsum([ranks * checks, modes * ranks * PER_RANK, modes * COUNTS, planned])
    agreements, forms, counts, plan = np.split(head, ends[:-1])
    return agreements.reshape(ranks, checks), forms.reshape(modes, ranks, PER_RANK), counts.reshape(modes, COUNTS), plan


def _problem(agreements: NDArray[np.int64], forms: NDArray[np.int64], arguments: Sequence[str]) -> str:
    """Return what does not fit, naming two ranks; '' if all does."""
    checks = agreements.view(np.uint16).reshape(len(agreements), -1)
    for rank in np.flatnonzero((checks != checks[0]).any(axis=1)).tolist():
        others = [f"{name}=" for name, differs in zip(arguments, checks[rank] != checks[0], strict=False) if differs]
        return (
            f"sync: expected the same arguments of attach on all ranks, got another {' and '.join(others)} on rank "
            f"{rank} than on rank 0: give it the same value on all ranks"
        )
    for of_mode in forms[:, :, 0]:
        known = np.flatnonzero(of_mode != ABSENT)
        other = known[of_mode[known] != of_mode[known[0]]] if known.size else known
        if other.size:
            first = int(known[0])
            return (
                f"sync: expected the same latent on all ranks, got {_latent(of_mode[first])} on rank {first} and "
                f"{_latent(of_mode[other[0]])} on rank {other[0]}"
            )
    return ""


def _latent(form: int) -> str:
    dimensions, kind = divmod(form, len(KINDS))
    return f"{dimensions} dimensions with {KINDS[kind] or 'no spread'}"


class _Body(NamedTuple):
    """Layout of the rows of one mode in the second vector."""

    dimensions: int
    kind: str | None
    quotas: NDArray[np.int64]
    mantissa: int

    @classmethod
    def of(cls, forms: NDArray[np.int64]) -> _Body | None:
        """Return the layout for the forms (ranks, 3); None if no rank has a row."""
        present = forms[:, 0] != ABSENT
        if not present.any():
            return None
        dimensions, kind = divmod(int(forms[present][0, 0]), len(KINDS))
        rows = quotas(forms[:, 1], dimensions, kind > 0)
        return cls(dimensions, KINDS[kind], rows, int(forms[present, 2].min()))

    @property
    def has_variance(self) -> bool:
        """True if each row has a variance."""
        return self.kind is not None

    @property
    def width(self) -> int:
        """Numbers of a row: its input plus 1 (0 of no row), its step, mean and variance."""
        return 2 + self.dimensions * (1 + self.has_variance)

    @property
    def length(self) -> int:
        """Numbers in all."""
        return self.dimensions + int(self.quotas.sum()) * self.width

    def filled(self, share: Share | None, rank: int) -> NDArray[np.float64]:
        """Return the vector of one rank."""
        vector = np.zeros(self.length)
        if share is None:
            return vector
        vector[: self.dimensions] = share.non_finite
        rows = vector[self.dimensions :].reshape(-1, self.width)
        start, some = int(self.quotas[:rank].sum()), share.chosen(int(self.quotas[rank]))
        rows = rows[start : start + some.rows]
        rows[:, 0], rows[:, 1] = some.inputs - some.inputs.min(initial=0) + 1, some.steps
        rows[:, 2 : 2 + self.dimensions] = some.mean
        if some.variance is not None:
            rows[:, 2 + self.dimensions :] = some.variance
        return vector

    def read(self, vector: NDArray[np.float64], counts: NDArray[np.int64]) -> Share:
        """Return the merged share."""
        vector = vector[: self.length]
        rows = vector[self.dimensions :].reshape(-1, self.width)
        rank = np.repeat(np.arange(len(self.quotas)), self.quotas)
        present = rows[:, 0] > 0
        rows, rank = rows[present], rank[present]
        number = rows[:, 0].astype(np.int64)
        new = (np.diff(number, prepend=-1) != 0) | (np.diff(rank, prepend=-1) != 0)
        with np.errstate(over="ignore"):
            mean = rows[:, 2 : 2 + self.dimensions].astype(np.float32)
            variance = rows[:, 2 + self.dimensions :].astype(np.float32) if self.has_variance else None
        return in_order(
            Share(
                mean, variance, np.cumsum(new) - 1, rows[:, 1].astype(np.int64),
                vector[: self.dimensions].astype(np.int64), counts, self.mantissa, self.kind,
            )
        )  # fmt: skip
