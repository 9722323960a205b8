"""Joint entropy of d dimensions from rows, in nats, with its error, a bracket, and its parts.

h(X) = Σ h(Y_j) + h(copula of Y) + what the map from X to Y adds. The marginals are one-dimensional entropies by
`knn_1d`; Y is X itself or, where it leaves less dependence, its independent components or its radial Gaussianisation;
the copula is cut into blocks that pairs show no dependence between, and the entropy of each is estimated by k-th
neighbours. Dimensions that are linear functions of others, or functions of one other in ranks, are detected. Of other
surfaces, ellipsoids and those in blocks of up to three dimensions are (`thin`). On any other the value means nothing.
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
from .independence import blocks, correlation_times

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
Ids = NDArray[Any] | None

MIN_ROWS = 12
"""Smallest number of rows for the entropy of one dimension."""
MAX_ROWS = 1 << 15
"""Largest number of evenly spaced rows that give the dependence: its time grows with their square."""
FUNCTION = 1e-4
"""Deviation of normal scores below which a dimension is a function of others: a few rows in another order make 1e-5."""
MIN_LATTICE_TIES = 0.01
"""Smallest share of tied rows on a lattice, which other coordinates would take for structure."""
MIN_RADIAL_DIMENSIONS = 6
"""Smallest number of dimensions of the radial map: with fewer, Wilson & Hilferty's radii are not all positive."""
Z_BLOCKS = 3.0
"""Standard errors by which the entropy of all dimensions together must be below that of the blocks to replace it."""
MIN_GAIN = 2
"""Smallest gain of other coordinates, times d² / n. Their d² parameters gain about ½ d² / n from noise."""
MAX_CHECKED_ROWS = 5000
"""Largest number of evenly spaced rows that check the blocks."""
MAX_MISSED = 0.25
"""Largest share of the dependence within blocks that neighbours may miss."""
CLUSTER_LENGTH = 2.0
"""Rows of a cluster, in correlation times."""
MIN_CLUSTERS = 16
"""Smallest number of clusters."""
MIN_SEARCHED_ROWS = 64
"""Smallest number of rows, if it is more than 4d, in which neighbours are searched."""


class Joint(NamedTuple):
    """A joint entropy in nats.

    error: standard error of value. lower, upper: a bracket that allows for the error of the method and two standard
    errors. bound: upper bound of the entropy, up to sampling error. coordinates: "given", "linear" or "radial". blocks:
    groups of these coordinates that are independent as far as pairs show. beyond_pairs: the blocks depend on each other
    after all, and are not used. functions: dimensions that are functions of others; there is no joint density then, and
    all other fields are about the others. thin: the rows lie on a surface, as far as neighbours show; there is no joint
    density then either, and lower is −∞. rows: number of rows that the value uses, without repeated ones. ties, atoms,
    floor: of each dimension, (d,), as in `knn_1d.Spacing`.
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
    """True if all rows have one distance from the mean, up to the error of the whitening, 1/√n."""


def _other_coordinates(x: F32, cluster: Ids, worth: float) -> list[_Coordinates]:
    """Return linear and radial coordinates for x (d, n).

    Each parameter fitted to n independent rows lowers the entropy by 1 / 2n (Wilks 1938), which is added back. A linear
    map has d² − d parameters without scales, and ellipsoids have d (d + 1) / 2 − 1 without size.
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
    coordinates = [_Coordinates("linear", bound, bound, float(error @ error), y, shell)]
    if d >= MIN_RADIAL_DIMENSIONS:
        y, logs, added, surprise = radial(white, scores_of(n))
        bound = d * GAUSSIAN + float(entropy(logs)[0][0]) + added + volume + 0.25 * (d * (d + 1) - 2) / worth
        ids = np.arange(n) if cluster is None else cluster
        variance = float(cluster_square((surprise - surprise.mean())[None], ids)[0]) / n
        coordinates.append(_Coordinates("radial", bound, bound, variance, y))
    return coordinates


class _Dependence(NamedTuple):
    value: float
    """Entropy of the copula."""
    variance: float
    blocks: list[list[int]]
    beyond_pairs: bool


def _dependence(x: F32, ranks: I32, cluster: Ids, rows: float, apart: int) -> _Dependence:
    """Estimate the dependence of x (d, n) with these ranks, block by block, or of all together if that is less."""
    d, n = x.shape
    scores = scores_of(n)[ranks]
    parts = blocks(ranks, rows)
    split = np.array([scores_entropy(scores[part], cluster, apart) for part in parts if len(part) > 1]).reshape(-1, 2)
    value, variance = float(split[:, 0].sum()), float(split[:, 1] @ split[:, 1])
    if len(parts) > 1 and d > 2:
        some = np.arange(n) if apart > 1 else np.linspace(0, n - 1, min(n, MAX_CHECKED_ROWS)).astype(np.int64)
        check, doubt = scores_entropy(normal(x[:, some]), None if cluster is None else cluster[some], apart)
        if check < value - Z_BLOCKS * math.sqrt(variance + doubt * doubt):
            value, error = scores_entropy(scores, cluster, apart)
            return _Dependence(value, error * error, parts, True)
    return _Dependence(value, variance, parts, False)


def _time_clusters(x: F32) -> tuple[Ids, float, int]:
    """Return the clusters (n,) of correlated adjacent rows of x (d, n), or None if the rows are not correlated.

    The second result is the number of independent rows that the rows are worth in averages of products of dimensions.
    The third is the smallest distance in time between rows that may be neighbours.
    """
    d, n = x.shape
    alone, products = correlation_times(normal(x[:, :MAX_ROWS]))
    if alone == 1:
        return None, float(n), 1
    size = min(math.ceil(CLUSTER_LENGTH * alone), n // MIN_CLUSTERS)
    apart = min(math.ceil(alone / 2), n // max(4 * d, MIN_SEARCHED_ROWS))
    return np.arange(n) // max(size, 1), n / products, max(apart, 1)


def _without_ties(x: F32, judged: Spacing, mantissa: int) -> tuple[F32, NDArray[np.bool_]]:
    """Return x (d, n) with rounding ties spread over their cells, and which dimensions (d,) lie on a lattice."""
    lattice = judged.ties >= MIN_LATTICE_TIES
    rounded = np.flatnonzero(lattice & (judged.atoms == 0))
    x = x.copy() if len(rounded) else x
    for j in rounded:
        within = np.random.default_rng(j).random((x.shape[1],)) - 0.5
        spread = unrounded(x[j], mantissa, within)
        if spread is not None:
            x[j], lattice[j] = spread, False
    return x, lattice


def joint(x: F32, cluster: Ids = None, mantissa: int = 23, dependent: bool = False) -> Joint:
    """Estimate the joint entropy of x (d, n).

    Rows of one `cluster` (n,), ids side by side, are dependent. Without clusters, and if `dependent`, rows are in time
    order, and adjacent rows form clusters as far as they are correlated (`independence.correlation_times`). `mantissa`:
    bits of the type of the values (`knn_1d.estimate`). NaN for fewer than 2d + 8 different rows, or than MIN_ROWS, and
    if all dimensions are constant.
    """
    all_rows = x = np.ascontiguousarray(x)
    enough = x.shape[1] >= max(2 * len(x) + 8, MIN_ROWS)
    gone = linear(x, mantissa) if enough else []
    others = np.setdiff1d(np.arange(len(x)), gone)
    kept = first_of_their_kind(x[others]) if enough else np.arange(x.shape[1])
    if len(others) < len(x) or len(kept) < x.shape[1]:
        x, cluster = np.ascontiguousarray(x[np.ix_(others, kept)]), None if cluster is None else cluster[kept]
    d, n = x.shape
    if d == 0 or n < max(2 * d + 8, MIN_ROWS):
        nan, none = math.nan, np.full(len(all_rows), math.nan)
        judged_all = (
            estimate(all_rows, mantissa=mantissa) if enough else Spacing(none, none, none, none, none > 0, none)
        )
        ties, atoms, floor = judged_all[2:5]
        return Joint(nan, nan, nan, nan, nan, "given", (), False, tuple(gone), False, n, ties, atoms, floor)
    in_time = dependent and cluster is None
    worth, apart = float(n), 1
    if in_time:
        cluster, worth, apart = _time_clusters(x)
    judged = estimate(x, cluster, mantissa=mantissa)
    h, error = judged.value, judged.standard_error
    judged_all = judged if x is all_rows else estimate(all_rows, mantissa=mantissa)
    x, lattice = _without_ties(x, judged, mantissa)
    if n > MAX_ROWS:
        some = np.linspace(0, n - 1, MAX_ROWS).astype(np.int64)
        x, cluster = np.ascontiguousarray(x[:, some]), None if cluster is None else cluster[some]
        worth = min(worth, MAX_ROWS)
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
    tried = [given, *(_other_coordinates(x, cluster, worth) if d > 1 and not lattice.any() else [])]
    best = min(tried, key=lambda c: c.left + (0 if c is given else MIN_GAIN * d * d / worth))
    bound = min(c.bound for c in tried)
    if best.name == "radial":  # its new dimensions are nearly Gaussian
        best = best._replace(bound=best.bound + float(entropy(best.values)[0].sum()) - d * GAUSSIAN)
    ranks = ranks if best is given else in_place(best.values, places)
    dependence = _dependence(best.values, ranks, cluster, min(worth, clusters), apart)
    value, deviation = best.bound + dependence.value, math.sqrt(best.variance + dependence.variance)
    thin = any(c.shell for c in tried)
    thin |= not lattice.any() and on_a_surface(best.values, dependence.blocks, cluster)
    return Joint(
        value=value,
        error=deviation,
        lower=-math.inf if thin else value + MAX_MISSED * min(dependence.value, 0.0) - 2 * deviation,
        upper=value + 2 * deviation,
        bound=bound,
        coordinates=best.name,
        blocks=tuple(tuple(block) for block in dependence.blocks),
        beyond_pairs=dependence.beyond_pairs,
        functions=tuple(sorted([*gone, *(int(others[j]) for j in also)])),
        thin=thin,
        rows=len(kept),
        ties=judged_all.ties,
        atoms=judged_all.atoms,
        floor=judged_all.floor,
    )
