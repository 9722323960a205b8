"""Table and picture of the first minute: the share of right labels by step, and what each run was told when."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .run import GRID

FIRST = 500
"""Step from which on the labels should be those of the model."""
BEFORE, AFTER = "#999999", "#0072B2"


def share(row: Mapping[str, Any]) -> float:
    """Return the share of labels that are right, or wrong in a dimension whose band touches a cut."""
    return float(row["right"] + row["in_band"]) / float(row["dimensions"])


def equal(record: Mapping[str, Any]) -> bool:
    """True if all labels are right, or in the band, at every step of the grid from `FIRST` on."""
    return all(share(row) == 1.0 for row in record["grid"] if row["step"] >= FIRST)


def first_verdict(record: Mapping[str, Any]) -> int | None:
    """Return the step of the first verdict other than not_estimable; None if there was none."""
    return next((step for step, verdict in record["verdicts"] if verdict != "not_estimable"), None)


def table(records: Mapping[str, Mapping[str, Any]]) -> str:
    """Format the runs as a table: a column a step, in per cent; `*` where a label counts by its band."""
    steps = [step for step in GRID if any(row["step"] == step for r in records.values() for row in r["grid"])]
    head = ["run", *(str(step) for step in steps), "first verdict", "evaluations", f"equal from {FIRST}", "COLLAPSE"]
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    for name, record in records.items():
        rows = {row["step"]: row for row in record["grid"]}
        cells = [_cell(rows.get(step)) for step in steps]
        told = "step " + str(record["collapse"][0]) if record["collapse"] else "-"
        cells += [str(first_verdict(record) or "-"), f"{record['evaluations']} in {record['seconds']:.0f} s"]
        lines.append("| " + " | ".join([name, *cells, "yes" if equal(record) else "no", told]) + " |")
    good = sum(map(equal, records.values()))
    return "\n".join([*lines, "", f"equal from step {FIRST} on: {good} of {len(records)} runs"])


def wrong_labels(records: Mapping[str, Mapping[str, Any]]) -> str:
    """Format the labels that are wrong from step `FIRST` on, with the information that both sides saw."""
    lines = ["| run | step | evaluated at | dimension | live label | information | model | information |"]
    lines.append("| --- |" + " ---: |" * 7)
    for name, record in records.items():
        for row in record["grid"]:
            for one in row.get("wrong", ()) if row["step"] >= FIRST else ():
                live, true = (f"{nats[0]:.3f} ± {nats[1]:.3f}" for nats in (one["nats"], one["true_nats"]))
                cells = name, row["step"], row["evaluated"], one["dimension"], one["live"], live, one["true"], true
                lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def _cell(row: Mapping[str, Any] | None) -> str:
    return "" if row is None else f"{share(row):.0%}{'*' if row['in_band'] else ''}"


def plot(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw the share of right labels against the step, a run a panel; needs matplotlib (extra `bench`)."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    matplotlib.rcParams |= {"svg.hashsalt": "first", "axes.spines.top": False, "axes.spines.right": False}
    names = [name for name in after if name in before]
    figure, axes = pyplot.subplots(2, 5, figsize=(11.0, 4.6), sharey=True, constrained_layout=True)
    for axis, name in zip(axes.flat, names, strict=False):
        for records, colour, label, width in ((before, BEFORE, "before", 3.0), (after, AFTER, "now", 1.6)):
            rows = records[name]["grid"]
            steps, shares = [row["step"] for row in rows], [share(row) for row in rows]
            axis.plot(steps, shares, "o-", color=colour, lw=width, ms=3, label=label)
        axis.axvline(FIRST, color="#CCCCCC", lw=0.8, ls=":")
        axis.set(title=name, xscale="log", ylim=(-0.05, 1.08), yticks=(0, 0.5, 1), yticklabels=("0", "50 %", "100 %"))
        axis.title.set_fontsize(9)
    for axis in axes[-1]:
        axis.set_xlabel("step")
    for axis in axes[:, 0]:
        axis.set_ylabel("right labels")
    axes.flat[0].legend(frameon=False, fontsize=8, loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
