"""The notebooks and their pages belong to the scripts as they are now, and a cell does what it does in a notebook."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bench.notebooks.__main__ import NOTEBOOKS, PAGES, ROOT, scripts
from bench.notebooks.cells import Cell, cells
from bench.notebooks.execute import notebook
from bench.notebooks.markdown import page

SCRIPTS = scripts()
SCRIPT = """Not a cell.

# %% [markdown]
# # A title
#
# Text of
# two lines.

# %%
x = 3
print("printed", x)

# %%
class Shown:
    def _repr_html_(self):
        return f"<b>{x}</b>"


Shown()
"""


def test_there_are_nine() -> None:
    assert {path.stem for path in SCRIPTS} == {
        "quick_start", "beta_sweep", "ramp_and_rescue", "diffusion_autoencoder", "scvi_cells", "lightning_trainer",
        "autoencoder", "own_loop", "latents_from_files",
    }  # fmt: skip
    assert {path.stem for path in NOTEBOOKS.iterdir()} == {path.stem for path in SCRIPTS}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_notebook_is_of_the_script_and_the_page_of_the_notebook(script: Path) -> None:
    stored = json.loads((NOTEBOOKS / f"{script.stem}.ipynb").read_text(encoding="utf-8"))
    written = [Cell(one["cell_type"], "".join(one["source"])) for one in stored["cells"]]
    assert written == cells(script.read_text(encoding="utf-8"))
    assert (PAGES / f"{script.stem}.md").read_text(encoding="utf-8") == page(
        stored, script.relative_to(ROOT).as_posix()
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_notebook_was_executed_without_an_error_and_names_no_folder_of_a_machine(script: Path) -> None:
    text = (NOTEBOOKS / f"{script.stem}.ipynb").read_text(encoding="utf-8")
    code = [one for one in json.loads(text)["cells"] if one["cell_type"] == "code"]
    assert [one["execution_count"] for one in code] == list(range(1, len(code) + 1))
    assert any(one["outputs"] for one in code)
    assert not re.search(r"Traceback|site-packages|/home/|/tmp/|/root/", text)


def test_cells_are_split_and_text_loses_its_marks() -> None:
    assert [one.kind for one in cells(SCRIPT)] == ["markdown", "code", "code"]
    assert cells(SCRIPT)[0].source == "# A title\n\nText of\ntwo lines."


def test_what_a_cell_prints_and_shows_is_kept_and_rendered() -> None:
    made = notebook(cells(SCRIPT))
    first, second = (one["outputs"] for one in made["cells"][1:])
    assert first == [{"output_type": "stream", "name": "stdout", "text": ["printed 3\n"]}]
    assert second[0]["data"]["text/html"] == ["<b>3</b>"]
    rendered = page(made, "examples/one.py")
    assert "```text\nprinted 3\n```" in rendered
    assert "\n<b>3</b>\n" in rendered
    assert "(../../examples/notebooks/one.ipynb)" in rendered
