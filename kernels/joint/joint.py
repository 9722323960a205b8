"""Joint entropy of d dimensions from rows, in nats, with its error, a bracket, and what it was found to be made of.

h(X) = Σ h(Y_j) + h(copula of Y) + what the map from X to Y adds. The marginals are one-dimensional entropies by
spacing; Y is X itself or, where it leaves less dependence, its independent components or its radial Gaussianisation;
the copula is cut into blocks that pairs show no dependence between, and the entropy of each is estimated by k-th
neighbours. Dimensions that are linear functions of others, or of one other in ranks, are found; of other surfaces,
ellipsoids and those in blocks of up to three dimensions (`thin`): on any other the value says nothing.
Shape: x (d, n) float32, finite.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..blocking import cluster_square
from ..copula import GAUSSIAN, functions, in_place, normal, scores_entropy, scores_of
from ..knn_1d import Spacing, entropy, estimate
from .degenerate import first_of_their_kind, linear, on_a_surface, unrounded
from .ica import components, radial, whitening
from .independence import blocks, lasting

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
Ids = NDArray[Any] | None

FEWEST = 12
"""Rows that one dimension's entropy needs."""
LIMIT = 1 << 15
"""Rows that the dependence is estimated from, evenly spaced: its time grows with their square."""
FUNCTION = 1e-4
"""Deviation of normal scores below which a dimension is a function of others: a few rows in another order make 1e-5."""
TIED = 0.01
"""Share of tied rows from which the values lie on a lattice, which other coordinates would take for structure."""
ROUND = 6
"""Least dimensions of the radial map: below, Wilson & Hilferty's radii are not all positive."""
DOUBT = 3.0
"""Standard errors by which the whole must have less entropy than the blocks to be believed instead of them."""
NOISE = 2
"""Other coordinates must gain more than this times d² / n; of noise, their d² parameters make about ½ d² / n."""
CHECKED = 5000
"""Rows, evenly spaced, that a check of the blocks is made on."""
MISSED = 0.25
"""Share of the dependence left to neighbours that they may miss."""
LONG = 2.0
"""Rows of a cluster, in times for which rows are alike."""
LEAST_CLUSTERS = 16
LEAST_APART = 64
"""Rows, or 4d, that neighbours are looked for among at least."""


class Joint(NamedTuple):
    """A joint entropy in nats.

    error: standard error of value. lower, upper: a bracket by what else the estimate might have been, and two standard
    errors. bound: an entropy that is certainly no less, but for sampling. coordinates: "given", "linear" or "radial";
    blocks: of those coordinates, independent of each other as far as pairs show. beyond_pairs: the blocks were found to
    depend on each other after all, and are not used. functions: dimensions that are functions of others; there is no
    joint density then, and everything else is about the others. thin: the rows lie on a surface, as far as neighbours
    tell; there is no joint density then either, and lower is −∞. rows: those that the value is from, which are not the
    repeated ones. ties, atoms, floor: of each dimension, (d,), as of `spacing.Spacing`.
    """

    value: float
    error: float
    lower: float
    upper: float
    bound: float
    coordinates: str
    blocks: tuple[tuple[int, ...], ...]
    beyond_pairs: bool
    functions: tuple[int, ...]
    thin: bool
    rows: int
    ties: F64
    atoms: F64
    floor: NDArray[np.bool_]


class _Coordinates(NamedTuple):
    name: str
    bound: float
    """Entropy if they were independent."""
    left: float
    """Entropy if they depended on each other as Gaussians do."""
    variance: float
    values: F32
    shell: bool = False
    """Whether the rows all have one distance from the mean, but for the error of the whitening, 1/√n."""


def _other(x: F32, cluster: Ids, worth: float) -> list[_Coordinates]:
    """Linear and radial coordinates for x (d, n).

    Each parameter that is fitted to so many rows as they are worth takes 1 / 2n too much off the entropy (Wilks 1938),
    which is given back: there are d² − d of a linear map, scales apart, and d (d + 1) / 2 − 1 of ellipsoids, size
    apart.
    """
    d, n = x.shape
    matrix = whitening(x) if n >= 10 * d else None
    if matrix is None:
        return []
    mean = x.mean(axis=1, keepdims=True, dtype=np.float64)
    white = (matrix @ (x - mean)).astype(np.float32)
    volume = -float(np.linalg.slogdet(matrix)[1])
    y = (components(white).astype(np.float32) @ white).astype(np.float32)
    h, error, _ = entropy(y, cluster)
    bound = float(h.sum()) + volume + 0.5 * d * (d - 1) / worth
    distance = np.log(np.maximum(np.linalg.norm(white, axis=0), 1e-30))
    shell = float(distance.std()) < 1 / math.sqrt(n)
    found = [_Coordinates("linear", bound, bound, float(error @ error), y, shell)]
    if d >= ROUND:
        y, logs, added, surprise = radial(white, scores_of(n))
        bound = d * GAUSSIAN + float(entropy(logs)[0][0]) + added + volume + 0.25 * (d * (d + 1) - 2) / worth
        ids = np.arange(n) if cluster is None else cluster
        variance = float(cluster_square((surprise - surprise.mean())[None], ids)[0]) / n
        found.append(_Coordinates("radial", bound, bound, variance, y))
    return found


class _Dependence(NamedTuple):
    value: float
    """Entropy of the copula."""
    variance: float
    blocks: list[list[int]]
    beyond_pairs: bool


def _dependence(x: F32, ranks: I32, cluster: Ids, rows: float, apart: int) -> _Dependence:
    """Of the dimensions of x (d, n), whose ranks are given, block by block; or of all together, should that be less."""
    d, n = x.shape
    scores = scores_of(n)[ranks]
    parts = blocks(ranks, rows)
    split = np.array([scores_entropy(scores[part], cluster, apart) for part in parts if len(part) > 1]).reshape(-1, 2)
    value, variance = float(split[:, 0].sum()), float(split[:, 1] @ split[:, 1])
    if len(parts) > 1 and d > 2:
        some = np.arange(n) if apart > 1 else np.linspace(0, n - 1, min(n, CHECKED)).astype(np.int64)
        check, doubt = scores_entropy(normal(x[:, some]), None if cluster is None else cluster[some], apart)
        if check < value - DOUBT * math.sqrt(variance + doubt * doubt):
            value, error = scores_entropy(scores, cluster, apart)
            return _Dependence(value, error * error, parts, True)
    return _Dependence(value, variance, parts, False)


def _in_time(x: F32) -> tuple[Ids, float, int]:
    """Clusters (n,) of rows side by side of x (d, n) that are alike, None where none are; and for how much that goes.

    That is how many independent rows they are worth where products of dimensions are averaged, and how far apart rows
    are that may be neighbours.
    """
    d, n = x.shape
    alone, products = lasting(normal(x[:, :LIMIT]))
    if alone == 1:
        return None, float(n), 1
    size = min(math.ceil(LONG * alone), n // LEAST_CLUSTERS)
    apart = min(math.ceil(alone / 2), n // max(4 * d, LEAST_APART))
    return np.arange(n) // max(size, 1), n / products, max(apart, 1)


def _without_ties(x: F32, judged: Spacing, mantissa: int) -> tuple[F32, NDArray[np.bool_]]:
    """x (d, n) with what rounding tied spread over its cells, and which dimensions (d,) lie on a lattice."""
    lattice = judged.ties >= TIED
    rounded = np.flatnonzero(lattice & (judged.atoms == 0))
    x = x.copy() if len(rounded) else x
    for j in rounded:
        within = np.random.default_rng(j).random((x.shape[1],)) - 0.5
        spread = unrounded(x[j], mantissa, within)
        if spread is not None:
            x[j], lattice[j] = spread, False
    return x, lattice


def joint(x: F32, cluster: Ids = None, mantissa: int = 23, dependent: bool = False) -> Joint:
    """Joint entropy of x (d, n).

    Rows of one `cluster` (n,), ids side by side, are dependent; without, and if `dependent`, rows are in the order of
    time, and those side by side become clusters as far as they are alike (`blocks.lasting`). `mantissa` are the bits of
    the type the values were rounded to (`spacing.estimate`). NaN for fewer than 2d + 8 different rows, or than FEWEST,
    and where all dimensions are constant.
    """
    all_rows = x = np.ascontiguousarray(x)
    enough = x.shape[1] >= max(2 * len(x) + 8, FEWEST)
    gone = linear(x, mantissa) if enough else []
    rest = np.setdiff1d(np.arange(len(x)), gone)
    kept = first_of_their_kind(x[rest]) if enough else np.arange(x.shape[1])
    if len(rest) < len(x) or len(kept) < x.shape[1]:
        x, cluster = np.ascontiguousarray(x[np.ix_(rest, kept)]), None if cluster is None else cluster[kept]
    d, n = x.shape
    if d == 0 or n < max(2 * d + 8, FEWEST):
        nan, none = math.nan, np.full(len(all_rows), math.nan)
        told = estimate(all_rows, mantissa=mantissa) if enough else Spacing(none, none, none, none, none > 0, none)
        ties, atoms, floor = told[2:5]
        return Joint(nan, nan, nan, nan, nan, "given", (), False, tuple(gone), False, n, ties, atoms, floor)
    in_time = dependent and cluster is None
    worth, apart = float(n), 1
    if in_time:
        cluster, worth, apart = _in_time(x)
    judged = estimate(x, cluster, mantissa=mantissa)
    h, error = judged.value, judged.standard_error
    told = judged if x is all_rows else estimate(all_rows, mantissa=mantissa)
    x, lattice = _without_ties(x, judged, mantissa)
    if n > LIMIT:
        some = np.linspace(0, n - 1, LIMIT).astype(np.int64)
        x, cluster = np.ascontiguousarray(x[:, some]), None if cluster is None else cluster[some]
        worth = min(worth, LIMIT)
    places = np.arange(x.shape[1], dtype=np.int32)
    ranks = in_place(x, places)
    correlation = np.corrcoef(scores_of(len(places))[ranks]).reshape(d, d)
    also = functions(correlation, FUNCTION)
    if also:
        left = np.setdiff1d(np.arange(d), also)
        x, h, error, ranks = np.ascontiguousarray(x[left]), h[left], error[left], ranks[left]
        lattice, correlation = lattice[left], correlation[np.ix_(left, left)]
    d, n = x.shape
    clusters = n if cluster is None or in_time else 1 + int(np.count_nonzero(cluster[1:] != cluster[:-1]))
    sum_h = float(h.sum())
    given = _Coordinates(
        "given", sum_h, sum_h + 0.5 * float(np.linalg.slogdet(correlation)[1]), float(error @ error), x
    )
    tried = [given, *(_other(x, cluster, worth) if d > 1 and not lattice.any() else [])]
    best = min(tried, key=lambda c: c.left + (0 if c is given else NOISE * d * d / worth))
    bound = min(c.bound for c in tried)
    if best.name == "radial":  # its new dimensions are nearly Gaussian
        best = best._replace(bound=best.bound + float(entropy(best.values)[0].sum()) - d * GAUSSIAN)
    ranks = ranks if best is given else in_place(best.values, places)
    found = _dependence(best.values, ranks, cluster, min(worth, clusters), apart)
    value, deviation = best.bound + found.value, math.sqrt(best.variance + found.variance)
    thin = any(c.shell for c in tried)
    thin |= not lattice.any() and on_a_surface(best.values, found.blocks, cluster)
    return Joint(
        value=value,
        error=deviation,
        lower=-math.inf if thin else value + MISSED * min(found.value, 0.0) - 2 * deviation,
        upper=value + 2 * deviation,
        bound=bound,
        coordinates=best.name,
        blocks=tuple(tuple(block) for block in found.blocks),
        beyond_pairs=found.beyond_pairs,
        functions=tuple(sorted([*gone, *(int(rest[j]) for j in also)])),
        thin=thin,
        rows=len(kept),
        ties=told.ties,
        atoms=told.atoms,
        floor=told.floor,
    )
