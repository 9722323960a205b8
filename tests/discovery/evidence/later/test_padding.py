"""The argument that tells padding, among all that the modules of a step take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from polar_monitor.discovery.evidence.later.padding import argument_of, line_of
from polar_monitor.discovery.evidence.seen import Seen

N, T, D = 12, 9, 3
GENERATOR = np.random.default_rng(0)
LENGTHS = np.r_[T, GENERATOR.integers(3, T, N - 1)]
REAL = np.arange(T) < LENGTHS[:, None]
MEAN = GENERATOR.normal(size=(N, T, D)) * REAL[..., None]
DATA = GENERATOR.normal(size=(N, T, 5)) + 1
TOKENS = np.where(REAL, GENERATOR.integers(1, 20, (N, T)), 0)


def seen(order: int, module: str, path: Any, block: np.ndarray, is_output: bool = False) -> Seen:
    return Seen(module, is_output, (path,), order, 0, block.shape, block.astype(np.float32), 23, False)


def found(arguments: list[tuple[str, Any, np.ndarray]], mean: np.ndarray = MEAN, letters: str = "ntd") -> str:
    entries = [seen(order, *argument) for order, argument in enumerate(arguments)]
    argument = argument_of(entries, seen(len(entries), "mu", 0, mean, is_output=True), letters)
    return "" if argument is None else line_of(argument, ["x", "y", "z"])


ARGUMENTS: dict[str, tuple[np.ndarray, str]] = {
    "a mask": (REAL, 'mask="enc.y"'),
    "a mask of channels": (REAL[:, None], 'mask="enc.y"'),
    "a mask of columns": (REAL[..., None], 'mask="enc.y"'),
    "steps first": (REAL.T, 'mask=("enc.y", lambda y: y.T)'),
    "padding": (~REAL, 'mask=("enc.y", lambda y: y.logical_not())'),
    "padding, steps first": (~REAL.T, 'mask=("enc.y", lambda y: y.T.logical_not())'),
    "lengths": (LENGTHS, 'mask=("enc.y", lambda y: torch.arange(int(y.max()), device=y.device) < y[:, None])'),
    "tokens": (TOKENS, 'mask=("enc.y", lambda y: y != 0)'),
    "zeros": (DATA * REAL[..., None], 'mask=("enc.y", lambda y: (y != 0).any(2))'),
    "zeros, channels first": (
        (DATA * REAL[..., None]).transpose(0, 2, 1), 'mask=("enc.y", lambda y: (y != 0).any(1))',
    ),
    "other flags": (REAL[:, ::-1], ""),
    "flags of inputs": (REAL[:, 0], ""),
    "data": (DATA, ""),
    "no padding": (np.ones((N, T)), ""),
}  # fmt: skip


@pytest.mark.parametrize(("argument", "line"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_the_argument_that_tells_padding_gives_the_line(argument: np.ndarray, line: str) -> None:
    assert found([("enc", 1, argument)]) == line
    if "lambda" in line:
        read = eval(line.partition(", ")[2].removesuffix(")"), {"torch": torch})
        mask = read(torch.from_numpy(np.ascontiguousarray(argument).astype(np.float32)))
        np.testing.assert_array_equal(mask.bool().numpy(), REAL)


def test_the_simplest_argument_nearest_to_the_model_is_taken() -> None:
    lengths, tokens = ("", 0, LENGTHS), ("", 1, TOKENS)
    assert found([tokens, lengths]).startswith('mask=("x"')
    assert found([lengths, ("enc", "mask", REAL)]) == 'mask="enc.mask"'
    assert found([("enc", 2, REAL), ("", 2, REAL)]) == 'mask="z"'


def test_what_a_module_takes_after_the_latent_comes_too_late() -> None:
    mean = seen(0, "mu", 0, MEAN, is_output=True)
    assert argument_of([mean, seen(1, "decoder", 1, REAL)], mean, "ntd") is None


@pytest.mark.parametrize("letters", ["ntd", "tnd", "ndt"])
def test_any_layout(letters: str) -> None:
    mean = MEAN.transpose(*("ntd".index(letter) for letter in letters))
    assert found([("", 1, REAL)], mean, letters) == 'mask="y"'


def test_a_first_token_that_is_always_the_same_is_no_padding() -> None:
    mean = MEAN.copy()
    mean[:, 0] = 1.0
    assert found([("", 1, REAL)], mean) == 'mask="y"'
    mean[:, : T // 2] = 1.0
    assert found([("", 1, REAL)], mean) == ""
