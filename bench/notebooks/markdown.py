"""A notebook as a page of the docs: text as it is, code in fences, outputs below it."""

from __future__ import annotations

from typing import Any

HEAD = "<!-- made by `python -m bench.notebooks` from {script}; do not edit -->"


def page(notebook: dict[str, Any], script: str) -> str:
    """Return the page of a notebook, with links to its script and to the notebook."""
    name = script.rsplit("/", 1)[-1].removesuffix(".py")
    parts = [HEAD.format(script=script)]
    for i, cell in enumerate(notebook["cells"]):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        else:
            parts.append(f"```python\n{source}\n```")
            parts += [shown(output) for output in cell["outputs"]]
        if i == 0:
            parts.append(f"The [script](../../{script}) and the [notebook](../../examples/notebooks/{name}.ipynb).")
    return "\n\n".join(parts) + "\n"


def shown(output: dict[str, Any]) -> str:
    """Return an output: HTML where there is some, and else text."""
    if output["output_type"] == "stream":
        return f"```text\n{''.join(output['text']).rstrip()}\n```"
    data = output["data"]
    if "text/html" in data:
        return "".join(data["text/html"])
    return f"```text\n{''.join(data['text/plain']).rstrip()}\n```"
