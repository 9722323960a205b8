"""The commands that the pages name start, and know the options that the pages give them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile")]
COMMAND = re.compile(
    r"(?:python -m (?P<module>bench[\w.]*)|python (?P<script>bench/[\w/]+\.py))(?P<rest>[^`\n&#]*(?:`, `--[^`]*)*)"
)
FILES_OF_PYTEST = re.compile(r"pytest ((?:bench/[\w/]+\.py ?)+)")
HELP_OF_ALL = """
import contextlib, io, json, runpy, sys
bench, result = sys.argv[1], {}
for name, script in json.loads(sys.argv[2]):
    text, sys.argv, path = io.StringIO(), [name, "--help"], list(sys.path)
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        if script:
            sys.path[0] = bench
            runpy.run_path(name, run_name="__main__")
        else:
            runpy.run_module(name, run_name="__main__")
    sys.path[:] = path
    for own in [own for own, module in sys.modules.items() if str(getattr(module, "__file__", "")).startswith(bench)]:
        del sys.modules[own]
    result[name] = text.getvalue()
print(json.dumps(result))
"""
"""Prints {command: text of its --help}. The modules of one are not those of the next."""


def pages() -> list[Path]:
    return [*PAGES, *sorted((ROOT / "docs").rglob("*.md"))]


def commands() -> dict[tuple[str, bool], set[str]]:
    """Return the options that pages give to each command: a module, or (True) a script."""
    found = defaultdict(set)
    for page in pages():
        for match in COMMAND.finditer(page.read_text(encoding="utf-8")):
            name = (match["module"] or match["script"], match["script"] is not None)
            found[name] |= set(re.findall(r"--[\w-]+", match["rest"]))
    return found


def source(name: str, is_script: bool) -> Path:
    path = ROOT / (name if is_script else name.replace(".", "/"))
    return path / "__main__.py" if path.is_dir() else path.with_suffix(".py")


@pytest.mark.slow
def test_commands_of_the_pages_start() -> None:
    named = commands()
    assert len(named) > 15
    for name in named:
        assert "argparse" in source(*name).read_text(encoding="utf-8"), f"{name[0]} would begin to work at --help"
    done = subprocess.run(
        [sys.executable, "-c", HELP_OF_ALL, str(ROOT / "bench"), json.dumps(sorted(named))],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    for name, text in json.loads(done.stdout).items():
        options = next(options for (one, _), options in named.items() if one == name)
        assert "usage:" in text, name
        assert options <= set(re.findall(r"--[\w-]+", text)), (name, options)


def test_files_of_the_commands_exist() -> None:
    assert all(source(*name).is_file() for name in commands())

    named = {
        file
        for page in pages()
        for match in FILES_OF_PYTEST.finditer(page.read_text(encoding="utf-8"))
        for file in match[1].split()
    }
    assert len(named) >= 2
    assert all((ROOT / file).is_file() for file in named), named
