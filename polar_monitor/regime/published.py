"""The one table of published criteria: labels, explanations and the documentation all come from it.

Each row is as its paper or its released code has it. Most assume an N(0, 1) prior, and their cuts lie up to two orders
of magnitude apart: counts of "active units" from different papers are not comparable.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import attrgetter

import numpy as np

from ..errors import PolarMonitorError
from ..statistics.snapshot import Array, Snapshot
from .criterion import Condition, Criterion, Labels, Statistic
from .information import by_information
from .label import Label, checked_label

ENTROPY_CUT = 0.5 * math.log(4 * math.pi * math.e * 0.1)
"""Largest h(μ) that a KL of 0.1 nats to N(0, 1) allows: h(μ) ≤ ½ log(4πe KL)."""
MINMAX_CUT = 0.5 * math.log(30)
"""Half of what 30 bins can hold."""
MAX_DELTA_KL = 0.03
"""`delta_kl` below this is a polarised regime (Rolinek, Zietlow & Martius 2019)."""


def _deviation(s: Snapshot) -> Array:
    return np.sqrt(s.variance)


def _absolute_mean(s: Snapshot) -> Array:
    return np.abs(s.mean)


def _deviation_offset(s: Snapshot) -> Array:
    return np.abs(s.posterior_deviation - 1.0)


def _deviation_variance(s: Snapshot) -> Array:
    return s.posterior_variance - np.square(s.posterior_deviation)


VARIANCE = Statistic("Var μ", attrgetter("variance"))
DEVIATION = Statistic("sd μ", _deviation)
KL = Statistic("KL", attrgetter("kl"), "nats")
SPREAD_LEVEL = Statistic("mean σ²", attrgetter("posterior_variance"))
SPREAD_VARIANCE = Statistic("Var σ²", attrgetter("posterior_variance_spread"))
SIGMA = Statistic("mean σ", attrgetter("posterior_deviation"))


def _one_cut(
    name: str,
    statistic: Statistic,
    relation: str,
    cut: float,
    source: str,
    leaves_out: str = "noise",
    needs_variance: bool = False,
) -> Criterion:
    """Return a criterion that calls a dimension active by one number, and passive otherwise."""
    rules = {Label.ACTIVE: (Condition(statistic, relation, cut),)}
    return Criterion(name, rules, Label.PASSIVE, source, leaves_out, needs_variance)


_ROWS = (
    _one_cut("active_units", VARIANCE, ">", 0.01, "Burda, Grosse & Salakhutdinov 2016, with ddof 0"),
    Criterion(
        "bonheme",
        {
            Label.ACTIVE: (Condition(SPREAD_VARIANCE, "<", 0.1), Condition(SPREAD_LEVEL, "≤", 0.1)),
            Label.PASSIVE: (
                Condition(SPREAD_VARIANCE, "<", 0.1),
                Condition(SPREAD_LEVEL, "≥", 0.9),
                Condition(SPREAD_LEVEL, "≤", 1.1),
            ),
        },
        Label.MIXED,
        "Bonheme & Grzes 2021 and their code, with ddof 0",
        leaves_out="mean",
    ),
    Criterion(
        "clapham_code",
        {
            Label.ACTIVE: (Condition(SIGMA, "<", 0.5),),
            Label.PASSIVE: (
                Condition(Statistic("|mean σ − 1|", _deviation_offset), "≤", 0.1),
                Condition(Statistic("Var σ", _deviation_variance), "≤", 0.01),
                Condition(Statistic("|mean μ|", _absolute_mean), "≤", 0.1),
                Condition(VARIANCE, "≤", 0.01),
            ),
            Label.MIXED: (
                Condition(Statistic("share of inputs with a σ below ½", attrgetter("share_narrow"), "%"), ">", 0.0),
                Condition(
                    Statistic(
                        "share of inputs at the prior (|σ − 1| and |μ| at most 0.1)", attrgetter("share_standard"), "%"
                    ),
                    ">",
                    0.0,
                ),
            ),
        },
        # Its code can call a dimension two things at once, or nothing. Here mixed goes first, and nothing is undecided.
        Label.UNDECIDED,
        "code that Clapham released later, not shown to be that of arXiv 2605.15965",
        leaves_out="mean",
    ),
    _one_cut(
        "drvi", Statistic("max |μ|", attrgetter("mean_largest")), "≥", 0.5, "DRVI 0.2.3, not vanished (0.1 before)"
    ),
    _one_cut("factor_vae", DEVIATION, "≥", 0.05, "pruning of FactorVAE in disentanglement_lib"),
    _one_cut("kl", KL, ">", 0.1, "count that NVAE logs, Vahdat & Kautz 2020", "prior", needs_variance=True),
    _one_cut("kl_udr", KL, ">", 0.01, "informative latents of UDR, Duan et al. 2020", "prior", needs_variance=True),
    _one_cut(
        "lucas",
        Statistic("share of inputs with a KL below 0.01 nats", attrgetter("share_collapsed"), "%"),
        "<",
        1.0 - 0.01,
        "Lucas et al. 2019, not (ε, δ)-collapsed with ε = δ = 0.01",
        "prior",
        needs_variance=True,
    ),
    _one_cut(
        "mean_entropy",
        Statistic("h(μ)", attrgetter("entropy_knn")),
        ">",
        ENTROPY_CUT,
        "cut of ours, ½ log(4πe · 0.1): the most that a KL of 0.1 nats to N(0, 1) allows",
    ),
    _one_cut(
        "minmax_entropy",
        Statistic("entropy over 30 bins", attrgetter("entropy_minmax")),
        ">",
        MINMAX_CUT,
        "code that Clapham released: bins from the least to the largest μ. It has no cut; ½ log 30 is ours",
    ),
    _one_cut("rolinek", VARIANCE, ">", 0.5, "a reproduction of Rolinek, Zietlow & Martius 2019"),
    _one_cut("rolinek_sd", DEVIATION, ">", 0.5, "the same reproduction, in another place"),
)
CRITERIA: dict[str, Criterion] = {criterion.name: criterion for criterion in _ROWS}
"""Every published criterion by name."""


def active_units(s: Snapshot, ddof: int = 0) -> Labels:
    """Return labels by Var μ > 0.01 (Burda, Grosse & Salakhutdinov 2016). Needs no variance.

    They take the variance with ddof 0, of 500 rows. He et al. 2019 (vae-lagging-encoder) take ddof 1, of all rows.
    """
    return CRITERIA["active_units"](replace(s, variance=s.variance * s.n / max(s.n - ddof, 1)))


bonheme = CRITERIA["bonheme"]
clapham_code = CRITERIA["clapham_code"]
drvi = CRITERIA["drvi"]
factor_vae = CRITERIA["factor_vae"]
kl = CRITERIA["kl"]
kl_udr = CRITERIA["kl_udr"]
lucas = CRITERIA["lucas"]
mean_entropy = CRITERIA["mean_entropy"]
minmax_entropy = CRITERIA["minmax_entropy"]
rolinek = CRITERIA["rolinek"]
rolinek_sd = CRITERIA["rolinek_sd"]


def check(criterion: str) -> None:
    """Raise `PolarMonitorError` unless `criterion` is a known name."""
    if criterion != "information" and not (isinstance(criterion, str) and criterion in CRITERIA):
        known = ", ".join(["information", *CRITERIA])
        raise PolarMonitorError(f"criterion: expected one of {known}; got {criterion!r}")


def labels_by(criterion: str, snapshot: Snapshot) -> Labels:
    """Return labels by a published criterion or by "information". Raises PolarMonitorError for an unknown name."""
    check(criterion)
    return by_information(snapshot) if criterion == "information" else CRITERIA[criterion](snapshot)


def criteria_table() -> str:
    """Return the table of criteria in Markdown, as the documentation shows it."""
    lines = ["| name | labels | needs σ² | source |", "| --- | --- | --- | --- |"]
    for c in CRITERIA.values():
        cells = (f"`{c.name}`", c.cut, "yes" if c.needs_variance else "no", c.source)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def delta_kl(s: Snapshot, criterion: str | Callable[[Snapshot], Sequence[str]] = rolinek) -> float:
    """Return Δ_KL of Rolinek, Zietlow & Martius 2019: the share of the KL that narrow active dimensions do not explain.

    |L − L̃| / L with L = ½ Σ E[μ² + σ² − log σ² − 1] over all dimensions, and L̃ = ½ Σ E[μ² − log σ² − 1] over those that
    `criterion`, or the published one of that name, calls active. Less than `MAX_DELTA_KL` is a polarised regime there.
    NaN without a variance, for another prior than N(0, 1), or if no dimension has a KL.
    """
    square = s.variance + np.square(s.mean)
    standard = 0.5 * (square + s.posterior_variance - s.log_variance - 1.0)
    known = np.isfinite(standard)
    total = float(standard[known].sum())
    if not known.any() or total <= 0.0 or not np.allclose(standard[known], s.kl[known], rtol=1e-4, atol=1e-4):
        return math.nan
    labels = labels_by(criterion, s) if isinstance(criterion, str) else criterion(s)
    active = known & np.array([checked_label(label) is Label.ACTIVE for label in labels])
    return abs(total - float(0.5 * (square - s.log_variance - 1.0)[active].sum())) / total
