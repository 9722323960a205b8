"""Hook of mkdocs: files outside of docs/ that a page links to become pages, and examples join the navigation.

The same Markdown works in a clone, where `../examples/quick_start.py` is a file, and on the site, where it is a page
with the code.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")
LANGUAGES = {".py": "python", ".toml": "toml", ".md": "markdown", ".ipynb": "json", ".csv": "text"}


def outside(link: str, page: str) -> str | None:
    """Return the path from the root of what a page links to, if it lies outside of docs/ and exists."""
    target = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), link))
    return None if target.startswith("docs/") or not (ROOT / target).exists() else target


def place(target: str) -> str:
    """Return the page that shows a file."""
    return f"source/{target}.md"


def content(target: str) -> str:
    """Return the Markdown that shows a file, or lists a folder."""
    path = ROOT / target
    head = f"---\ntitle: {target}\nsearch:\n  exclude: true\n---\n\n# {target}\n\n"
    if path.is_dir():
        names = sorted(child.name for child in path.iterdir() if child.suffix in LANGUAGES or child.name == "README.md")
        return head + "A folder of the repository:\n\n" + "".join(f"* `{target}/{name}`\n" for name in names)
    return f"{head}`````{LANGUAGES.get(path.suffix, 'text')}\n{path.read_text(encoding='utf-8')}`````\n"


def on_files(files: Files, config: Any) -> Files:
    """Add a page for each file that pages link to, and the pages of docs/examples to the navigation."""
    targets = {
        target
        for file in files.documentation_pages()
        for match in LINK.finditer(file.content_string)
        if (target := outside(match[1], file.src_uri)) is not None
    }
    for target in sorted(targets):
        page = File.generated(config, place(target), content=content(target), inclusion=InclusionLevel.NOT_IN_NAV)
        files.append(page)
    listed = next(entry["Examples"] for entry in config.nav if "Examples" in entry)
    for file in sorted(files.documentation_pages(), key=lambda file: file.src_uri):
        if file.src_uri.startswith("examples/") and file.src_uri not in listed:
            title = re.search(r"^# (.*)$", file.content_string, re.MULTILINE)
            listed.append({title[1]: file.src_uri} if title else file.src_uri)
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Turn links to files outside of docs/ into links to their pages."""
    here = page.file.src_uri

    def link(match: re.Match[str]) -> str:
        target = outside(match[1], here)
        return match[0] if target is None else f"]({os.path.relpath(place(target), posixpath.dirname(here) or '.')})"

    return markdown if here.startswith("source/") else LINK.sub(link, markdown)
