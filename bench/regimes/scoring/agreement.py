"""Agreement with the ground truth, ours beside every published rule: shares of dimensions, confusions, differences.

Three-way is active, passive or mixed; two-way is in use (active or mixed) or passive. An undecided dimension disagrees.
A dimension whose truth the data cannot tell ("unclear") is left out of all of it. Models with a conditional prior are
judged given that prior, all rules alike: the published ones, which assume N(0, 1), gain by it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .columns import Columns, where
from .dimensions import GIVEN_PRIOR, HALVES
from .intervals import Interval, bootstrap
from .tables import markdown
from .thresholds import ONE_CUT, choose, choose_one_cut, one_cut
from .thresholds import ours as ours_with

Words = NDArray[np.str_]
LABELS = ("active", "mixed", "passive", "undecided")
TRUTHS = ("active", "mixed", "passive")
OURS, GIVEN_SCALE = "ours", "given_scale"
"""Our rule, and our rule for codes of a known unit: see `dimensions.given_scale`."""


class Compared(NamedTuple):
    """A rule's agreement, and ours less theirs, on the same dimensions."""

    dimensions: int
    share: Interval
    ahead: Interval


def judged(c: Columns, half: str = "report", truth: str = "truth") -> Columns:
    """The rows that labels are judged on: models of that half, one view of each, and a truth that the data can tell.

    `truth` is the column that is taken for it.
    """
    conditional = np.unique(c["model"][c["view"] == GIVEN_PRIOR])
    chosen = np.where(np.isin(c["model"], conditional), c["view"] == GIVEN_PRIOR, True)
    return where(c | {"truth": c[truth]}, chosen & (c["half"] == half) & (c[truth] != "unclear"))


def rules(c: Columns) -> list[str]:
    """The published rules of the table, by name."""
    return [name.removeprefix("by_") for name in c if name.startswith("by_") and name[3:] not in (OURS, GIVEN_SCALE)]


def two_way(words: Words) -> Words:
    """The labels with "mixed" counted as "active": in use."""
    return np.where(words == "mixed", "active", words)


def applies(c: Columns, name: str) -> NDArray[np.bool_]:
    """The rows that a rule can judge: those with a variance, for rules that decide nothing without one."""
    without = c["has_variance"] == 0
    needs = bool(without.any() and (c[f"by_{name}"][without] == "undecided").all())
    return ~without if needs else np.ones(len(without), np.bool_)


def compare(c: Columns, theirs: Words, ours: Words, ways: int, rows: NDArray[np.bool_]) -> Compared:
    """Agreement of `theirs` on the chosen rows, and ours less theirs, resampling models."""
    truth = c["truth"]
    if ways == 2:
        truth, theirs, ours = two_way(truth), two_way(theirs), two_way(ours)
    hit, mine = ((labels == truth)[rows].astype(float) for labels in (theirs, ours))
    place = c["model"][rows], c["family"][rows]
    return Compared(int(rows.sum()), bootstrap(hit, *place), bootstrap(mine - hit, *place))


def overall(c: Columns) -> str:
    """Every rule on the models that it applies to and over all models, in percent of dimensions."""
    everywhere = np.ones(len(c["truth"]), np.bool_)
    ours, scaled = c["by_ours"], c["by_given_scale"]
    found: list[list[object]] = []
    for name, labels in (("**ours**", ours), ("**ours, scale given**", scaled)):
        shares = [compare(c, labels, ours, ways, everywhere).share for ways in (3, 2)]
        found.append([name, len(labels), *shares, "", "", "", ""])
    for name in rules(c):
        theirs, rows = c[f"by_{name}"], applies(c, name)
        three, two = (compare(c, theirs, ours, ways, rows) for ways in (3, 2))
        ahead = [compare(c, theirs, scaled, ways, rows).ahead for ways in (3, 2)]
        found.append([name, three.dimensions, three.share, two.share, three.ahead, two.ahead, *ahead])
    head = ["rule", "dimensions it applies to", "agree, three-way", "agree, two-way"]
    head += ["ours − theirs, three-way", "ours − theirs, two-way"]
    return markdown([*head, "scale given − theirs, three-way", "scale given − theirs, two-way"], found)


def by_family(c: Columns) -> str:
    """Three-way agreement in percent, a rule a row and a family a column; "-" where a rule does not apply."""
    families = np.unique(c["family"]).tolist()
    counts: list[list[object]] = [["models"], ["dimensions"]]
    for family in families:
        inside = c["family"] == family
        counts[0].append(len(np.unique(c["model"][inside])))
        counts[1].append(int(inside.sum()))
    found: list[list[object]] = []
    for name in [OURS, GIVEN_SCALE, *rules(c)]:
        line: list[object] = [name]
        for family in families:
            rows = c["family"] == family
            if name not in (OURS, GIVEN_SCALE):
                rows &= applies(c, name)
            line.append(f"{100 * (c[f'by_{name}'][rows] == c['truth'][rows]).mean():.1f}" if rows.any() else "-")
        found.append(line)
    return markdown(["rule", *families], [*counts, *found])


def confusion(c: Columns, name: str) -> str:
    """Counts of dimensions: the truth a row, the label a column; only dimensions that the rule applies to."""
    rows = np.ones(len(c["truth"]), np.bool_) if name in (OURS, GIVEN_SCALE) else applies(c, name)
    truth, label = c["truth"][rows], c[f"by_{name}"][rows]
    found = [[t, *(int(((truth == t) & (label == said)).sum()) for said in LABELS)] for t in TRUTHS]
    return markdown([f"truth \\ {name}", *LABELS], found)


def undecided(c: Columns) -> str:
    """Share of dimensions that our rule leaves open, on the held-out rows and by the monitor at the end of training."""
    found = []
    for said, column in (("held-out rows", "by_ours"), ("the monitor, end of training", "live")):
        rows = np.ones(len(c["truth"]), np.bool_)
        share = bootstrap((c[column] == "undecided").astype(float), c["model"], c["family"])
        found.append([said, int(rows.sum()), share])
    return markdown(["undecided", "dimensions", "share, %"], found)


def tuned(c: Columns) -> tuple[str, str]:
    """Agreement on the reported half: cuts as they are and cuts chosen on the other half; and the cuts, in words."""
    chosen, shown = (judged(c, half) for half in HALVES)
    everywhere = np.ones(len(shown["truth"]), np.bool_)
    cuts = choose(chosen)
    set_now, refit = shown["by_ours"], ours_with(shown, cuts)
    lines = [
        (OURS, "as set", set_now, set_now, everywhere),
        (OURS, "chosen on the other half", refit, set_now, everywhere),
        ("ours, scale given", "as set", shown["by_given_scale"], set_now, everywhere),
    ]
    lines += [(name, "as published", shown[f"by_{name}"], set_now, applies(shown, name)) for name in rules(c)]
    for of, (statistic, _) in ONE_CUT.items():
        for said, known, rows in (
            ("all models", chosen, everywhere),
            ("with a variance", where(chosen, chosen["has_variance"] > 0), shown["has_variance"] > 0),
        ):
            if said == "all models" and np.isnan(chosen[statistic]).any():
                continue
            cut = choose_one_cut(known, of, two_way(known["truth"]))
            how = f"> {cut:.3g}" if ONE_CUT[of][1] > 0 else f"< {-cut:.3g}"
            lines.append((f"{of}, {said}", f"{how}, chosen on the other half", one_cut(shown, of, cut), set_now, rows))
    found = []
    for name, how, theirs, ours, rows in lines:
        three, two = (compare(shown, theirs, ours, ways, rows) for ways in (3, 2))
        found.append([name, how, three.dimensions, three.share, two.share, three.ahead, two.ahead])
    head = ["rule", "cuts", "dimensions", "agree, three-way", "agree, two-way"]
    head += ["ours as set − this, three-way", "ours as set − this, two-way"]
    said = ", ".join(f"{name} {value:g}" for name, value in vars(cuts).items())
    return markdown(head, found, words=2), said


TRUTHS_BY = {
    "as chosen": "truth",
    "half the cuts": "truth_half",
    "twice the cuts": "truth_twice",
    "mixed: 5 % of the inputs on either side, whatever lies between": "truth_plain",
    "replaced by its mean, not by a draw; in use or passive only": "truth_by_mean",
}
"""Other truths, by their columns."""


def sensitivity(c: Columns) -> str:
    """Agreement by other definitions of the truth: ours, and ours less the published rule that comes closest."""
    found: list[list[object]] = []
    for said, column in TRUTHS_BY.items():
        known = judged(c, truth=column)
        ways = 2 if column == "truth_by_mean" else 3
        everywhere = np.ones(len(known["truth"]), np.bool_)
        both = [known[name] for name in ("by_ours", "by_given_scale")]
        mine = [compare(known, labels, labels, ways, everywhere).share for labels in both]
        mixed = int((known["truth"] == "mixed").sum())
        line: list[object] = [said, len(known["truth"]), "-" if ways == 2 else mixed, *mine]
        for labels in both:
            name = min(rules(known), key=lambda name: _ahead(known, name, labels, ways))
            line += [name, compare(known, known[f"by_{name}"], labels, ways, applies(known, name)).ahead]
        found.append(line)
    head = ["truth", "dimensions", "mixed", "ours agrees", "scale given agrees"]
    head += ["closest rule", "ours − it", "closest to scale given", "scale given − it"]
    return markdown(head, found)


def _ahead(c: Columns, name: str, labels: Words, ways: int) -> float:
    """How much oftener `labels` agree with the truth than a rule does, on the rows that it applies to."""
    rows, truth, theirs = applies(c, name), c["truth"], c[f"by_{name}"]
    if ways == 2:
        truth, theirs, labels = two_way(truth), two_way(theirs), two_way(labels)
    return float(np.mean((labels == truth)[rows]) - np.mean((theirs == truth)[rows]))


SHOWN = ("information", "information_se", "information_upper", "variance_gap", "share_active", "share_passive")


def disagreements(c: Columns) -> str:
    """Every dimension where our label is not the truth, with its numbers; rises in units of the model's own scale."""
    wrong = np.flatnonzero(c["by_ours"] != c["truth"])
    found = []
    for i in wrong:
        has = c["has_variance"][i] > 0
        numbers = [f"{c[name][i]:.3f}" if has or name in SHOWN[:2] else "-" for name in SHOWN]
        rise = f"{c['rise'][i] / c['scale'][i]:.3g}"
        found.append([c["model"][i], int(c["dimension"][i]), c["truth"][i], c["by_ours"][i], rise,
                      f"{c['share_in_use'][i]:.2f}", *numbers])  # fmt: skip
    head = ["model", "dimension", "truth", "ours", "rise / scale", "inputs in use"]
    head += ["information", "its error", "upper bound", "variance gap", "share active", "share passive"]
    return markdown(head, found)
