"""The rewriter counts calls of NumPy and kernels, and operators of arrays; it changes no result.

With it, a light evaluation makes at most `MAX_CALLS` of them, whatever the number of dimensions is.
"""

from __future__ import annotations

import builtins
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.evaluations.counts import Calls, rewritten
from polar_monitor.kernels._jit import Kernel

MAX_CALLS, MAX_RATIO = 60, 1.15
CASES = {"clean", "inputs repeat", "ties of bfloat16", "atoms", "NaN", "clusters", "codes", "masks", "two kinds"}
"""Some of the windows that are counted."""
BENCH = Path(__file__).resolve().parents[2] / "bench"
SOURCE = """
from __future__ import annotations
import math


def kernel(function):
    return function


@kernel
def untouched(x):
    return x + x


def run(x: int | None, k):
    y = np.exp(x) + 1.0
    y -= x.sum(axis=-1)
    y[0] *= 2
    k(y)
    if -y[1] < 0 <= math.exp(0.0) and len(y) == 3:
        y = np.add.reduce(untouched(y)) * np.float64(2.0)
    match int(x[0]):
        case -1:
            return None
        case _:
            return float(y)
"""


def test_calls_and_operators_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls()
    monkeypatch.setattr(builtins, "_calls", calls, raising=False)
    scope: dict[str, Any] = {"np": np}
    plain: dict[str, Any] = {"np": np}
    exec(rewritten(SOURCE, "counted.py"), scope)
    exec(SOURCE, plain)
    x, double = np.arange(3.0), Kernel(lambda y: None, ("void(float64[::1])",))
    assert scope["run"](x, double) == plain["run"](x, double)
    assert not calls.count
    calls.on = True
    scope["run"](x, double)
    assert calls.count == {
        "exp": 1, "operator add": 1, "sum": 1, "operator in place": 1, "kernel <lambda>": 1, "reduce": 1,
    }  # fmt: skip


def test_a_light_evaluation_makes_few_calls() -> None:
    wanted = {"dimensions": [10, 128]}
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(BENCH.parent), str(BENCH)])}
    done = subprocess.run(
        [sys.executable, "-m", "evaluations.counts", json.dumps(wanted)],
        env=environment, cwd=BENCH, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    rows = [line for line in done.stdout.splitlines() if line.startswith("[")]
    results = json.loads(rows[-1])
    calls = {(one["dimensions"], one["case"]): one["light"] for one in results}
    assert {case for _, case in calls} >= CASES
    for key, counts in calls.items():
        assert 20 < sum(counts.values()) <= MAX_CALLS, (key, counts)
    full = {one["case"]: sum(one["full"].values()) for one in results if one["dimensions"] == 128}
    assert full["NaN"] <= MAX_RATIO * full["clean"], full  # dimensions with NaN are worked on together too
