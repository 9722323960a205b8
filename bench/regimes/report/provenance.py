"""What a result came from: command, commit, versions, machine, seeds."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ..training.recipe import LIBRARY, digest
from ..training.record import Trained

ROOT = Path(__file__).resolve().parents[3]
LIBRARIES = ("torch", "numpy", "numba", "scikit-learn", "scipy", "matplotlib")


def commit() -> str:
    """The commit that is checked out, with "and changes" where the code differs from it; "unknown" elsewhere."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", "polar_monitor", "kernels", "bench")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + (" and changes" if changed else "")


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def said(command: str, models: Sequence[Trained], planned: int, seconds: float) -> str:
    """A list in Markdown; `seconds` are those of this run after the training."""
    training = sum(model.seconds for model in models)
    live = sum(model.library == digest(LIBRARY) for model in models)
    versions = [f"Python {platform.python_version()}"]
    for name in LIBRARIES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return "\n".join(
        [
            f"* `{command}`: {len(models)} of {planned} models, trained in {training / 60:.1f} minutes; "
            f"the rest of the run took {seconds / 60:.1f}",
            f"* commit {commit()}; the monitor's labels at the end of training are of this code in {live} models, "
            "and of earlier code in the others",
            f"* {', '.join(versions)}; {platform.machine()}, {os.cpu_count()} cores, {sys.platform}",
            "* seeds: those of the models are in their names; bootstrap, power curve and pairs use 0",
        ]
    )
