"""Public names are imported when they are asked for: each is there, and is that of its module."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import polar_monitor


@pytest.mark.parametrize("name", polar_monitor.PLACES)
def test_each_name_is_that_of_its_module(name: str) -> None:
    module = importlib.import_module(f"polar_monitor.{polar_monitor.PLACES[name]}")
    assert getattr(polar_monitor, name) is getattr(module, name)


def test_names_and_places_agree() -> None:
    assert polar_monitor.PLACES.keys() | {"entropy"} == set(polar_monitor.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing_here'"):
        _ = polar_monitor.nothing_here


def test_a_from_import_in_a_fresh_process() -> None:
    code = (
        "from polar_monitor import read, Label; import sys; print('torch' in sys.modules, Label.ACTIVE, read.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["False", "active", "read"]
