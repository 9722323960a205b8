"""`ablate`: the worth of each latent dimension in the loss, by replacing it between encoder and decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor, nn

from ..arrays.layout import checked_layout
from ..capture.search.given_batch import Findings, look_at
from ..discovery.evidence.latents import agrees, best_of, code_latent_of, latent_of, line_of
from ..discovery.find import find, in_layout
from ..discovery.request import LatentRequest
from ..discovery.unwrap import unwrap
from ..errors import PolarMonitorError
from .decoder_call import DecoderCall
from .measure import judge_latent, measured
from .muted import muted
from .replacements import WORDS, Latent
from .row_loss import Loss, RowLoss, moved, own_loss
from .swap import Source, SwappedForward
from .worth import Worth

UNNAMED = LatentRequest()
AS_DECODER = (
    "to replace codes of a decoder, write polar_monitor.ablate(decoder, codes, targets=x) or, without targets, "
    "ablate(lambda z: decoder(z), codes)"
)


def ablate(
    model: Any,
    batch: Any,
    *,
    loss: Callable[[Any, Any], Any] | None = None,
    targets: Any = None,
    replace: Sequence[str] = tuple(WORDS),
    unit: str = "nats",
    seed: int = 0,
    mean: Any = None,
    logvar: Any = None,
    var: Any = None,
    std: Any = None,
    logstd: Any = None,
    latent: Any = None,
    layout: str | None = None,
) -> Worth:
    """Return what each latent dimension is worth in the loss: its rise when the dimension is replaced.

    The code is replaced inside the model's forward, between encoder and decoder; nothing else changes, and the rises
    are paired over the rows. It takes `len(replace)` · D + 2 forwards of the batch, and 2 D more for a model with a
    variance. The model runs in eval mode and without gradient; modes, buffers and random numbers are put back, also
    after an exception, and no monitor records a row. Only a model in train mode, whose eval mode does not show the
    latent, runs up to eight times in train mode, to find it. Hooks of yours on the model do run, since those of weight
    norm and quantisation are a part of it.

    Args:
        model: A model, whose latent is found as `polar_monitor.find` finds it. Or a decoder: a callable from the code
            to the output, or a module with `targets`.
        batch: What the model takes: a tensor, a tuple of arguments or a dict of keyword arguments. For a decoder, its
            codes, with a row for each input.
        loss: A function of the output and the batch (of the output and `targets` for a decoder) that gives the loss of
            each input, (n,), in nats: the negative log-likelihood; a KL term of each input may be in it. One number for
            the batch, a mean or a sum over rows, is taken of 16 groups of rows. None: the negative log-likelihood of
            the distribution of the data that the model gives or, for a reconstruction, that of Gaussian noise with the
            variance of the residual.
        targets: For a decoder, what it should give for the codes.
        replace: "marginal": a draw of the dimension's marginal, a fresh posterior sample of another row. "row": the
            code of another row. "mean": its mean over the rows.
        unit: Unit of the loss, if it is not nats; the labels are then compared with shares of the complete code.
        seed: Fixes the order of the rows and the draws, which no other generator gives.
        mean, logvar, var, std, logstd, latent, layout: The model's latent, as `polar_monitor.attach` takes it, if the
            data leave a choice.

    Raises:
        PolarMonitorError: The latent is not found, the loss is of a wrong shape, or the batch is too small.

    Example:
        >>> import torch, polar_monitor
        >>> weights = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
        >>> codes = torch.randn(512, 2, generator=torch.Generator().manual_seed(0))
        >>> worth = polar_monitor.ablate(lambda z: z @ weights, codes, targets=codes @ weights + 0.5)
        >>> float(worth.worth[1]), float(worth.worth_se[1])
        (0.0, 0.0)
        >>> bool(worth.worth[0] > 1)
        True
    """
    check_replace(replace)
    is_decoder = targets is not None or (callable(model) and not isinstance(model, nn.Module))
    if is_decoder:
        return _of_decoder(model, batch, loss, targets, tuple(replace), unit, seed)
    model = unwrap(model)
    spreads = {"logvar": logvar, "var": var, "std": std, "logstd": logstd}
    source = find_source(model, batch, LatentRequest(mean, spreads, latent, checked_layout(layout)))
    return of_model(model, batch, source, loss, tuple(replace), unit, seed)


def of_model(
    model: nn.Module, batch: Any, source: Source, loss: Loss | None, replace: tuple[str, ...], unit: str, seed: int
) -> Worth:
    """Return the worth of each dimension of a latent that is known. Raises PolarMonitorError as `ablate` does."""
    forward = SwappedForward(model, batch, source)
    with forward.undisturbed():
        latent = forward.latent()
        make = partial(_row_loss, loss=loss, batch=batch, targets=batch, unit=unit)
        return measured(forward, latent, make, replace, judged=judge_latent(latent), seed=seed, where=source.where)


def find_source(model: nn.Module, batch: Any, request: LatentRequest = UNNAMED) -> Source:
    """Return where the latent of a model comes from: by arguments, or by forwards of a batch.

    A reading that the forwards leave open is taken if the names of the modules say the same. Raises PolarMonitorError
    if there is no latent, or a choice.
    """
    if request.is_named:
        spreads = dict(request.spreads)
        return Source.of(in_layout(find(model, request.mean, spreads, request.latent), request.layout))
    findings: list[Findings] = []
    with muted(model):
        for evaluating in (True, False) if model.training else (True,):
            findings.append(look_at(model, batch, evaluating))
            if findings[-1].latents:
                return Source.of(in_layout(latent_of(model, best_of(findings[-1].latents)), request.layout))
    last = findings[-1]
    if last.code is not None:
        return Source.of(in_layout(code_latent_of(model, last.code), request.layout))
    if not last.candidates:
        raise PolarMonitorError(f"ablate: no latent: {last.reason}; {AS_DECODER}")
    try:
        named = find(model, None, {}, None)
    except PolarMonitorError:
        named = None
    for reading in last.candidates:
        if named is not None and agrees(named, reading):
            return Source.of(in_layout(latent_of(model, reading), request.layout))
    reading = last.candidates[0]
    line = line_of(reading).replace("attach(model, ", "polar_monitor.ablate(model, batch, ", 1)
    raise PolarMonitorError(
        f"ablate: no latent for certain; the most likely has its mean from {reading.mean} and {reading.form.name} from "
        f"{reading.spread} ({reading.evidence}): {f'write {line}' if line else 'name its modules, as in mean=…'}"
    )


def _of_decoder(
    decoder: Any, batch: Any, loss: Loss | None, targets: Any, replace: tuple[str, ...], unit: str, seed: int
) -> Worth:
    call = DecoderCall.of(decoder)
    codes = _codes(call, batch)
    latent = Latent(codes, "nd" if codes.dim() == 2 else "n" if codes.dim() == 1 else "nd" + "hwt"[: codes.dim() - 2])
    with call.undisturbed():
        make = partial(_row_loss, loss=loss, batch=targets, targets=codes if targets is None else targets, unit=unit)
        return measured(call, latent, make, replace, judged=judge_latent(latent), seed=seed, where=call.name)


def _codes(call: DecoderCall, batch: Any) -> Tensor:
    if isinstance(batch, tuple | list) and len(batch) == 2 and all(hasattr(one, "shape") for one in batch):
        raise PolarMonitorError(
            "batch: expected the codes of a decoder, got two arrays: write ablate(decoder, codes, targets=x), and for "
            "a condition ablate(lambda z: decoder(z, condition), codes, targets=x)"
        )
    if not hasattr(batch, "shape") or not 1 <= len(batch.shape) <= 5:
        raise PolarMonitorError(f"batch: expected the codes of a decoder, shape (n, D), got {type(batch).__name__}")
    return call.codes(batch)


def _row_loss(
    output: Any, order: np.ndarray[Any, np.dtype[np.int64]], *, loss: Loss | None, batch: Any, targets: Any, unit: str
) -> RowLoss:
    if loss is not None:
        return RowLoss(loss, targets, output, order, unit)
    own, unit, measure = moved(output) if batch is None else own_loss(output, batch)
    losses = RowLoss(own, targets, output, order, unit)
    losses.measure = measure
    return losses


def check_replace(replace: Sequence[str]) -> None:
    """Raise PolarMonitorError for a replacement that does not exist, or none."""
    wrong = [name for name in replace if name not in WORDS] if not isinstance(replace, str) else [replace]
    if wrong or not replace:
        got = repr(replace) if isinstance(replace, str) or not replace else repr(wrong[0])
        raise PolarMonitorError(f'replace: expected some of {", ".join(map(repr, WORDS))}, as in ("mean",); got {got}')
