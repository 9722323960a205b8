"""Looks at the first forwards: they see everything, and change nothing."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from evidence_runs import Net, mlp, noise
from models import Vae
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounterWithBackend
from torch.utils.checkpoint import checkpoint

from polar_monitor.capture.search.look import Look, hookable_modules


class Small(nn.Module):
    """A VAE with dropout and batch statistics; `checkpointed` runs its body twice."""

    def __init__(self, checkpointed: bool | None = None) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(inplace=True), nn.Dropout(0.2))
        self.mu, self.logvar, self.dec = nn.Linear(16, 3), nn.Linear(16, 3), nn.Linear(3, 8)
        self.checkpointed = checkpointed

    def forward(self, x: Tensor) -> Tensor:
        again = self.checkpointed
        h = self.body(x) if again is None else checkpoint(self.body, x, use_reentrant=again)
        return self.dec(noise(self.mu(h), (self.logvar(h) / 2).exp()))


def trained(model: nn.Module, looked: bool, call: Callable[..., Any] | None = None, amp: bool = False) -> list[Tensor]:
    torch.manual_seed(0)
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    optimiser, look = torch.optim.Adam(model.parameters(), 1e-2), Look(model)
    for step in range(6):
        if looked and step in (0, 3):
            look.start(None if step == 0 else {"mu", "logvar", "dec"})
        x = torch.randn(16, 8, requires_grad=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=amp):
            loss = ((model if call is None else call)(x) - x).square().mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        if looked and (blocks := look.end_step()) is not None:
            blocks.take()
    look.stop()
    return [*(tensor.detach().clone() for tensor in model.state_dict().values()), torch.get_rng_state()]


@pytest.mark.parametrize("checkpointed", [None, False, True])
@pytest.mark.parametrize("amp", [False, True])
@pytest.mark.filterwarnings("ignore:.*requires_grad")
def test_training_is_the_same_to_the_bit(checkpointed: bool | None, amp: bool) -> None:
    first, second = (trained(Small(checkpointed), looked, amp=amp) for looked in (False, True))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_recomputed_forward_is_seen_once() -> None:
    look, model = Look(model := Small(False)), model
    look.start()
    model(torch.randn(4, 8, requires_grad=True)).sum().backward()
    blocks = look.end_step()
    assert blocks is not None
    outputs = [seen for seen in blocks.take() if seen.module == "body.0" and seen.is_output]
    assert [seen.call for seen in outputs] == [0]


def test_compiled_forwards_are_the_same_and_compile_again_only_when_hooks_change() -> None:
    results = []
    for looked in (False, True):
        torch._dynamo.reset()
        counter = CompileCounterWithBackend("aot_eager")
        model = Small()
        compiled = torch.compile(model, backend=counter, fullgraph=True)
        results.append((trained(model, looked, compiled), counter.frame_count))
    (first, once), (second, twice) = results
    torch._dynamo.reset()
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert (once, twice) == (1, 2)  # `trained` changes the hooks once, and stops after the last forward


def test_nothing_is_held_after_the_step() -> None:
    model, look = Small(), None
    look = Look(model)
    look.start()
    kept: list[weakref.ref[Tensor]] = []
    handle = model.mu.register_forward_hook(lambda module, args, output: kept.append(weakref.ref(output)))
    model(torch.randn(4, 8)).sum().backward()
    blocks = look.end_step()
    handle.remove()
    gc.collect()
    assert blocks is not None
    assert kept[0]() is None
    reference = weakref.ref(model)
    del model
    look.stop()
    gc.collect()
    assert reference() is None


def test_blocks_are_copies_taken_before_the_tensor_changes() -> None:
    look = Look(model := nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True)))
    look.start()
    model(torch.randn(8, 4))
    blocks = look.end_step()
    assert blocks is not None
    given = next(seen for seen in blocks.take() if seen.module == "0" and seen.is_output)
    assert given.block is not None
    assert given.block.min() < 0


def test_copies_and_files_have_no_look() -> None:
    look = Look(model := Vae())
    look.start()
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        other(torch.randn(4, 12))
        assert look.end_step() is None
    assert set(model.state_dict()) == set(Vae().state_dict())


def test_eval_is_looked_at_only_if_asked_for() -> None:
    look = Look(model := Small().eval())
    look.start()
    model(torch.randn(4, 8))
    assert look.end_step() is None
    look.any_mode = True
    model(torch.randn(4, 8))
    assert look.end_step() is not None


def test_only_the_named_modules_are_looked_at_and_stop_takes_all_hooks_off() -> None:
    look = Look(model := Small())
    look.start()
    look.start({"mu"})
    model(torch.randn(4, 8))
    blocks = look.end_step()
    assert blocks is not None
    assert {seen.module for seen in blocks.take()} == {"mu"}
    look.stop()
    assert not look.is_on
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


class Strange:
    """An output whose fields raise."""

    @property
    def mean(self) -> Tensor:
        raise RuntimeError("no mean")


@pytest.mark.parametrize(
    "output",
    [
        lambda x: {"z": x, "none": None, "n": 3}, lambda x: (x, [x, (x,)]), lambda x: Strange(), lambda x: None,
        lambda x: x.to_sparse(), lambda x: x.to(torch.complex64), lambda x: x.sum(), lambda x: x[:0],
        lambda x: torch.distributions.Bernoulli(logits=x), lambda x: x.to("meta"), lambda x: "text",
    ],
)  # fmt: skip
def test_no_output_raises(output: Callable[[Tensor], Any]) -> None:
    look = Look(model := Net(lambda s, x: s.inner(x), inner=Net(lambda s, x: output(s.l(x)), l=nn.Linear(4, 4))))
    look.start()
    model(torch.randn(8, 4))
    blocks = look.end_step()
    assert blocks is not None
    assert any(seen.module == "inner.l" for seen in blocks.take())


def test_large_tensors_are_kept_in_part() -> None:
    look = Look(model := nn.Conv2d(3, 8, 1))
    look.start()
    model(torch.randn(2, 3, 200, 200))
    blocks = look.end_step()
    assert blocks is not None
    seen = blocks.take()
    assert seen[-1].shape == (2, 8, 200, 200)
    assert seen[-1].block is not None
    assert seen[-1].block.shape == (2, 8, 16, 16)


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace:DeprecationWarning")
def test_vmap_and_scripts_are_left_alone() -> None:
    model = Net(lambda s, x: s.inner(x), inner=mlp(4, 4), scripted=nn.Identity())
    model.scripted = torch.jit.trace(nn.Linear(4, 4), torch.randn(2, 4))
    look = Look(model)
    look.start()
    assert "scripted" not in dict(hookable_modules(model))
    expected = model(torch.ones(3, 4))
    assert torch.allclose(torch.vmap(model)(torch.ones(3, 4)), expected)
