"""A run as an SVG that moves: its latents polarise, β rises, and the monitor warns of each loss before it.

Everything drawn is in the log of the run, and the texts are the alerts' own. Without motion (in print, or where the
reader asks for none) the picture is the end of the run, with all its marks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path

import numpy as np

from polar_monitor.alerts.alert import AlertKind
from polar_monitor.evaluation import Evaluation
from polar_monitor.sinks.jsonl import read_jsonl

from .story import captions, end, outcome, states

SECONDS, END = 16.0, 0.8
"""Length of a loop, and its share after which the run has ended and the picture stands still."""
LEFT, WIDTH, TOP, ROW = 62.0, 560.0, 92.0, 27.0
PAGE = 860.0
COLOURS = {"active": "#0072b2", "undecided": "#8fc1de", "mixed": "#009e73", "passive": "#aab1b9", "fading": "#d55e00"}
STYLE = """text{font:13px system-ui,'DejaVu Sans',sans-serif;fill:#1b1f24}.q{fill:#57606a;font-size:12px}
.b{font-weight:600}.w{fill:#c24a00}.now,.veil{opacity:0}"""


def moving(run: Path, beta: Callable[[int], float]) -> str:
    """Return the picture of a run's log as SVG; `beta` gives β at a step.

    Args:
        run: Folder of the run.
        beta: Weight of the KL term at a step.
    """
    records = [record for record in read_jsonl(run / "polar.jsonl") if record.regime and record.snapshot]
    steps = np.array([record.step for record in records])
    nats = np.array([record.snapshot.information for record in records if record.snapshot])
    last = int(steps[-1])

    def x(step: float) -> float:
        return LEFT + WIDTH * step / last

    rows, order = states(records), np.argsort(-nats.max(axis=0), kind="stable").tolist()
    scale = (ROW - 9) / float(nats.max())
    bottom = TOP + ROW * len(order)
    body = []
    for place, j in enumerate(order):
        base = TOP + ROW * (place + 1) - 6
        body.append(f'<text class="q" x="8" y="{base:.0f}">dim {j}</text>')
        course = [row[j] for row in rows]
        for first, until, state in _stretches(course):
            span = steps[first : until + 1]
            points = [f"{x(span[0]):.0f},{base:.0f}"]
            points += [f"{x(at):.0f},{base - scale * max(nats[first + i, j], 0):.1f}" for i, at in enumerate(span)]
            points.append(f"{x(span[-1]):.0f},{base:.0f}")
            body.append(f'<path fill="{COLOURS[state]}" d="M{" ".join(points)}z"/>')
            body.append(_bar(x(span[0]), x(span[-1]), base, COLOURS[state]))
        text, alarm = outcome(j, records, float(nats[-1, j]), course[-1])
        body.append(f'<text class="q end{" w" if alarm else ""}" x="{LEFT + WIDTH + 10}" y="{base:.0f}">{text}</text>')
        body += _marks(j, records, x, base)
    curve = [(step, np.log(beta(step))) for step in range(0, last + 1, max(last // 60, 1))]
    top = max(max(value for _, value in curve), 1e-9)
    line = " ".join(f"{x(step):.0f},{bottom + 46 - 34 * value / top:.1f}" for step, value in curve)
    body.append(f'<polyline fill="none" stroke="#1b1f24" stroke-width="1.5" points="{line}"/>')
    body.append(f'<text class="q" x="8" y="{bottom + 46:.0f}">β (log)</text>')
    shut = (
        f'<rect class="veil" x="{LEFT}" y="{TOP - 10}" width="{WIDTH + 6}" height="{bottom - TOP + 62}" fill="#fff"/>'
    )
    ends = f"from β = {beta(0):g} to {beta(last):.0f}"
    outside = [f'<text class="q end" x="{LEFT + WIDTH + 10}" y="{bottom + 20:.0f}">{ends}</text>']
    outside += [
        f'<text class="q" x="{x(at):.0f}" y="{bottom + 68:.0f}" text-anchor="middle">{at:,}</text>'
        for at in range(0, last + 1, 400)
    ]
    outside.append(f'<text class="q" x="{LEFT + WIDTH + 30}" y="{bottom + 68:.0f}">training step</text>')
    said, motion = _sentences(list(captions(records)), end(rows, records), last)
    return _page(bottom + 78, [*body, shut, *outside, *said], motion)


def _bar(left: float, right: float, y: float, colour: str) -> str:
    return f'<rect x="{left:.0f}" y="{y:.0f}" width="{max(right - left, 1):.0f}" height="3" fill="{colour}"/>'


def _stretches(course: list[str]) -> Iterator[tuple[int, int, str]]:
    """Yield (first, last, state) of each stretch of one state; neighbours share the point between them."""
    first = 0
    for i in range(1, len(course) + 1):
        if i == len(course) or course[i] != course[first]:
            yield first, min(i, len(course) - 1), course[first]
            first = i


def _marks(j: int, records: list[Evaluation], x: Callable[[float], float], base: float) -> Iterator[str]:
    """Yield a triangle where the dimension is warned of for the first time, and a cross where it is lost."""
    warned = False
    for record in records:
        for alert in record.alerts:
            if j in alert.dimensions and alert.kind is AlertKind.FADING and not warned:
                warned, at = True, x(record.step)
                yield f'<path d="M{at - 5:.0f},{base - 23:.0f}h10l-5,9z" fill="#c24a00" stroke="#fff"/>'
            elif j in alert.dimensions and alert.kind is AlertKind.LOST:
                at = x(record.step)
                yield f'<path d="M{at - 4:.0f},{base - 12:.0f}l8,8m0,-8l-8,8" stroke="#1b1f24" stroke-width="2"/>'


def _sentences(said: list[tuple[int, str, bool]], final: str, last: int) -> tuple[list[str], str]:
    """Return the sentences, one over the other, and the rules that show each at its time."""
    marks, rules = [], []
    times = [100 * END * step / last for step, _, _ in said]
    for i, (text, alarm) in enumerate([(text, alarm) for step, text, alarm in said if step < last]):
        until = times[i + 1] if i + 1 < len(said) else 100 * END
        marks.append(f'<text id="t{i}" class="now b{" w" if alarm else ""}" x="8" y="52">{escape(text)}</text>')
        rules.append(f"#t{i}{{animation:k{i} {SECONDS:g}s step-end infinite}}")
        rules.append(f"@keyframes k{i}{{0%{{opacity:0}}{times[i]:.2f}%{{opacity:1}}{until:.2f}%{{opacity:0}}}}")
    return [*marks, f'<text class="end b" x="8" y="52">{escape(final)}</text>'], "".join(rules)


def _page(height: float, body: list[str], motion: str) -> str:
    legend, place = [], LEFT
    names = {"active": "active", "passive": "passive", "undecided": "undecided", "fading": "warned of: fading"}
    for state, name in names.items():
        legend.append(f'<rect x="{place:.0f}" y="67" width="12" height="10" fill="{COLOURS[state]}"/>')
        legend.append(f'<text class="q" x="{place + 17:.0f}" y="76">{name}</text>')
        place += 36 + 6.6 * len(name)
    legend.append(f'<text class="q" x="{place:.0f}" y="76">height: nats of information; ▼ warning, × lost</text>')
    moves = (
        f".veil{{opacity:1;transform-box:fill-box;transform-origin:right;animation:v {SECONDS:g}s linear infinite}}"
        f".end{{animation:e {SECONDS:g}s step-end infinite}}"
        f"@keyframes v{{0%{{transform:none}}{100 * END:g}%,100%{{transform:scaleX(0)}}}}"
        f"@keyframes e{{0%{{opacity:0}}{100 * END:g}%{{opacity:1}}}}{motion}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {PAGE:.0f} {height:.0f}" role="img" '
        'aria-label="A run polarises, and each loss is warned of">'
        f"<style>{STYLE}@media (prefers-reduced-motion:no-preference){{{moves}}}</style>"
        f'<rect width="{PAGE:.0f}" height="{height:.0f}" fill="#fff"/>'
        '<text class="b" x="8" y="26" style="font-size:16px">'
        "A β-VAE with ten latent dimensions, as Polar Monitor saw it</text>"
        f"{''.join(legend)}{''.join(body)}</svg>\n"
    )
