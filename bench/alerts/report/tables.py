"""The tables: our rules and the baselines on the same runs, in Markdown."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..scoring.baselines import BASELINES, warned
from ..scoring.replay import replay
from ..scoring.score import STATISTICS, score, tuning
from ..scoring.tally import Tally, Warned, plain, tally
from ..scoring.truth import LOOSE, STRICT, Cuts, events
from ..training.record import Run

Rule = Callable[[Run], Tally]


def ours(run: Run) -> Tally:
    """The monitor's own rules as they are now, replayed."""
    return tally(run, _alarms(run))


def with_context(run: Run) -> Tally:
    """The same, had the loop logged its β, its learning rate and its reconstruction term."""
    return tally(run, plain(replay(run, told=True)[0]))


def baseline(name: str, number: float) -> Rule:
    """A baseline with its number."""
    return lambda run: tally(run, warned(run, name, number))


def figures(runs: Sequence[Run]) -> str:
    """Our rules and every baseline at its usual number, on the tuning half, the held-out half and all runs."""
    rules: dict[str, Rule] = {"Polar Monitor": ours, "the same, with β, rate and reconstruction logged": with_context}
    rules |= {f"{name} ({b.usual:g} {b.said})": baseline(name, b.usual) for name, b in BASELINES.items()}
    parts = []
    for title, chosen in _halves(runs).items():
        healthy = sum(run.healthy for run in chosen)
        losses = sum(len(events(run).losses) for run in chosen)
        parts.append(f"### {title}: {len(chosen)} runs, {healthy} healthy, {losses} losses\n")
        rows = [[name, *map(str, score([rule(run) for run in chosen]).values())] for name, rule in rules.items()]
        parts.append(markdown(["rule", *STATISTICS], rows))
    return "\n".join(parts)


def causes(runs: Sequence[Run]) -> str:
    """Our rules, cause by cause."""
    rows = []
    for kind in dict.fromkeys(run.kind for run in runs):
        tallies = [ours(run) for run in runs if run.kind == kind]
        gradual = [lead for t in tallies for lead in t.leads]
        told = [one for t in tallies for one in t.told]
        rows.append(
            [
                kind,
                str(len(tallies)),
                _of(int(np.isfinite(gradual).sum()), len(gradual)),
                f"{np.median(np.nan_to_num(gradual)):.2f}" if gradual else "–",
                _of(sum(told), len(told)),
                str(sum(t.false for t in tallies)),
                str(sum(t.false_collapse for t in tallies)),
                _of(sum(one for t in tallies for one in t.held), sum(len(t.held) for t in tallies)),
                _of(sum(one for t in tallies for one in t.sharp), sum(len(t.sharp) for t in tallies)),
            ]
        )
    names = [
        "kind",
        "runs",
        "warned",
        "median lead",
        "sudden losses alerted",
        "false",
        "false COLLAPSE",
        "forecast holds",
    ]
    return markdown([*names, "σ → 0 alerted"], rows)


def curves(runs: Sequence[Run]) -> str:
    """Every baseline at every number beside our rules: share warned of, median lead, false alarms."""
    mine = _values([ours(run) for run in runs])
    rows = [["Polar Monitor", "", *map(_number, mine)]]
    for name, b in BASELINES.items():
        for number in b.numbers:
            values = _values([tally(run, warned(run, name, number)) for run in runs])
            rows.append([name, f"{number:g} {b.said}", *map(_number, values)])
    return markdown(
        ["rule", "number", "warned", "median lead", "false per 10 healthy", "false per 10 collapsing"], rows
    )


def sensitivity(runs: Sequence[Run]) -> str:
    """How much the events, and our figures, depend on the cuts of the truth."""
    variants: Mapping[str, Cuts] = {
        "as chosen": STRICT,
        "established at 0.5 prices": Cuts(established=0.5),
        "established at 2 prices": Cuts(established=2.0),
        "lost at 0.1 prices": Cuts(lost=0.1),
        "lost at 0.4 prices": Cuts(lost=0.4),
        "lost at 2 % of the highest": Cuts(remains=0.02),
        "lost for 125 steps": Cuts(hold=125),
        "lost for 500 steps": Cuts(hold=500),
        "onset at 80 %": Cuts(plateau=0.8),
        "loose": LOOSE,
    }
    rows = []
    for name, cuts in variants.items():
        found = [events(run, cuts) for run in runs]
        losses = [loss for e in found for loss in e.losses]
        mine = _values([tally(run, _alarms(run), cuts) for run in runs])
        lengths = [loss.length for loss in losses]
        rows.append(
            [
                name,
                str(sum(len(e.losses) for e, run in zip(found, runs, strict=True) if not run.healthy)),
                str(sum(len(e.losses) for e, run in zip(found, runs, strict=True) if run.healthy)),
                str(sum(loss.sudden for loss in losses)),
                f"{np.median(lengths):.0f}" if lengths else "–",
                *map(_number, mine[:3]),
            ]
        )
    names = ["cuts", "losses, collapsing", "losses, healthy", "sudden", "median length"]
    return markdown([*names, "warned", "median lead", "false per 10 healthy"], rows)


def closed_form(runs: Sequence[Run]) -> str:
    """Linear VAEs: the order-by-order distance of the true losses from the steps of the closed form, in steps."""
    rows = []
    for run in runs:
        if run.known:
            steps = [loss.at for loss in events(run).losses if loss.at > min(run.known) - 400]
            late = np.array(steps[: len(run.known)]) - np.array(run.known[: len(steps)])
            rows.append([run.name, _of(len(steps), len(run.known)), " ".join(f"{x:+.0f}" for x in late)])
    return markdown(["run", "losses", "steps after the closed form"], rows)


@functools.cache
def _alarms(run: Run) -> tuple[Warned, ...]:
    return tuple(plain(replay(run)[0]))


def _values(tallies: Sequence[Tally]) -> list[float]:
    names = ("losses warned of", "median lead", "false per 10 healthy", "false per 10 collapsing")
    return [STATISTICS[name](tallies)[0] for name in names]


def _halves(runs: Sequence[Run]) -> dict[str, list[Run]]:
    halves = {
        "Held-out half": [run for run in runs if not tuning(run)],
        "Tuning half": [run for run in runs if tuning(run)],
        "All runs": list(runs),
    }
    return {title: chosen for title, chosen in halves.items() if chosen}


def _of(part: int, whole: int) -> str:
    return f"{part} of {whole}" if whole else "–"


def _number(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"


def markdown(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"
