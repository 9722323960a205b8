"""Finding 1: is there a polarised regime? The verdict of the labels against that of the truth, model by model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .agreement import two_way
from .columns import Columns, where
from .intervals import bootstrap
from .tables import markdown

MEANT = {
    "two groups": ("polarised",),
    "none used": ("collapsed",),
    "all used": ("all_active",),
    "graded": ("graded", "not_estimable"),
}
"""The verdicts that are right for each truth."""
VERDICTS = ("polarised", "all_active", "collapsed", "graded", "not_estimable")
TRUTHS = tuple(MEANT)
SHOWN = ("ours", "no_decoder", "mean_entropy")


def right(c: Columns, said: str = "verdict", truth: str = "truth") -> NDArray[np.bool_]:
    """Which models have the verdict that the truth calls for."""
    return np.array([v in MEANT[t] for v, t in zip(c[said].tolist(), c[truth].tolist(), strict=True)])


def overall(c: Columns) -> str:
    """Share of models with the right verdict, on the held-out rows and by the monitor, with its interval."""
    found = []
    for name, pair in (
        ("held-out rows, given the prior where it is conditional", ("verdict", "truth")),
        ("held-out rows as they are", ("raw", "raw_truth")),
        ("the monitor, end of training", ("live", "raw_truth")),
    ):
        found.append([name, len(c["truth"]), bootstrap(right(c, *pair).astype(float), c["model"], c["family"])])
    return markdown(["verdict by", "models", "right, %"], found)


def confusion(c: Columns) -> str:
    """Counts of models: the truth a row, the verdict a column."""
    found = [
        [truth, *(int(((c["truth"] == truth) & (c["verdict"] == said)).sum()) for said in VERDICTS)] for truth in TRUTHS
    ]
    return markdown(["truth \\ verdict", *VERDICTS], found)


def by_family(c: Columns) -> str:
    """A family and truth a row: what was said, models, right verdicts."""
    found = []
    for family in np.unique(c["family"]).tolist():
        for truth in TRUTHS:
            part = where(c, (c["family"] == family) & (c["truth"] == truth))
            if len(part["truth"]):
                said = ", ".join(f"{n} {word}" for word in VERDICTS if (n := int((part["verdict"] == word).sum())))
                found.append([family, truth, said, len(part["truth"]), int(right(part).sum())])
    return markdown(["family", "truth", "said", "models", "right"], found, words=3)


def recovered(c: Columns, dimensions: Columns) -> str:
    """Models that do have two groups, family by family: our verdict, and how many dimensions are in the right group.

    The last columns are of our rule, of it without a decoder, and of the entropy of the mean with one cut.
    """
    two = where(c, c["truth"] == "two groups")
    found = []
    for family in np.unique(two["family"]).tolist():
        part = where(two, two["family"] == family)
        inside = where(dimensions, np.isin(dimensions["model"], part["model"]))
        right_share = (two_way(inside["truth"]) == two_way(inside[f"by_{name}"]) for name in SHOWN)
        line = [family, len(part["model"]), int((part["verdict"] == "polarised").sum()), len(inside["truth"])]
        found.append([*line, *(f"{100 * share.mean():.1f}" for share in right_share)])
    head = ["family", "models with two groups", "verdict `polarised`", "dimensions"]
    return markdown([*head, "ours, %", "ours, no decoder, %", "mean_entropy, %"], found)


def conditional(c: Columns) -> str:
    """Models with a conditional prior: truth and verdict as they are, and given the prior."""
    part = where(c, c["family"] == "ivae")
    rows = zip(*(part[name] for name in ("model", "raw_truth", "raw", "truth", "verdict")), strict=True)
    head = ["model", "truth, raw", "verdict, raw", "truth, given the prior", "verdict, given the prior"]
    return markdown(head, rows, words=5)


def wrong(c: Columns) -> str:
    """Every model whose verdict is not the truth's, and the reason given."""
    part = where(c, ~right(c))
    rows = zip(*(part[name] for name in ("model", "truth", "verdict", "live", "reason")), strict=True)
    return markdown(["model", "truth", "verdict", "the monitor's", "because"], rows, words=5)
