"""The forms are modules that need no build step, and that fit into one file without a clash of names."""

from __future__ import annotations

import re

import pytest

from polar_monitor.web.assets import FORMS, UPLOT, bundle, form, style, uplot

NAMES = [path.name for path in sorted(FORMS.glob("*.js"))]
ENTRIES = ("report.js", "tab.js")
TOP_LEVEL = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) (\{[^}]*\}|\w+)(?:[^;\n]*)", re.M)


def declared(text: str) -> list[str]:
    """Names that a form declares at its top level, also the later ones of `const a = 1, b = 2`."""
    names = []
    for match in TOP_LEVEL.finditer(text):
        names += re.findall(r"\w+", match[1])
        if not match[0].lstrip().startswith(("export function", "function", "export class", "async")):
            names += re.findall(r", (\w+) = ", re.sub(r"\([^()]*\)|\{[^{}]*\}|\[[^\[\]]*\]", "", match[0]))
    return names


@pytest.mark.parametrize("name", NAMES)
def test_a_form_is_one_idea_without_foreign_code(name: str) -> None:
    text = form(name)
    assert text.startswith("// ")
    assert len(text.splitlines()) <= 150
    assert set(re.findall(r"https?://[^\"'` ]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\beval\(|innerHTML|document\.write|new Function", text)
    for line in re.findall(r"^import .*$", text, re.M):
        assert re.fullmatch(r'import \{[^}]*\} from "\./\w+\.js";', line)


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry in NAMES])
def test_a_bundle_has_each_form_once_after_those_that_it_needs(entry: str) -> None:
    text = bundle(entry)
    assert not re.search(r"^(import|export) ", text, re.M)
    others = [name for name in NAMES if name not in ENTRIES]
    places = {name: text.find(form(name).splitlines()[0]) for name in [*others, entry]}
    assert min(places.values()) >= 0
    for name, place in places.items():
        for needed in re.findall(r'from "\./(\w+\.js)"', form(name)):
            assert places[needed] < place


def test_no_two_forms_declare_the_same_name() -> None:
    for entry in ENTRIES:
        names = [n for name in NAMES if name not in ENTRIES or name == entry for n in declared(form(name))]
        assert len(names) > 40
        assert sorted(names) == sorted(set(names))


def test_the_style_has_both_themes_and_loads_nothing() -> None:
    assert "prefers-color-scheme: dark" in style()
    assert not re.search(r"url\((?!#)|@import", style())


def test_uplot_is_looked_up_and_its_absence_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert [uplot(name) for name in UPLOT] == ["", ""]
