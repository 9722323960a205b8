"""Padding is left out: in `observe`, `classify` and through hooks, at lengths that change in every call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from watching import warned, watched

from polar_monitor import PolarMonitor, PolarMonitorError, PolarMonitorWarning, classify

N, T = 512, 30
DRAW = torch.Generator().manual_seed(0)
LENGTHS = torch.randint(3, T, (N,), generator=DRAW)
REAL = torch.arange(T) < LENGTHS[:, None]
"""True at real data, (n, T)."""
MEAN = torch.randn(N, T, 3, generator=DRAW) * 2 * REAL[..., None]
LOGVAR = torch.full((N, T, 3), -2.0) * REAL[..., None]
KL = 0.5 * (MEAN**2 + LOGVAR.exp() - 1 - LOGVAR)[REAL].mean(0).numpy()
"""KL of the real data, some 2.6 nats; with the padding 1.4."""


def kl(monitor: PolarMonitor) -> np.ndarray:
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert monitor.health().errors == 0
    return snapshot.kl


def test_classify_leaves_padding_out() -> None:
    assert (classify(MEAN, logvar=LOGVAR).snapshot.kl < 1.7).all()  # type: ignore[union-attr]
    snapshot = classify(MEAN, logvar=LOGVAR, mask=REAL).snapshot
    assert snapshot is not None
    np.testing.assert_allclose(snapshot.kl, KL, rtol=0.1)
    assert (snapshot.independent, snapshot.n) == (N, int(LENGTHS.clamp(max=4).sum()))


@pytest.mark.parametrize(
    ("form", "mask", "options"),
    [
        (lambda x: x, REAL.int(), {}),
        (lambda x: x, REAL[..., None], {}),
        (lambda x: x.transpose(0, 1), REAL.T, {"layout": "tnd"}),
        (lambda x: x.transpose(0, 1), REAL, {"layout": "tnd"}),
        (lambda x: x.transpose(1, 2), REAL, {"layout": "ndt"}),
        (lambda x: x.numpy(), REAL.numpy(), {}),
    ],
    ids=["integers", "one more axis", "steps first", "inputs first", "channels first", "arrays"],
)
def test_masks_of_every_form_say_the_same(form: Any, mask: Any, options: dict[str, Any]) -> None:
    expected = classify(MEAN, logvar=LOGVAR, mask=REAL).snapshot
    snapshot = classify(form(MEAN), logvar=form(LOGVAR), mask=mask, **options).snapshot
    assert expected is not None and snapshot is not None
    np.testing.assert_array_equal(snapshot.kl, expected.kl)
    monitor = PolarMonitor(sinks=(), every=1, max_overhead=1.0, strict=True)
    monitor.observe(form(MEAN), logvar=form(LOGVAR), mask=mask, **options)
    monitor.step()
    np.testing.assert_array_equal(kl(monitor), expected.kl)
    assert monitor.health().rows_seen == expected.n


def test_chunks_and_whole_inputs() -> None:
    parts = [slice(0, 100), slice(100, 101), slice(101, N)]
    whole = classify(MEAN, logvar=LOGVAR, mask=REAL).snapshot
    chunks = ((MEAN[part], LOGVAR[part]) for part in parts)
    some = classify(chunks, logvar=True, mask=(REAL[part] for part in parts)).snapshot
    assert whole is not None and some is not None
    np.testing.assert_array_equal(some.kl, whole.kl)
    keep = torch.arange(N) % 2 == 0
    rows = classify(MEAN[:, 0], logvar=LOGVAR[:, 0], mask=keep).snapshot
    assert rows is not None
    np.testing.assert_array_equal(rows.kl, classify(MEAN[keep, 0], logvar=LOGVAR[keep, 0]).snapshot.kl)  # type: ignore[union-attr]
    assert rows.independent == N // 2


def test_many_rows_are_thinned_out_with_their_masks() -> None:
    mean = np.random.default_rng(0).normal(size=(40_000, 5, 1)).astype(np.float32)
    mask = np.arange(5) < np.random.default_rng(1).integers(1, 6, 40_000)[:, None]
    snapshot = classify(np.where(mask[..., None], mean, 100.0), mask=mask).snapshot
    assert snapshot is not None
    assert snapshot.rows == int(np.minimum(mask.sum(1), 4).sum())
    assert snapshot.n < snapshot.rows and snapshot.mean_largest.max() < 10


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (
            REAL[:, :5],
            r"mask: expected shape \(512, 30\), as the latent .* without its dim.*got \(512, 5\)",
        ),
        (REAL[:7], r"mask: expected shape"),
        (torch.zeros_like(REAL), "mean: expected at least one row that is no padding, got none"),
    ],
)
def test_a_bad_mask_is_one_clear_error(mask: torch.Tensor, said: str) -> None:
    with pytest.raises(PolarMonitorError, match=said):
        classify(MEAN, logvar=LOGVAR, mask=mask)
    monitor = PolarMonitor(sinks=())
    if "expected shape" in said:
        with pytest.raises(PolarMonitorError, match=said):
            monitor.observe(MEAN, logvar=LOGVAR, mask=mask)
    else:
        monitor.observe(MEAN, logvar=LOGVAR, mask=mask)
        monitor.step()
        assert monitor.health().rows_seen == 0


class Tokens(nn.Module):
    """A VAE with a latent for each token, whose heads see padding too."""

    def __init__(self, steps: bool = False) -> None:
        super().__init__()
        self.mu, self.logvar, self.steps = nn.Linear(3, 3), nn.Linear(3, 3), steps
        with torch.no_grad():
            self.mu.weight.copy_(torch.eye(3)), self.mu.bias.zero_()
            self.logvar.weight.zero_(), self.logvar.bias.fill_(-2.0)

    def forward(self, x: torch.Tensor, mask: torch.Tensor, lengths: Any = None) -> torch.Tensor:
        """Return a sum of the latents."""
        if not self.steps:
            return self.mu(x).sum() + self.logvar(x).sum()
        return torch.stack([self.mu(x[:, t]).sum() + self.logvar(x[:, t]).sum() for t in range(x.shape[1])]).sum()


def run(model: nn.Module, forward: Any, steps: int = 40) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for _ in range(steps):
        length = int(torch.randint(5, T, (), generator=DRAW))
        real = torch.arange(length) < torch.randint(3, length, (64, 1), generator=DRAW)
        x = torch.randn(64, length, 3, generator=DRAW) * 2 * real[..., None]
        forward(x, real)
        optimizer.step()


EXPECTED = 0.5 * (4 + np.exp(-2) - 1 + 2)
"""KL of tokens of variance 4 and σ² = e⁻²."""
MASKS: dict[str, Any] = {
    "an argument's name": ("mask", {}),
    "a keyword argument": ("mask", {"keyword": True}),
    "a callable": (lambda x, mask: mask, {}),
    "lengths": (lambda x, mask, lengths: torch.arange(x.shape[1]) < lengths[:, None], {"lengths": True}),
}


@pytest.mark.parametrize("steps", [False, True], ids=["sequences", "once a step"])
@pytest.mark.parametrize(("mask", "how"), MASKS.values(), ids=MASKS)
def test_through_hooks(mask: Any, how: dict[str, bool], steps: bool) -> None:
    model = Tokens(steps)
    monitor = watched(model, mean="mu", logvar="logvar", mask=mask, every=40)
    if how.get("lengths"):
        run(model, lambda x, real: model(x, None, lengths=real.sum(1)))
    elif how.get("keyword"):
        run(model, lambda x, real: model(x, mask=real))
    else:
        run(model, lambda x, real: model(x, real))
    np.testing.assert_allclose(kl(monitor), EXPECTED, rtol=0.15)


class Padded(nn.Module):
    """The same, inside a model that makes the mask itself, and whose encoder takes it."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Tokens()

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return a sum of the latents."""
        loss: torch.Tensor = self.encoder(x, torch.arange(x.shape[1]) < lengths[:, None])
        return loss


PADDED: dict[str, tuple[nn.Module, Any, str]] = {
    "the model's": (Tokens(), lambda model, x, real: model(x, real), 'mask="mask"'),
    "a module's": (Padded(), lambda model, x, real: model(x, real.sum(1)), 'mask="encoder.mask"'),
    "padding": (
        Tokens(), lambda model, x, real: model(x, ~real), 'mask=("mask", lambda mask: mask.logical_not())',
    ),
}  # fmt: skip


@pytest.mark.parametrize(("model", "forward", "line"), PADDED.values(), ids=PADDED)
def test_padding_without_a_mask_is_pointed_out_once_with_a_line_that_is_right(
    model: nn.Module, forward: Any, line: str
) -> None:
    inside = "encoder." if isinstance(model, Padded) else ""
    names = {"mean": f"{inside}mu", "logvar": f"{inside}logvar"}
    with pytest.warns(PolarMonitorWarning, match="they are padding, which counts as data, and ") as caught:
        monitor = watched(model, **names, every=5)
        run(model, lambda x, real: forward(model, x, real))
    texts = [str(one.message) for one in caught if "padding" in str(one.message)]
    assert len(texts) == 1 and f"Write attach(model, {line})" in texts[0]
    assert monitor.health().errors == 0
    assert not any(type(hook).__name__.startswith("Look") for hook in hooks_of(model))
    monitor.detach()
    mask = eval(f"dict({line})")["mask"]
    monitor = watched(model, **names, mask=mask, every=40)
    run(model, lambda x, real: forward(model, x, real))
    np.testing.assert_allclose(kl(monitor), EXPECTED, rtol=0.15)


def hooks_of(model: nn.Module) -> list[Any]:
    return [hook for module in model.modules() for hook in module._forward_hooks.values()]


def test_padding_that_no_argument_tells_is_pointed_out_too() -> None:
    model = Tokens()
    with pytest.warns(PolarMonitorWarning, match="they look like padding, which counts as data. If so, write mask="):
        watched(model, mean="mu", logvar="logvar", every=5)
        run(model, lambda x, real: model(torch.where(real[..., None], x, 7.0), None))


def test_padding_is_pointed_out_when_the_monitor_ends_during_the_look() -> None:
    model = Tokens()
    with pytest.warns(PolarMonitorWarning, match="they look like padding"):
        monitor = watched(model, mean="mu", logvar="logvar", every=6)
        run(model, lambda x, real: model(x, None), 7)
        monitor.detach()


@pytest.mark.parametrize("kind", ["no padding", "a first token", "frequent tokens", "a mask"])
def test_equal_vectors_that_are_no_padding_are_not(kind: str) -> None:
    model = Tokens()
    watched(model, every=5, mask="mask")

    def forward(x: torch.Tensor, real: torch.Tensor) -> None:
        if kind != "a mask":
            x = torch.randn(x.shape, generator=DRAW)
        if kind == "a first token":
            x[:, 0] = 1.0
        if kind == "frequent tokens":
            x[torch.rand(x.shape[:2], generator=DRAW) < 0.3] = 1.0
        model(x, real if kind == "a mask" else None)

    run(model, forward)


def test_a_batch_in_between_has_its_mask() -> None:
    model = Tokens()
    monitor = watched(model, mask="mask", every=40)
    regime = monitor.evaluate((MEAN, REAL))
    assert regime.snapshot is not None
    assert (regime.snapshot.independent, regime.snapshot.n) == (N, int(LENGTHS.clamp(max=4).sum()))
    np.testing.assert_allclose(regime.snapshot.kl, EXPECTED, rtol=0.15)


def test_a_batch_in_between_has_the_mask_of_a_module() -> None:
    model = Padded()
    monitor = watched(model, mean="encoder.mu", logvar="encoder.logvar", mask="encoder.mask", every=40)
    regime = monitor.evaluate((MEAN, LENGTHS))
    assert regime.snapshot is not None
    assert (regime.snapshot.independent, regime.snapshot.n) == (N, int(LENGTHS.clamp(max=4).sum()))
    np.testing.assert_allclose(regime.snapshot.kl, EXPECTED, rtol=0.15)


def test_a_mask_that_comes_after_the_latent_records_nothing_and_says_so() -> None:
    model = Tokens()
    model.decoder = Tokens()
    monitor = watched(model, mean="mu", logvar="logvar", mask="decoder.mask", strict=False)
    with warned():
        run(model, lambda x, real: (model(x, None), model.decoder(x, real)))
    assert monitor.health().rows_seen == 0
    assert "mask= reads the arguments of a forward, but" in monitor.health().last_error


def test_a_mask_that_cannot_be_read_records_nothing_and_says_so() -> None:
    model = Tokens()
    monitor = watched(model, mask=lambda x, mask: mask.nothing, strict=False)
    with warned():
        run(model, lambda x, real: model(x, real))
    assert monitor.health().rows_seen == 0
    assert "AttributeError" in monitor.health().last_error
    model = Tokens()
    monitor = watched(model, mask="mask", strict=False)
    with warned():
        run(model, lambda x, real: (model.mu(x), model.logvar(x)))
    assert monitor.health().rows_seen == 0
    assert "mask= reads the arguments of a forward, but" in monitor.health().last_error


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        ("masks", "mask: the forward of Tokens takes x, mask, lengths, not 'masks'"),
        ("mu.mask", "mask: the forward of Linear takes input, not 'mask'"),
        ("encoder.mask", "mask: Tokens has no module 'encoder': write mask="),
        (("mask", "mu"), "mask: expected a name or a callable, got tuple: write mask="),
        (3, "mask: expected a name or a callable, got int: write mask="),
        (REAL, "mask: expected a name or a callable, got Tensor: write mask="),
    ],
)
def test_a_bad_argument_is_refused_by_attach(mask: Any, said: str) -> None:
    with pytest.raises(PolarMonitorError, match=said):
        watched(Tokens(), mask=mask)


def test_compiled_forwards_are_not_recorded_beside_a_mask() -> None:
    torch._dynamo.reset()
    model = Tokens()
    monitor = watched(model, mask="mask", strict=False)
    compiled = torch.compile(model, backend="eager")
    with pytest.warns(UserWarning, match="mask= is read in eager forwards only"):
        run(model, lambda x, real: compiled(x, real), 120)
    assert monitor.health().rows_seen == 0
    torch._dynamo.reset()


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_shapes_lengths_and_layouts_in_turn(data: st.DataObject) -> None:
    """Training is the same bit for bit, nothing is raised, and every row comes from real data."""
    layout = data.draw(st.sampled_from(["ntd", "ndt", "tnd", "nhwd", "ndhw"]))
    with_mask = data.draw(st.booleans())
    seed = data.draw(st.integers(0, 99))
    sizes = data.draw(st.lists(st.tuples(*[st.integers(1, 7)] * (len(layout) - 1)), min_size=2, max_size=5))

    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(seed)
            self.mu = nn.Identity()
            self.scale = nn.Parameter(torch.ones(2).reshape([-1 if letter == "d" else 1 for letter in layout]))

        def forward(self, x: torch.Tensor, mask: Any = None) -> torch.Tensor:
            mu: torch.Tensor = self.mu(x * self.scale)
            return (mu + torch.randn_like(mu)).square().mean()

    def train(monitored: bool) -> tuple[torch.Tensor, torch.Tensor]:
        model = Own()
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        monitor = watched(model, mean="mu", layout=layout, mask="mask", every=3) if monitored else None
        generator = torch.Generator().manual_seed(seed)
        rows = 0
        for step in range(6):
            places = iter(sizes[step % len(sizes)])
            shape = [2 if letter == "d" else next(places) for letter in layout]
            real = (
                torch.rand([s for s, letter in zip(shape, layout, strict=True) if letter != "d"], generator=generator)
                < 0.6
            )
            spread = real.unsqueeze(layout.index("d")) if with_mask else torch.tensor(True)
            x = torch.where(
                spread, torch.randn(shape, generator=generator), torch.tensor(float("nan") if with_mask else 0.0)
            )
            loss = model(x.nan_to_num(50.0), mask=real if with_mask else None)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            inputs_first = real.movedim(layout.replace("d", "").index("n"), 0).flatten(1)
            rows += int((inputs_first if with_mask else torch.ones_like(inputs_first)).sum(1).clamp(max=4).sum())
        if monitor is not None:
            monitor.evaluate()
            health, snapshot = monitor.health(), monitor.snapshot()
            assert (health.errors, health.rows_dropped) == (0, 0)
            if not health.steps_rested:
                assert health.rows_seen == rows
            if with_mask and snapshot is not None:
                assert not np.nan_to_num(snapshot.mean_largest).max() > 20
        return model.scale.detach().clone(), torch.get_rng_state()

    for one, other in zip(train(True), train(False), strict=True):
        assert torch.equal(one, other)
