"""Categories of the results, a line for each model, the table, and the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from statistics import median
from typing import Any

RIGHT, EXPLAINED, LOUD, SILENT, CRASHED = "right", "explained", "wrong and loud", "WRONG AND SILENT", "crashed"
CATEGORIES = (RIGHT, EXPLAINED, LOUD, SILENT, CRASHED)
MEANINGS = {
    RIGHT: "`attach(model)` alone states the model's own posterior, or says that there is no latent",
    EXPLAINED: "an error or a warning holds a line that is right",
    LOUD: "an error or a warning, but none of its lines is right",
    SILENT: "wrong numbers or none at all, and nothing is said",
    CRASHED: "the process ended or ran out of time",
}


def category(result: Mapping[str, Any]) -> str:
    """Return the category of a result."""
    if result.get("crashed"):
        return CRASHED
    loud = bool(result["error"] or result["messages"])
    if result.get("bit_equal") is False:
        return SILENT
    if not result["is_latent"]:
        if result["error"] or not result.get("judged"):
            return RIGHT if loud else SILENT
        return LOUD if loud else SILENT
    if result["reading"] and result["reading"]["right"]:
        return RIGHT
    if result.get("line"):
        return EXPLAINED
    return LOUD if loud else SILENT


def why(result: Mapping[str, Any]) -> str:
    """Return what is wrong, in a line."""
    if result.get("crashed"):
        return str(result["crashed"])
    parts = []
    if result.get("bit_equal") is False:
        parts.append("the training is changed")
    reading = result["reading"]
    if reading:
        parts += reading["faults"]
    elif result["error"]:
        parts.append(_short(result["error"]))
    elif not result.get("judged"):
        parts.append("nothing recorded")
    elif not result["is_latent"]:
        parts.append(f"recorded: {_short(result['explain'])}")
    else:
        parts.append("no complete window")
    if result.get("line"):
        parts.append(f"line holds: {result['line']}")
    elif result.get("offered") and result["is_latent"] and not (reading and reading["right"]):
        parts.append(f"none of {result['offered']} lines holds")
    if result["messages"] and not (reading and reading["right"]):
        parts.append(f"said: {_short(result['messages'][0])}")
    return "; ".join(parts)


def _short(text: str, length: int = 110) -> str:
    line = text.split("\n")[0].removeprefix("PolarMonitorError: ").removeprefix("polar_monitor: ")
    return line if len(line) <= length else f"{line[: length - 1].rpartition(' ')[0]} …"


def line(name: str, result: Mapping[str, Any]) -> str:
    """Return the line of one model."""
    if result.get("crashed"):
        return f"{name:<34} {CRASHED:<16} {why(result)}"
    reading = result["reading"] or {}
    rms = reading.get("rms")
    marks = [
        f"z {rms:4.1f}" if rms is not None else "z    -",
        f"labels {reading['labels_right']}/{reading['dimensions']}" if reading else "labels -",
        f"ablation {result.get('ablation') or '-'}",
        f"first {result['first_label'] if result['first_label'] is not None else '-'}",
        f"bits {'equal' if result['bit_equal'] else '-' if result['bit_equal'] is None else 'CHANGED'}",
        f"{result['discovery_ms']:.0f} ms" if result.get("discovery_ms") is not None else "- ms",
    ]
    return f"{name:<34} {category(result):<16} {'  '.join(marks):<66} {why(result)}".rstrip()


def _group(name: str) -> str:
    return name.split(".")[1].split(":")[0] if name.startswith("packages.") else "own"


def counts(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the number of models in each category, of the study's own and of each package."""
    groups: dict[str, Counter[str]] = {}
    alone: Counter[str] = Counter()
    for name, result in results.items():
        group = _group(name)
        groups.setdefault(group, Counter())[category(result)] += 1
        alone[group] += bool(result.get("judged"))
    rows = []
    for group, counter in groups.items():
        total = counter.total()
        named = ", ".join(f"{counter[one]} {one}" for one in CATEGORIES if counter[one])
        read, share = f"{alone[group]} read by attach(model) alone", f"{counter[RIGHT] / total:.0%} right"
        spent = [
            result["discovery_ms"]
            for name, result in results.items()
            if _group(name) == group and result.get("discovery_ms")
        ]
        search = f"; search {median(spent):.0f} ms in the median" if spent else ""
        rows.append(f"{group}: {total} models, {read}; {named} ({share}){search}")
    return "\n".join(rows)


OWN = "The models are short code of our own after public ones."
REAL = "The models are those of the packages, as small as their options allow, with their own losses."


def page(results: Mapping[str, Mapping[str, Any]], command: str, packages: bool = False) -> str:
    """Return the page of the results, of models of our own or of packages."""
    parts = [
        "# Models of packages" if packages else "# Structures that people train",
        "",
        f"`{command}` trains each model with `attach(model)` and nothing else, and compares what the monitor states",
        "at frozen weights with the model's own posterior, computed outside of the package from a copy of its weights.",
        f"{REAL if packages else OWN} Right means: the KL of each dimension to 1 % and the",
        "information to 0.03 nats beside three standard errors, the labels those of `classify`, errors of honest size",
        "(z, the root mean square of the deviations in units of the stated errors, over so many windows that share no",
        "row), training equal bit for bit.",
        "",
        "| category | meaning | models |",
        "| --- | --- | --- |",
    ]
    counter = Counter(category(result) for result in results.values())
    parts += [f"| {one} | {MEANINGS[one]} | {counter[one]} |" for one in CATEGORIES]
    parts += ["", *(f"* {row}" for row in counts(results).splitlines()), ""]
    parts += [
        "| model | latent | result | z | windows | labels | first label | search, ms | remark |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, result in results.items():
        reading = result.get("reading") or {}
        rms = f"{reading['rms']:.1f}" if reading.get("rms") is not None else "–"
        labels = f"{reading['labels_right']}/{reading['dimensions']}" if reading else "–"
        first = result.get("first_label") if result.get("first_label") is not None else "–"
        search = result.get("discovery_ms")
        spent = "–" if search is None else f"{search:.0f}"
        windows = result.get("windows") if reading else None
        latent, count = result.get("where", ""), "–" if windows is None else windows
        cells = (name, latent, category(result), rms, count, labels, first, spent, why(result))
        parts.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(parts) + "\n"
