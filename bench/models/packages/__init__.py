"""Models of real packages, where they are installed; a package that is missing has none."""

from __future__ import annotations

import importlib

from ..structure import Structure

PACKAGES = {
    "diffusers": ("diffusers_models", "diffusers_more", "diffusers_videos"),
    "pythae": ("pythae_models",), "scvi": ("scvi_models", "scvi_more"),
    "torch_geometric": ("geometric_models",), "drvi": ("drvi_models",), "pyro": ("pyro_models",),
}  # fmt: skip
"""Importable name of each package, and the files with its models."""


def names() -> list[str]:
    """Return the names of all models, as package:model; print a line for each package that is missing."""
    found = []
    for package in PACKAGES:
        try:
            importlib.import_module(package)
        except Exception as error:
            print(f"{package}: skipped, it cannot be imported ({type(error).__name__}: {str(error)[:80]})")
            continue
        found += [f"{package}:{model}" for model in _models(package)]
    return found


def find(name: str) -> Structure:
    """Return one of them."""
    package, _, model = name.partition(":")
    return _models(package)[model]


def _models(package: str) -> dict[str, Structure]:
    files = (importlib.import_module(f".{file}", __name__) for file in PACKAGES[package])
    return {one.name: one for file in files for one in file.STRUCTURES}
