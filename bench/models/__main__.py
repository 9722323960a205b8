"""`python -m bench.models`: train each structure with `attach(model)` alone, and print what it is worth.

Each model runs in a process of its own. With `--root` they run the package of another checkout. The exit code is 0.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from . import report

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "results" / "models.md"
PACKAGES_PAGE = PAGE.with_name("packages.md")


def main() -> None:
    """Run what is asked for and print the lines, the counts and what fails."""
    parser = argparse.ArgumentParser(prog="python -m bench.models", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="models, or parts of their names or families")
    parser.add_argument("--steps", type=int, default=300, help="steps of training before the weights are frozen")
    parser.add_argument("--honest", action="store_true", help="24 windows at frozen weights; 4 are the default")
    parser.add_argument("--packages", action="store_true", help="models of real packages instead")
    parser.add_argument("--root", type=Path, help="another checkout, whose package runs instead of this one's")
    parser.add_argument("--json", type=Path, help="file that keeps the results; what it has is not repeated")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}, or {PACKAGES_PAGE.name}")
    parser.add_argument("--list", action="store_true", help="print the names and leave")
    arguments = parser.parse_args()
    names = _names(arguments.packages, arguments.only)
    if arguments.list:
        print("\n".join(names))
        return
    root = arguments.root.resolve() if arguments.root else None
    windows = 24 if arguments.honest else 4
    settings = {"steps": arguments.steps, "windows": windows, "root": str(root or ROOT)}
    kept = _kept(arguments.json, settings)
    missing = [name for name in names if name not in kept]
    for name, result in zip(missing, run(missing, arguments.steps, windows, root), strict=False):
        kept[name] = result | {"settings": settings}
        print(report.line(name, result), flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(kept, ensure_ascii=False, indent=1))
    results = {name: kept[name] for name in names if name in kept}
    print(f"\n{report.counts(results)}")
    print("; ".join(sorted({f"package {result['package']}" for result in results.values() if "package" in result})))
    if arguments.write:
        shown = [
            arg for before, arg in pairwise(["", *sys.argv[1:]]) if "--json" not in (before, arg) and arg != "--write"
        ]
        command = " ".join(["python -m bench.models", *shown])
        page = PACKAGES_PAGE if arguments.packages else PAGE
        page.write_text(report.page(results, command, arguments.packages), encoding="utf-8")
        print(f"written: {page}")


def _names(packages: bool, only: list[str] | None) -> list[str]:
    if packages:
        from .packages import names as package_names

        families = {f"packages.{name}": "" for name in package_names()}
    else:
        from .structures import ALL

        families = {name: one.family for name, one in ALL.items()}
    exact = {name for name in families if only and name in only}
    part = {name for name, family in families.items() if only and any(o in name or o == family for o in only)}
    chosen = (exact if only and len(exact) == len(only) else part) if only else set(families)
    return [name for name in families if name in chosen]


def _kept(file: Path | None, settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the results that a file has from an earlier call with the same settings; a run may be broken off."""
    if file is None or not file.exists():
        return {}
    results: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return {name: result for name, result in results.items() if result.get("settings") == settings}


def run(names: list[str], steps: int, windows: int, root: Path | None = None) -> Iterator[dict[str, Any]]:
    """Yield the result of each model's process."""
    if not names:
        return
    with tempfile.TemporaryDirectory() as ours:
        os.symlink(ROOT / "bench", Path(ours) / "bench")  # this study, also where the other checkout has one
        environment = os.environ | {"PYTHONPATH": f"{ours}{os.pathsep}{root or ROOT}", "OMP_NUM_THREADS": "1"}
        script = [sys.executable, "-P", "-m", "bench.models.run", *names, "--steps", str(steps)]
        script += ["--windows", str(windows)]
        with subprocess.Popen(script, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("{"):
                    yield json.loads(line)


if __name__ == "__main__":
    main()
