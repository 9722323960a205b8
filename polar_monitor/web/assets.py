"""The files of the page: our own modules and style, and uPlot from the installed package `uplot-python`."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

FOLDER = Path(__file__).parent
FORMS = FOLDER / "forms"
IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+\.js)";\n', re.M)
"""A line that imports names from another form: the only kind that the forms use."""
EXPORT = re.compile(r"^export (?=(?:async )?function|const|class)", re.M)
UPLOT = {"uPlot.iife.js": "text/javascript", "uPlot.min.css": "text/css"}
"""Files of uPlot that the page uses, with their types."""


def form(name: str) -> str:
    """Return the text of a form."""
    return (FORMS / name).read_text(encoding="utf-8")


def style() -> str:
    """Return the style sheet."""
    return (FOLDER / "style.css").read_text(encoding="utf-8")


def uplot(name: str) -> str:
    """Return a file of uPlot, or '' where `uplot-python` is not installed. Nothing of that package is imported."""
    spec = importlib.util.find_spec("uplot")
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        file = Path(place) / "static" / name
        if file.is_file():
            return file.read_text(encoding="utf-8")
    return ""


def bundle(entry: str) -> str:
    """Return a form and all that it imports as one module, each after those that it needs.

    All forms share one scope then, so that no two of them may give the same name to something.
    """
    done: dict[str, str] = {}

    def add(name: str) -> None:
        if name not in done:
            text = form(name)
            done[name] = ""
            for other in IMPORT.findall(text):
                add(other)
            del done[name]
            done[name] = EXPORT.sub("", IMPORT.sub("", text))

    add(entry)
    return "\n".join(done.values())
