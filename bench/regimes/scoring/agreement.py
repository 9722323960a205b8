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
from .dimensions import GIVEN_PRIOR, RAW
from .intervals import Interval, bootstrap
from .tables import markdown
from .thresholds import ONE_CUT, choose_one_cut, one_cut

Words = NDArray[np.str_]
LABELS = ("active", "mixed", "passive", "undecided")
TRUTHS = ("active", "mixed", "passive")
OURS, DECIDED, ARRAYS, NO_DECODER, GIVEN_SCALE = "ours", "decided", "arrays", "no_decoder", "given_scale"
"""Our rule by default, with undecided dimensions by the nearer cut, of arrays with a decoder, of a code without its
decoder, and of a code of a known unit."""
OWN = {
    OURS: "ours",
    DECIDED: "ours, undecided by the nearer cut",
    ARRAYS: "ours, of arrays",
    NO_DECODER: "ours, no decoder",
    GIVEN_SCALE: "ours, τ = 0.1 by hand",
}
"""Our rules, and their names in the tables."""


class Compared(NamedTuple):
    """A rule's agreement, and ours less theirs, on the same dimensions."""

    dimensions: int
    share: Interval
    ahead: Interval


def judged(c: Columns, truth: str = "truth") -> Columns:
    """The rows that labels are judged on: one view of each model, and a truth that the data can tell.

    `truth` is the column that is taken for it.
    """
    conditional = np.unique(c["model"][c["view"] == GIVEN_PRIOR])
    chosen = np.where(np.isin(c["model"], conditional), c["view"] == GIVEN_PRIOR, True)
    return where(c | {"truth": c[truth]}, chosen & (c[truth] != "unclear"))


def rules(c: Columns) -> list[str]:
    """The published rules of the table, by name."""
    return [name.removeprefix("by_") for name in c if name.startswith("by_") and name[3:] not in OWN]


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
    found: list[list[object]] = []
    for name, title in OWN.items():
        shares = [compare(c, c[f"by_{name}"], c["by_ours"], ways, everywhere).share for ways in (3, 2)]
        found.append([f"**{title}**", len(everywhere), *shares, "", "", "", ""])
    for name in rules(c):
        theirs, rows = c[f"by_{name}"], applies(c, name)
        three, two = (compare(c, theirs, c["by_ours"], ways, rows) for ways in (3, 2))
        ahead = [compare(c, theirs, c["by_no_decoder"], ways, rows).ahead for ways in (3, 2)]
        found.append([name, three.dimensions, three.share, two.share, three.ahead, two.ahead, *ahead])
    head = ["rule", "dimensions it applies to", "agree, three-way", "agree, two-way"]
    head += ["ours − theirs, three-way", "ours − theirs, two-way"]
    return markdown([*head, "no decoder − theirs, three-way", "no decoder − theirs, two-way"], found)


def by_group(c: Columns, group: str, ways: int) -> str:
    """Agreement in percent, a rule a row and a value of the column `group` a column; "-" where a rule does not apply.

    The monitor's labels are judged on the latents as they are.
    """
    values = np.unique(c[group]).tolist()
    known = judged(c)
    found: list[list[object]] = [["models"], ["dimensions"]]
    for value in values:
        inside = known[group] == value
        found[0].append(len(np.unique(known["model"][inside])))
        found[1].append(int(inside.sum()))
    for name in [*OWN, *rules(known)]:
        rows = np.ones(len(known["truth"]), np.bool_) if name in OWN else applies(known, name)
        shares = [_share(known, f"by_{name}", rows & (known[group] == value), ways) for value in values]
        found.append([OWN.get(name, name), *shares])
    live = _as_they_are(c)
    shares = [_share(live, "live", live[group] == value, ways) for value in values]
    found.insert(2 + len(OWN), ["the monitor, end of training", *shares])
    return markdown(["rule", *values], found)


def of_codes(c: Columns) -> str:
    """Two-way agreement on autoencoders in percent, with intervals: our rules, the monitor, and the published ones."""
    known, live = (where(part, part["has_variance"] == 0) for part in (judged(c), _as_they_are(c)))
    kinds = np.unique(known["kind"]).tolist()
    lines = [(OWN.get(name, name), known, f"by_{name}") for name in [*OWN, *rules(known)]]
    lines.insert(1, ("the monitor, end of training", live, "live"))
    found: list[list[object]] = []
    for said, part, by in lines:
        if (part[by] == "undecided").all():
            continue
        shares = (compare(part, part[by], part[by], 2, part["kind"] == kind).share for kind in kinds)
        found.append([said, *shares])
    counts = [f"{kind}: {len(np.unique(known['model'][known['kind'] == kind]))} models, "
              f"{int((known['kind'] == kind).sum())} dimensions" for kind in kinds]  # fmt: skip
    return markdown(["rule", *counts], found)


def _as_they_are(c: Columns) -> Columns:
    """The rows that the monitor's labels are judged on: it was not given the prior of models that have one."""
    return where(c | {"truth": c["raw_truth"]}, (c["view"] == RAW) & (c["raw_truth"] != "unclear"))


def _share(c: Columns, by: str, rows: NDArray[np.bool_], ways: int) -> str:
    truth, labels = (two_way(c[name]) if ways == 2 else c[name] for name in ("truth", by))
    return f"{100 * (labels == truth)[rows].mean():.1f}" if rows.any() else "-"


def confusion(c: Columns, name: str) -> str:
    """Counts of dimensions: the truth a row, the label a column; only dimensions that the rule applies to."""
    rows = np.ones(len(c["truth"]), np.bool_) if name in OWN else applies(c, name)
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


THREE_WAY, TWO_WAY, OPEN, LEVEL = 0.95, 0.97, 0.03, 0.005
"""Goals: three-way in each family, two-way over all, undecided at most, and how near to KL > 0.1 counts as level."""


def goals(c: Columns) -> str:
    """What was asked for before these models were trained, what was measured, and whether it holds."""
    everywhere = np.ones(len(c["truth"]), np.bool_)
    hit = c["by_ours"] == c["truth"]
    families = {}
    for family in np.unique(c["family"]).tolist():
        inside = c["family"] == family
        families[family] = bootstrap(hit[inside].astype(float), c["model"][inside], c["family"][inside])
    below = ", ".join(f"{name} {share}" for name, share in families.items() if share.value < THREE_WAY)
    two = compare(c, c["by_ours"], c["by_ours"], 2, everywhere).share
    open_share = bootstrap((c["by_ours"] == "undecided").astype(float), c["model"], c["family"])
    lines: list[tuple[str, str, bool]] = [
        (
            f"three-way {THREE_WAY:.0%} in each family",
            below or f"at least {100 * min(share.value for share in families.values()):.1f}",
            not below,
        ),
        (f"two-way {TWO_WAY:.0%} over all", f"{two}", two.value >= TWO_WAY),
        (f"undecided {OPEN:.0%} at most", f"{open_share}", open_share.value <= OPEN),
    ]
    for ways, said in ((3, "three-way"), (2, "two-way")):
        ahead = {name: compare(c, c[f"by_{name}"], c["by_ours"], ways, applies(c, name)).ahead for name in rules(c)}
        short = {name: found for name, found in ahead.items() if found.low <= 0 and not (ways == 2 and name == "kl")}
        text = "; ".join(f"{name} {found}" for name, found in short.items()) or "of each"
        lines.append(
            (f"{said} surely ahead of each published rule" + ", KL > 0.1 aside" * (ways == 2), text, not short)
        )
    kl = compare(c, c["by_kl"], c["by_ours"], 2, applies(c, "kl")).ahead
    lines.append((f"two-way at most {100 * LEVEL:g} points behind KL > 0.1 on VAEs", f"{kl}", kl.value >= -LEVEL))
    decided = c["by_decided"]
    for ways, said in ((3, "three-way"), (2, "two-way")):
        ahead = {name: compare(c, c[f"by_{name}"], decided, ways, applies(c, name)).ahead for name in rules(c)}
        closest = [name for name in ahead if not (ways == 2 and name == "kl")]
        name = min(closest, key=lambda name: ahead[name].low)
        goal = f"{said} surely ahead of each published rule" + ", KL > 0.1 aside" * (ways == 2)
        lines.append((f"nearer cut: {goal}", f"{name} {ahead[name]}", ahead[name].low > 0))
    two = compare(c, decided, decided, 2, everywhere).share
    lines.append((f"nearer cut: two-way {TWO_WAY:.0%} over all", f"{two}", two.value >= TWO_WAY))
    kl = compare(c, c["by_kl"], decided, 2, applies(c, "kl")).ahead
    goal = f"two-way at most {100 * LEVEL:g} points behind KL > 0.1 on VAEs"
    lines.append((f"nearer cut: {goal}", f"{kl}", kl.value >= -LEVEL))
    rows = [[goal, measured, "yes" if holds else "**no**"] for goal, measured, holds in lines]
    return markdown(["goal", "measured", "holds"], rows, words=3)


def one_cuts(c: Columns, earlier: Columns) -> str:
    """Agreement of each statistic that a published rule cuts once, with the cut that suits earlier models best."""
    shown, chosen = judged(c), judged(earlier)
    everywhere = np.ones(len(shown["truth"]), np.bool_)
    found: list[list[object]] = []
    for of, (statistic, sign) in ONE_CUT.items():
        for said, known, rows in (
            ("all models", chosen, everywhere),
            ("with a variance", where(chosen, chosen["has_variance"] > 0), shown["has_variance"] > 0),
        ):
            if said == "all models" and np.isnan(chosen[statistic]).any():
                continue
            cut = choose_one_cut(known, of, two_way(known["truth"]))
            labels = one_cut(shown, of, cut)
            three, two = (compare(shown, labels, shown["by_ours"], ways, rows) for ways in (3, 2))
            how = f"> {cut:.3g}" if sign > 0 else f"< {-cut:.3g}"
            found.append([f"{of}, {said}", how, three.dimensions, three.share, two.share, three.ahead, two.ahead])
    head = ["statistic", "cut", "dimensions", "agree, three-way", "agree, two-way"]
    head += ["ours − this, three-way", "ours − this, two-way"]
    return markdown(head, found, words=2)


TRUTHS_BY = {
    "as chosen": "truth",
    "half the cuts": "truth_half",
    "twice the cuts": "truth_twice",
    "codes: a tenth of an equal share, where that is less than a hundredth of the whole": "truth_fair",
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
        mixed = int((known["truth"] == "mixed").sum())
        line: list[object] = [said, len(known["truth"]), "-" if ways == 2 else mixed]
        for labels in (known["by_ours"], known["by_no_decoder"]):
            name = min(rules(known), key=lambda name: _ahead(known, name, labels, ways))
            line.append(compare(known, labels, labels, ways, everywhere).share)
            line += [name, compare(known, known[f"by_{name}"], labels, ways, applies(known, name)).ahead]
        found.append(line)
    head = ["truth", "dimensions", "mixed", "ours agrees", "closest rule", "ours − it"]
    return markdown([*head, "without a decoder", "closest rule", "no decoder − it"], found)


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
