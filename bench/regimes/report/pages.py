"""The pages of results: tables put between marks, so that what people wrote around them stays."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..scoring import agreement, columns, coupling, passive, power, separation, verdicts
from ..scoring.agreement import OWN
from .collect import BOUNDS, CURVE, DIMENSIONS, EARLIER, MODELS, PAIRS, PASSIVE


def _agreement(data: Path) -> dict[str, str]:
    c = columns.read(data / DIMENSIONS)
    known = agreement.judged(c)
    every = agreement.judged(c | {"truth": np.full(len(c["truth"]), "any")})
    unclear = len(every["truth"]) - len(known["truth"])
    counts = (
        f"{len(np.unique(known['model']))} models; {len(known['truth'])} dimensions with a clear truth: "
        + ", ".join(f"{(known['truth'] == truth).sum()} {truth}" for truth in agreement.TRUTHS)
        + f". Of {unclear} more it is unclear."
    )
    return {
        "counts": counts,
        "goals": agreement.goals(known),
        "goals-fair": agreement.goals(agreement.judged(c, truth="truth_fair")),
        "agreement": agreement.overall(known),
        "agreement-family": agreement.by_group(c, "family", 3),
        "agreement-family-two": agreement.by_group(c, "family", 2),
        "agreement-kind": agreement.by_group(c, "kind", 3),
        "agreement-kind-two": agreement.by_group(c, "kind", 2),
        "undecided": agreement.undecided(known),
        "sensitivity": agreement.sensitivity(c),
        "one-cuts": agreement.one_cuts(c, columns.read(EARLIER)),
        "autoencoders": agreement.of_codes(c),
        "disagreements": agreement.disagreements(known),
    } | {f"confusion-{name}": agreement.confusion(known, name) for name in (*OWN, *agreement.rules(known))}


def _verdicts(data: Path) -> dict[str, str]:
    c = columns.read(data / MODELS)
    return {
        "recovered": verdicts.recovered(c, agreement.judged(columns.read(data / DIMENSIONS))),
        "verdicts": verdicts.overall(c),
        "verdicts-confusion": verdicts.confusion(c),
        "verdicts-family": verdicts.by_family(c),
        "verdicts-conditional": verdicts.conditional(c),
        "verdicts-wrong": verdicts.wrong(c),
    }


def _power(data: Path) -> dict[str, str]:
    curve = columns.read(data / CURVE)
    known = agreement.judged(columns.read(data / DIMENSIONS))
    return {
        "pairs": power.pairs_table(columns.read(data / PAIRS)),
        "power": power.curve_table(curve),
        "false-alarms": power.false_alarms(curve),
        "separation": separation.table(known),
        "matched": separation.matched(known),
    }


def _coupling(data: Path) -> dict[str, str]:
    return {"bounds": coupling.table(columns.read(data / BOUNDS))}


def _passive(data: Path) -> dict[str, str]:
    rows = json.loads((data / PASSIVE).read_text(encoding="utf-8"))
    return {"passive": passive.table([passive.Row(**row) for row in rows])}


TABLES: dict[str, Callable[[Path], dict[str, str]]] = {
    "agreement": _agreement,
    "verdicts": _verdicts,
    "power": _power,
    "coupling": _coupling,
    "passive": _passive,
}
"""The tables of each part, by the names of their marks, from the folder of CSV files."""


def fill(page: str, texts: dict[str, str]) -> str:
    """The page with each text between its marks; one without marks is put at the end, under its name."""
    for name, text in texts.items():
        begin, end = f"<!-- study: {name} -->", f"<!-- end: {name} -->"
        if begin not in page:
            page += f"\n## {name}\n\n{begin}\n{end}\n"
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}"
    return page


def between(page: str, name: str) -> str:
    """What stands between the marks of that name. Raises ValueError where there are none."""
    found = re.search(f"<!-- study: {re.escape(name)} -->\n(.*?)\n<!-- end: {re.escape(name)} -->", page, re.DOTALL)
    if found is None:
        raise ValueError(f"expected the marks <!-- study: {name} --> … <!-- end: {name} -->")
    return found[1]


def page_of(name: str) -> str:
    """The page that has a text: long lists have their own, confusions share one, most others are in README.md."""
    if name.startswith("confusion-"):
        return "confusion.md"
    if name == "autoencoders":
        return AUTOENCODERS
    return "disagreements.md" if name == "disagreements" else "README.md"


AUTOENCODERS = "../autoencoders.md"
"""The page about autoencoders, which is none of the results' own."""
TITLES = {
    AUTOENCODERS: "Autoencoders",
    "README.md": "The polarised regime over many trained models",
    "disagreements.md": "Every dimension where our label is not the truth",
    "confusion.md": "Truth against label, rule by rule",
}


def write(folder: Path, texts: dict[str, str]) -> None:
    """Put every text into its page of the folder; a page that is not there yet begins with its title."""
    folder.mkdir(parents=True, exist_ok=True)
    for page in {page_of(name): None for name in texts}:
        path = folder / page
        before = path.read_text(encoding="utf-8") if path.exists() else f"# {TITLES[page]}\n"
        path.write_text(fill(before, {n: t for n, t in texts.items() if page_of(n) == page}), encoding="utf-8")
