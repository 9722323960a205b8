"""What a result came from: command, commit, versions, machine, seeds."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path

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


def said(command: str, models: int, seconds: float, training: float) -> str:
    """A list in Markdown; `seconds` of this run, `training` of all models together when they were trained."""
    versions = [f"Python {platform.python_version()}"]
    for name in LIBRARIES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return "\n".join(
        [
            f"* `{command}`: {models} models, trained in {training / 60:.1f} minutes; "
            f"the rest of the run took {seconds / 60:.1f}",
            f"* commit {commit()}",
            f"* {', '.join(versions)}; {platform.machine()}, {os.cpu_count()} cores, {sys.platform}",
            "* seeds: those of the models are in their names; bootstrap, power curve and pairs use 0",
        ]
    )
