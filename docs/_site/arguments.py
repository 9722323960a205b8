"""Extension of griffe: `attach` has the arguments of `PolarMonitor`, as at run time, and examples are shown as code."""

from __future__ import annotations

import inspect
from typing import Any

import griffe

PLACE = "    (arguments of PolarMonitor)"
"""Line of a docstring that the explanations replace."""


class Arguments(griffe.Extension):
    """Puts the arguments of `PolarMonitor` into the signature and the docstring of `attach`."""

    def on_object(self, *, obj: Any, **kwargs: Any) -> None:
        """Give the section of an example the name that the parser knows."""
        if obj.docstring is not None:
            obj.docstring.value = obj.docstring.value.replace("\nExample:\n", "\nExamples:\n")

    def on_package(self, *, pkg: Any, **kwargs: Any) -> None:
        """Change `attach` when all modules of the package are read."""
        attach, monitor = pkg["monitor.attach.attach"], pkg["monitor.monitor.PolarMonitor"]
        explained = inspect.cleandoc(monitor.docstring.value).partition("Args:\n")[2].partition("\n\n")[0]
        attach.docstring.value = attach.docstring.value.replace(PLACE, explained)
        model, *_ = attach.parameters
        attach.parameters = griffe.Parameters(model, *[one for one in monitor.parameters if one.name != "self"])
