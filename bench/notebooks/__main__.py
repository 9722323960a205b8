"""`python -m bench.notebooks [NAME …]`: runs the scripts in examples/ that have cells, writes what they print and show
into the notebooks in examples/notebooks/, and renders these as pages in docs/examples/.

`--render` takes over the text of the scripts and renders the notebooks that exist, without running anything. A script
whose package is not installed is left out, and named.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from .cells import MARK, cells
from .execute import lines, notebook
from .markdown import page

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES, NOTEBOOKS, PAGES = ROOT / "examples", ROOT / "examples" / "notebooks", ROOT / "docs" / "examples"
COLUMNS = "96"
"""Width of the tables in the outputs."""


def scripts() -> list[Path]:
    """Return the examples that have cells."""
    return [path for path in sorted(EXAMPLES.glob("*.py")) if MARK.search(path.read_text(encoding="utf-8"))]


def run(script: Path) -> dict[str, Any]:
    """Run a script in an empty folder and return its notebook."""
    os.environ["COLUMNS"] = COLUMNS
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        return notebook(cells(script.read_text(encoding="utf-8")))


def write(script: Path, made: dict[str, Any]) -> None:
    """Write a notebook and its page."""
    text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    (NOTEBOOKS / f"{script.stem}.ipynb").write_text(text, encoding="utf-8")
    text = page(made, script.relative_to(ROOT).as_posix())
    (PAGES / f"{script.stem}.md").write_text(text, encoding="utf-8")


def with_new_text(script: Path) -> dict[str, Any]:
    """Return the stored notebook with the text of the script. Raises SystemExit where the script's code differs."""
    stored: dict[str, Any] = json.loads((NOTEBOOKS / f"{script.stem}.ipynb").read_text(encoding="utf-8"))
    ran = iter([one for one in stored["cells"] if one["cell_type"] == "code"])
    made = []
    for i, cell in enumerate(cells(script.read_text(encoding="utf-8"))):
        one = {"metadata": {}, "source": lines(cell.source)}
        if cell.kind == "code":
            one = next(ran, {"source": []})
            if "".join(one["source"]) != cell.source:
                raise SystemExit(f"{script.name}: the code has changed; run python -m bench.notebooks {script.stem}")
        made.append({"cell_type": cell.kind, "id": f"cell-{i}"} | one | {"id": f"cell-{i}"})
    return stored | {"cells": made}


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="examples, without .py; all without one")
    parser.add_argument("--render", action="store_true", help="render what is stored; nothing runs")
    options = parser.parse_args()
    for script in scripts():
        if options.names and script.stem not in options.names:
            continue
        try:
            write(script, with_new_text(script) if options.render else run(script))
        except ModuleNotFoundError as error:
            print(f"{script.stem}: left out, as {error.name} is not installed")
            continue
        print(f"{script.stem}: docs/examples/{script.stem}.md")


if __name__ == "__main__":
    main()
