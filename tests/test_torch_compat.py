"""Private names of torch: each answer is right with the torch that is installed, and has a fallback without it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from models import Vae
from torch import Tensor, nn

from polar_monitor import _torch_compat

PACKAGE = Path(_torch_compat.__file__).parent


def test_no_other_file_of_ours_uses_a_private_name_of_torch() -> None:
    private = re.compile(
        r"torch\._(?!dynamo\.reset\(\))|from torch\._|\._forward_hooks|\b_orig_mod\b|__torch_dispatch__"
    )
    files = [path for path in PACKAGE.rglob("*.py") if path.name != "_torch_compat.py"]
    assert [str(path) for path in files if private.search(path.read_text(encoding="utf-8"))] == []


def test_the_backward_is_noticed() -> None:
    class Asks(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor) -> Tensor:
            return x * 1

        @staticmethod
        def backward(ctx: object, *gradient: Tensor) -> Tensor:
            answers.append(_torch_compat.in_backward())
            return gradient[0]

    answers = [_torch_compat.in_backward()]
    Asks.apply(torch.ones(2, requires_grad=True)).sum().backward()
    assert answers == [False, True]


def test_a_transform_is_noticed() -> None:
    answers = [_torch_compat.in_function_transform()]
    torch.vmap(lambda x: answers.append(_torch_compat.in_function_transform()) or x)(torch.ones(2))
    assert answers == [False, True]


def test_plain_tensors_hold_numbers_of_their_own() -> None:
    wrapped: list[bool] = []
    torch.vmap(lambda x: wrapped.append(_torch_compat.is_plain(x)) or x)(torch.ones(2))
    assert _torch_compat.is_plain(torch.ones(2))
    assert not _torch_compat.is_plain(torch.ones(2, device="meta"))
    assert not _torch_compat.is_plain([1.0])
    assert wrapped == [False]
    assert not _torch_compat.stands_for_others(Tensor)
    assert not _torch_compat.stands_for_others(nn.Parameter)


def test_the_hook_table_is_the_modules_own() -> None:
    layer = nn.Linear(2, 2)
    handle = layer.register_forward_hook(hook := lambda module, args, output: None)
    assert _torch_compat.forward_hooks(layer) == {handle.id: hook}
    del _torch_compat.forward_hooks(layer)[handle.id]
    assert not layer._forward_hooks


def test_nothing_is_compiled_here() -> None:
    model = Vae()
    assert not _torch_compat.is_compiled(model)
    assert list(_torch_compat.operators_being_compiled()) == []
    assert not _torch_compat.is_tracing() and not _torch_compat.is_exporting()


@pytest.mark.parametrize("name", ["OptimizedModule", "_debug_get_cache_entry_list"])
def test_without_a_name_of_the_compiler_there_is_an_answer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(f"torch._dynamo.eval_frame.{name}")
    model = Vae()
    assert _torch_compat.is_compiled(model) == (name == "OptimizedModule")
    assert not _torch_compat.has_run_compiled(model)


def test_the_rank_of_a_launcher_counts_before_there_is_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, expected in (("3", 3), ("", 0), ("none", 0)):
        monkeypatch.setenv("RANK", value)
        assert _torch_compat.rank() == expected
