"""Plain language: no word of the old dialect in a name, in a docstring, in a message or in the docs.

Every test is parametrised by room: `python -m pytest tests/test_language.py -k sinks`. The next word that readers
stumble over joins its table. A copy of this file judges the checkout it is run in:
`cd <checkout>; PYTHONPATH=$PWD python -m pytest -q <copy>/test_language.py -k <room>`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[1]
ROOT = HERE if (HERE / "polar_monitor").is_dir() else Path.cwd()
PACKAGE = ROOT / "polar_monitor"

NAMES = {
    "told": "reported, training_context",
    "said": "message, reason",
    "found": "what it is: match, latent, statistics, result",
    "heard": "seen",
    "unheard": "missing",
    "given_up": "dropped",
    "rests": "paused",
    "whole": "integer, all, complete",
    "lane": "pipeline",
    "lanes": "pipelines",
    "conductor": "loop",
    "wiring": "hooks",
    "fine": "reset, ok",
    "again": "repeat",
    "let_go": "release",
    "take_in": "ingest",
    "hand_on": "publish",
    "take_over": "adopt",
    "worthy": "above_worth",
    "proven": "above_worth_incl_warmup",
    "sharp": "point_streak",
    "blunt": "since_point",
    "calm": "stable_streak",
    "alive": "since_collapse",
    "fallen": "drop",
    "forgiven": "recovered_drop",
    "excused": "baseline_drop",
}
"""Parts of an identifier, and the plain name."""
PUBLIC_NAMES = {"SHARP"}
"""Names that users may have imported."""
CONSTANTS = {
    "MOST": "MAX_<of what>",
    "LEAST": "MIN_<of what>",
    "PLAINLY": "what it bounds",
    "SURELY": "what it bounds",
    "AWAY": "what it bounds",
    "ODD": "what it bounds",
}
"""Parts of a constant's name: a constant says what it bounds."""
CLASSES = {
    "Panes": "WindowedHistogram",
    "Tracks": "DimensionHistory",
    "Decline": "Cusum",
    "Faults": "FailurePolicy",
    "Unheard": "MissingStepDetector",
    "Conductor": "EvaluationLoop",
    "Lane": "ModePipeline",
    "Wiring": "HookSet",
    "Told": "TrainingContextBuffer",
    "Rest": "HookDutyCycle",
    "Channel": "RowBuffer",
    "Ring": "PairedRingBuffer",
    "Drain": "HostTransfer",
    "Inert": "InertHook",
    "Extra": "NamedRule",
    "Alarms": "AlertEngine",
}
"""Names that classes had, and their plain names."""
ALERTS = {("Drain", "polar_monitor/alerts/builtin/drain.py")}
"""Classes of built-in alerts: each has the name of its kind."""
OPENINGS = {
    "What": "the thing itself, or a verb",
    "Whether": "True if",
    "How": "a verb",
    "Of": "a verb",
    "TODO": "the sentence",
}
"""First words of a docstring, also of one under a constant or a field."""
MESSAGES = {
    "told": "reported, logged",
    "tell": "show, say",
    "tells": "shows, says",
    "heard": "seen",
    "given up": "dropped",
    "at rest": "paused",
    "alike": "matched",
    "rests": "is paused",
    "switched off": "disabled",
    "switches off": "disables",
    "called equally often": "called a different number of times",
    "cannot be read off": "is not known from",
    "no recompilation more": "no extra recompilations",
    "keeps to 1 %": "limits its own time to 1 %",
    "stops to speak": "collapses",
    "stopped to listen": "ignores",
    "told once": "logged once",
    "is news": "is reported again",
    "able to do without": "no longer needs",
}
"""Words and sentences of messages, docstrings and docs."""


def _room(path: Path) -> str:
    if path.is_relative_to(ROOT / "kernels"):
        return "kernels"
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else "top"


SOURCES = [path for path in sorted(PACKAGE.rglob("*.py")) if "kernels" not in path.relative_to(PACKAGE).parts]
SOURCES += sorted((ROOT / "kernels").rglob("*.py"))
ROOMS = sorted({_room(path) for path in SOURCES})
PAGES = sorted((ROOT / "docs").rglob("*.md"))
PAGES += [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")]
PAGES += [path for path in (ROOT / "kernels" / "README.md", *sorted(PACKAGE.glob("*/README.md"))) if path.exists()]
PAGES = list({path.resolve(): path for path in PAGES}.values())  # `kernels` is also a link in the package


def _trees(room: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in SOURCES:
        if _room(path) == room:
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def _parts(name: str) -> str:
    """The words of a name between underscores: `_TakeOver_x` gives `_take_over_x_`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return f"_{spaced.strip('_').lower()}_"


def dialect(name: str) -> list[str]:
    """Return the forbidden words in a name."""
    words = [word for word in NAMES if f"_{word}_" in _parts(name)]
    return words + [word for word in CONSTANTS if name.isupper() and word in name.split("_")]


def names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield each name that a file gives to something, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname, getattr(node, "lineno", 0)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name, node.lineno


def docstrings(tree: ast.Module) -> list[ast.Constant]:
    """Return every string that stands alone as a statement."""
    statements = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    return [node for node in statements if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def messages(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield each piece of text that is not a docstring: raised, logged, shown, or put together for that."""
    apart = {id(node) for node in docstrings(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in apart:
            yield node.value, node.lineno


def dialect_of_prose(text: str) -> list[str]:
    """Return the forbidden words in a text; names within it, such as `steps_told`, are not words."""
    joined = re.sub(r"\s+", " ", text).lower()
    return [word for word in MESSAGES if re.search(rf"(?<![\w-]){word}(?![\w-])", joined)]


@pytest.mark.parametrize("room", ROOMS)
def test_names_are_plain(room: str) -> None:
    wrong = [(path, path.stem, words) for path, _ in _trees(room) if (words := dialect(path.stem))]
    wrong += [
        (f"{path}:{line}", name, words)
        for path, tree in _trees(room)
        for name, line in names(tree)
        if (words := dialect(name))
    ]
    wrong = [one for one in wrong if one[1] not in PUBLIC_NAMES]
    assert not wrong, "\n".join(f"{place}: {name} ({_advice(words)})" for place, name, words in wrong)


@pytest.mark.parametrize("room", ROOMS)
def test_docstrings_open_with_a_verb_or_the_thing(room: str) -> None:
    wrong = [
        f"{path}:{node.lineno}: {node.value.strip().splitlines()[0]}"
        for path, tree in _trees(room)
        for node in docstrings(tree)
        if re.match(rf"\s*({'|'.join(OPENINGS)})\b", str(node.value))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", ROOMS)
def test_docstrings_are_plain(room: str) -> None:
    wrong = [
        f"{path}:{node.lineno}: {str(node.value).strip().splitlines()[0]} ({_advice(words)})"
        for path, tree in _trees(room)
        for node in docstrings(tree)
        if (words := dialect_of_prose(str(node.value)))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", ROOMS)
def test_classes_have_plain_names(room: str) -> None:
    wrong = [
        f"{path}:{node.lineno}: {node.name} → {CLASSES[node.name.strip('_')]}"
        for path, tree in _trees(room)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name.strip("_") in CLASSES
        if (node.name, path.as_posix()) not in ALERTS
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", ROOMS)
def test_messages_are_plain(room: str) -> None:
    wrong = [
        f"{path}:{line}: {text!r} ({_advice(words)})"
        for path, tree in _trees(room)
        for text, line in messages(tree)
        if (words := dialect_of_prose(text))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: f"docs:{path.relative_to(ROOT)}")
def test_pages_are_plain(page: Path) -> None:
    blocks = re.split(r"\n(?=\s*\n|\||[*-] )", page.read_text(encoding="utf-8"))
    wrong = [f"{block.strip()[:300]} ({_advice(words)})" for block in blocks if (words := dialect_of_prose(block))]
    assert not wrong, "\n".join(wrong)


def _advice(words: list[str]) -> str:
    plain = NAMES | CONSTANTS | MESSAGES
    return ", ".join(f"{word} → {plain[word]}" for word in words)


@pytest.mark.parametrize(
    "name", ["told", "_steps_told", "TakeOver", "take_over", "Conductor", "MOST", "_MOST_ROWS", "lanes"]
)
def test_the_dialect_is_seen_in(name: str) -> None:
    assert dialect(name)


@pytest.mark.parametrize("text", ["it is told once", "a part that fails is switched\n    off", "Tell it"])
def test_the_dialect_is_seen_in_prose(text: str) -> None:
    assert dialect_of_prose(text)


@pytest.mark.parametrize(
    "name", ["folder", "refound", "finer", "at_most", "LeastVolume", "take_overs", "uneven", "MODEL"]
)
def test_plain_is(name: str) -> None:
    assert not dialect(name)
