"""The lines that warnings and errors offer for structures that `attach(model)` alone does not read, followed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.models import report, watch
from bench.models.structures import ALL

EXPLAINED = (
    "clamped", "vits", "nvae", "mmvae", "prod_lda", "sequential", "fixed_noise", "functional",
)  # fmt: skip
"""Structures of the study with such a line."""


@pytest.fixture(autouse=True)
def _same_folder() -> Iterator[None]:
    before = Path.cwd()
    yield
    os.chdir(before)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPLAINED)
def test_a_line_that_is_offered_reads_the_latent(name: str) -> None:
    result = watch.study(ALL[name], steps=150, windows=2)
    assert report.category(result) in (report.EXPLAINED, report.RIGHT), report.why(result)
