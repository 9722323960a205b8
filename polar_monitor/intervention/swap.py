"""Forwards of a model in which the code is replaced between encoder and decoder, by hooks that come off again.

A few forwards show mean and spread, and which calls of modules take the code: a tensor that is mean + σ × noise or,
of models that decode the mean and of autoencoders, the mean itself. Later forwards give these calls another code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .._torch_compat import is_plain
from ..arrays.spread import UNITS
from ..capture.axes import Axes
from ..capture.search.look import hookable_modules
from ..capture.undisturbed import call, same_random_numbers, undisturbed
from ..discovery.evidence.seen import Path, tensors_of
from ..discovery.latent import Latent as WatchedLatent
from ..discovery.latent import Reader
from ..errors import PolarMonitorError
from .muted import muted
from .places import Place, places_in
from .replacements import Latent, sampled

MAX_DEVIATION = 6.0
"""Standard errors that the residuals' mean and variance may be away from those of noise."""
SEED = 1
"""Seed of the random numbers of the forward in which a sample has to be another one."""
TOLERANCE = 0.1
"""Difference of the residuals' variance from 1 that is allowed beside it."""
WRITE = "write polar_monitor.ablate(lambda z: …, codes, targets=…), with a function from the code to the output"


class NoCodeError(PolarMonitorError):
    """No module takes the code that others give."""


class Part(NamedTuple):
    """One module that gives mean, spread or both, and how its output is read."""

    module: nn.Module
    reader: Reader | None
    side: str
    calls: frozenset[int] | None = None
    """Places, in a forward, of the module's calls that are of the latent; None for all."""


@dataclass(frozen=True)
class Source:
    """Where a model's latent comes from."""

    parts: tuple[Part, ...]
    kind: str | None
    """Unit of the spread; None without one."""
    axes: Axes
    where: str
    """The modules in words, for messages."""

    @classmethod
    def of(cls, latent: WatchedLatent) -> Source:
        """Return the source of a latent that names or data gave."""
        parts = tuple(Part(part.module, part.reader, part.side, part.calls) for part in latent.parts)
        given = latent.layout if latent.layout_given else None
        where = ", ".join(repr(part.name) if part.name else "the model's output" for part in latent.parts)
        return cls(parts, latent.kind, Axes(given, latent.layout, latent.dimensions or latent.likely), where)


class Site(NamedTuple):
    """One call of a module that takes the code."""

    module: nn.Module
    call: int
    path: Path
    place: Place


class SwappedForward:
    """Forwards of a model on one batch, each with another code. Call it inside `undisturbed()`."""

    def __init__(self, model: nn.Module, batch: Any, source: Source) -> None:
        self.modules = (model,)
        self._model, self._batch, self._source = model, batch, source
        self._sites: tuple[Site, ...] = ()

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Context for forwards: eval mode, no gradient, no row for any monitor; all is put back at its end."""
        with undisturbed(self._model), muted(self._model):
            yield

    def latent(self) -> Latent:
        """Run the model as it is, and return its latent. Raises NoCodeError if no module takes the code."""
        mean, spread = self._read()
        sigma = None
        if spread is not None and self._source.kind is not None:
            sigma = UNITS[self._source.kind].variance(spread, torch).sqrt()
        search = CodeSearch(mean, sigma)
        for seed in (None, SEED) if sigma is not None else (None,):
            search.begin(is_repeat=seed is not None)
            with ExitStack() as stack:
                for _, module in hookable_modules(self._model):
                    stack.callback(module.register_forward_pre_hook(search, with_kwargs=True).remove)
                self._run(stack, seed)
        code, self._sites = search.result()
        if not self._sites:
            raise NoCodeError(
                f"ablate: the model gives a code ({self._source.where}), but no module takes it, or a sample of it, in "
                f"eval mode: {WRITE}"
            )
        if code is None:
            code = mean if sigma is None else sampled(mean, sigma)
            if sigma is not None and self._is_random(code):
                raise NoCodeError(
                    f"ablate: {self._source.where} give mean and spread, but a sample is drawn that is not mean + σ × "
                    "noise: a clamp or another function comes between. Name the tensors that enter the sample, as in "
                    f"mean=lambda out: …, or {WRITE}"
                )
        return Latent(code, self._source.axes.of(tuple(mean.shape)), mean, sigma)

    def __call__(self, code: Tensor, seed: int | None = None) -> Any:
        """Return the model's output with this code."""
        with ExitStack() as stack:
            for module in {id(site.module): site.module for site in self._sites}.values():
                own = [site for site in self._sites if site.module is module]
                stack.callback(module.register_forward_pre_hook(_swap(own, code), with_kwargs=True).remove)
            return self._run(stack, seed)

    def _is_random(self, code: Tensor) -> bool:
        """Return True if the output with a code depends on the random numbers: a sample is drawn after it."""
        outputs = [[tensor for _, tensor in tensors_of(self(code, seed))] for seed in (None, SEED)]
        return any(not _equal(one, other) for one, other in zip(*outputs, strict=True))

    def _run(self, stack: ExitStack, seed: int | None = None) -> Any:
        """Run the model, each time from the same random numbers, or from those of a seed."""
        stack.enter_context(same_random_numbers())
        if seed is not None:
            torch.manual_seed(seed)
        return call(self._model, self._batch)

    def _read(self) -> tuple[Tensor, Tensor | None]:
        """Run the model as it is, and return the mean and the spread."""
        values: dict[str, Tensor] = {}
        failures: list[Exception] = []
        differ: list[str] = []

        def give(part: Part) -> Callable[..., None]:
            place = -1

            def hook(module: nn.Module, args: Any, output: Any) -> None:
                nonlocal place
                place += 1
                if part.calls is not None and place not in part.calls:
                    return
                try:
                    value = output if part.reader is None else part.reader(output)
                    sides = ("mean", "spread") if part.side == "both" else (part.side,)
                    for side, tensor in zip(sides, value if part.side == "both" else (value,), strict=True):
                        if tensor is not None:
                            if side in values and not _equal(values[side], tensor):
                                differ.append(side)
                            values[side] = tensor.detach().clone()
                except Exception as failure:
                    failures.append(failure)

            return hook

        with ExitStack() as stack:
            for part in self._source.parts:
                stack.callback(part.module.register_forward_hook(give(part)).remove)
            self._run(stack)
        if failures:
            text = f"{type(failures[0]).__name__}: {failures[0]}"
            raise PolarMonitorError(f"ablate: the latent from {self._source.where} could not be read: {text}")
        if differ:
            raise PolarMonitorError(
                f"ablate: {self._source.where} give several codes in one forward, as in a model that is called once a "
                f"time step: which one to replace is not known. For one of them {WRITE}"
            )
        if "mean" not in values or (self._source.kind is not None and "spread" not in values):
            raise PolarMonitorError(
                f"ablate: expected a forward that calls {self._source.where}, got none: pass what the training loop "
                "passes to the model"
            )
        return values["mean"], values.get("spread")


class CodeSearch:
    """Hook before each module: notes the calls that take a sample of a posterior, or its mean.

    A sample is mean + σ × noise, and is another one if the random numbers are others: `begin` starts each of the two
    forwards. A call that takes the spread too draws the sample, or computes a divergence: it is not the decoder's.
    """

    def __init__(self, mean: Tensor, sigma: Tensor | None) -> None:
        self._mean, self._sigma = mean, sigma
        self._is_repeat = False
        self._calls: dict[int, int] = {}
        self._of_mean: list[Site] = []
        self._samples: list[tuple[Tensor, list[Site]]] = []
        """Tensors that may be the sample, and the calls that take each."""

    def begin(self, is_repeat: bool) -> None:
        """Begin a forward; in the repeat with other random numbers, what stays the same is no sample."""
        self._is_repeat, self._calls = is_repeat, {}

    def result(self) -> tuple[Tensor | None, tuple[Site, ...]]:
        """Return the first sample and the calls that take it; without a sample, None and those of the mean.

        Other samples that the same modules take, in other calls, are replaced with it.
        """
        if not self._samples:
            return None, tuple(self._of_mean)
        code, first = self._samples[0]
        modules = {site.module for site in first}
        return code, tuple(site for _, sites in self._samples for site in sites if site.module in modules)

    def __call__(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        """Look at what one call of a module takes."""
        number = self._calls[id(module)] = self._calls.get(id(module), -1) + 1
        tensors = [
            (path, tensor.detach())
            for path, tensor in (*tensors_of(args), *tensors_of(kwargs))
            if is_plain(tensor) and tensor.is_floating_point()
        ]
        if self._is_repeat:
            self._drop_what_stays(module, number, dict(tensors))
            return
        draws = self._sigma is not None and any(_is_spread(tensor, self._sigma) for _, tensor in tensors)
        for path, tensor in tensors:
            for place in places_in(tuple(tensor.shape), tuple(self._mean.shape)):
                self._note(place.read(tensor), Site(module, number, path, place), draws)

    def _note(self, code: Tensor, site: Site, draws: bool) -> None:
        if torch.equal(code, self._mean):
            if not draws and not _has(self._of_mean, site):
                self._of_mean.append(site)
            return
        for other, sites in self._samples:
            if torch.equal(code, other):
                if not _has(sites, site):
                    sites.append(site)
                return
        if self._sigma is not None and is_sample(code, self._mean, self._sigma):
            self._samples.append((code.clone(), [site]))

    def _drop_what_stays(self, module: nn.Module, number: int, tensors: dict[Path, Tensor]) -> None:
        def stays(code: Tensor, site: Site) -> bool:
            if site.module is not module or site.call != number or site.path not in tensors:
                return False
            return torch.equal(site.place.read(tensors[site.path]), code)

        self._samples = [(code, sites) for code, sites in self._samples if not stays(code, sites[0])]


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one, other)


def _has(sites: Sequence[Site], site: Site) -> bool:
    """Return True if the same tensor is among these already, in another place of the same size."""
    return any(other[:3] == site[:3] for other in sites)


def is_sample(code: Tensor, mean: Tensor, sigma: Tensor) -> bool:
    """Return True if a code is mean + σ × noise, by the mean and the variance of the residuals."""
    residual = ((code - mean) / sigma).double()
    count = residual.numel()
    if count < 2 or not bool(torch.isfinite(residual).all()):
        return False
    center, variance = float(residual.mean()), float(residual.var())
    limit = TOLERANCE + MAX_DEVIATION * float(5 / count) ** 0.5
    return bool(abs(center) <= MAX_DEVIATION / float(count) ** 0.5 and abs(variance - 1) <= limit)


def _is_spread(tensor: Tensor, sigma: Tensor) -> bool:
    """Return True if a tensor is σ in some unit."""
    if tensor.shape != sigma.shape:
        return False
    forms = (UNITS[unit].variance(tensor, torch) for unit in UNITS)
    return any(torch.allclose(form, sigma.square(), rtol=1e-4, atol=0.0) for form in forms)


def _swap(sites: Sequence[Site], code: Tensor) -> Callable[..., Any]:
    calls = -1

    def hook(module: nn.Module, args: Any, kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        for site in sites:
            if site.call == calls:
                if isinstance(site.path[0], str):
                    kwargs = _changed(kwargs, site.path, site.place, code)
                else:
                    args = _changed(args, site.path, site.place, code)
        return args, kwargs

    return hook


def _changed(value: Any, path: Path, place: Place, code: Tensor) -> Any:
    """Return a value in which the tensor at a path has another code."""
    if not path:
        return place.write(value, code)
    key, rest = path[0], path[1:]
    if isinstance(key, str) and key.startswith("."):
        raise PolarMonitorError(f"ablate: the code lies in the attribute {key[1:]!r} of what a module takes: {WRITE}")
    new = _changed(value[key], rest, place, code)
    if isinstance(value, dict):
        return {**value, key: new}
    items = [new if at == key else item for at, item in enumerate(value)]
    return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
