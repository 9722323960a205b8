"""The citation file is for this software, and the bibliography has a source for every published criterion."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from polar_monitor.criteria import CRITERIA

ROOT = Path(__file__).resolve().parents[1]
ENTRY = re.compile(r"^@(\w+)\{([\w-]+),\n(.*?)^\}$", re.MULTILINE | re.DOTALL)


def entries() -> dict[str, dict[str, str]]:
    text = (ROOT / "docs" / "references.bib").read_text(encoding="utf-8")
    found = {
        key: dict(re.findall(r"^  (\w+) = \{(.*?)\},?$", body, re.MULTILINE | re.DOTALL))
        for _, key, body in ENTRY.findall(text)
    }
    assert len(found) == text.count("\n@")
    return found


def test_the_citation_file_names_this_version_of_this_software() -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    fields = dict(re.findall(r"^([\w-]+): (.*)$", text, re.MULTILINE))
    assert fields["cff-version"] == "1.2.0"
    assert fields["title"] == "Polar Monitor"
    assert fields["version"] == project["version"]
    assert fields["license"] == project["license"]
    assert {"message", "type"} <= set(fields)
    assert "\nauthors:\n  - name:" in text
    assert "2605.15965" in text.split("\nreferences:\n")[1]


def test_every_entry_is_complete() -> None:
    for key, fields in entries().items():
        assert {"author", "title", "year"} <= set(fields), key
        assert {"eprint", "journal", "booktitle", "howpublished"} & set(fields), key
        assert all(value.count("{") == value.count("}") for value in fields.values()), key
        assert fields["year"] in key


def test_every_criterion_has_a_source() -> None:
    sourced = {
        name for fields in entries().values() for name in re.findall(r"criterion: (\w+)", fields.get("keywords", ""))
    }
    assert sourced == set(CRITERIA)


def test_the_implemented_paper_is_one() -> None:
    (one,) = [fields for fields in entries().values() if "implemented" in fields.get("keywords", "")]
    assert one["eprint"] == "2605.15965"
