"""Every line of a shell block is a command that exists: those of `polar-monitor` run on small runs, or are parsed."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from pages import names_in_docs as page_names

from polar_monitor.cli.main import main, parser

ROOT = Path(__file__).resolve().parents[2]
RUN = {"report", "tail", "compare", "check", "replay", "export"}
"""Commands that run here; the others are parsed, and tests/cli runs them."""
KNOWN = re.compile(
    r"python -m pytest [\w ./-]+|python -m (bench[\w.]*)|python bench/\w+\.py|pre-commit install|make \w+"
)
"""Commands of other programs; tests/bench/test_commands.py starts those of bench."""
RULE = """
from polar_monitor import rules

class WeakTotal:
    def start(self):
        return {}

    def update(self, state, observation):
        return state, ()
"""


class Line(NamedTuple):
    """A line of a shell block, and the next one, where it is output."""

    page: str
    text: str
    below: str


def lines() -> list[Line]:
    """Return the commands of all pages."""
    found = []
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))):
        blocks = re.findall(
            r"^ *```(bash|console)\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
        )
        for kind, block in blocks:
            texts = block.strip().splitlines()
            for text, below in zip(texts, [*texts[1:], ""], strict=True):
                if kind == "bash" or text.startswith("$ "):
                    command = text.removeprefix("$ ").partition("  #")[0].partition(" # ")[0].strip()
                    found.append(Line(page.relative_to(ROOT).as_posix(), command, below if kind == "console" else ""))
    return found


OURS = [line for line in lines() if "polar-monitor" in line.text]
OTHERS = [line for line in lines() if "polar-monitor" not in line.text]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs, latents in files, thresholds and a rule."""
    place = tmp_path_factory.mktemp("shell")
    names = page_names.of_training(place)
    for run in ("sprites", "digits"):
        shutil.copytree(place / "runs" / "demo", place / "runs" / run)
    np.savez(place / "usual.npz", mean=names["mean"], logvar=names["logvar"])
    np.savez(place / "keys.npz", z_loc=names["mean"], z_scale=np.exp(0.5 * names["logvar"]))
    (place / "rules.toml").write_text("horizon_steps = 750.0\n")
    (place / "my_rules.py").write_text(RULE)
    return place


@pytest.mark.parametrize("line", OURS, ids=lambda line: f"{line.page}: {line.text}")
def test_commands_of_the_program(
    line: Line, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    (command,) = re.findall(r"polar-monitor ([^|)\n]+)", line.text)
    shutil.copy(folder / ("keys.npz" if "--mean" in command else "usual.npz"), folder / "latents.npz")
    arguments = shlex.split(command)
    expected = line.below if line.below.startswith("polar-monitor") else ""
    if not expected and (arguments[0] not in RUN or "-" in arguments or "records.parquet" in arguments):
        parser(arguments[:1]).parse_args(arguments)
        return
    try:
        code = main([*arguments, *(["--once"] if arguments[0] == "tail" else [])])
    except SystemExit as end:
        code = int(end.code or 0)
    err = capsys.readouterr().err
    if expected:
        assert (code, err.strip()) == (2, expected)
    else:
        assert code in (0, 1), err


@pytest.mark.parametrize("line", OTHERS, ids=lambda line: f"{line.page}: {line.text}")
def test_other_commands(line: Line) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    installed = re.fullmatch(r'(?:python -m )?pip install (?:-c constraints\.txt )?(?:-e )?"\.\[(\w+)\]"', line.text)
    if installed is not None:
        assert installed[1] in extras
    else:
        assert KNOWN.match(line.text), f"{line.page} has a command that no test knows: {line.text}"


def test_the_commands_are_found() -> None:
    assert len(OURS) > 15
    assert len(OTHERS) > 10
