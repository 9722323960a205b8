"""Outputs of modules: the parts that they name are read as mean and variance, also in compiled code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from polar_monitor.arrays.spread import UNITS
from polar_monitor.discovery.outputs import one_distribution, one_tensor, structured
from polar_monitor.discovery.vocabulary import MEAN_FIELDS, SPREAD_FIELDS


@dataclass
class Output:
    z_mean: Tensor
    z_log_var: Tensor


class Pair(NamedTuple):
    mu: Tensor
    std: Tensor


M, LV = torch.randn(6, 3), torch.randn(6, 3)
SD = (0.5 * LV).exp()


@pytest.mark.parametrize(
    "output",
    [
        (M, LV),
        [M, LV, "more"],
        {"mu": M, "logvar": LV},
        {"mean": M, "log_std": 0.5 * LV},
        Output(M, LV),
        Pair(M, SD),
        SimpleNamespace(latent_dist=SimpleNamespace(mean=M, logvar=LV)),
        torch.distributions.Normal(M, SD),
        torch.distributions.Independent(torch.distributions.Normal(M, SD), 1),
        torch.distributions.Laplace(M, SD / 2**0.5),
        (torch.distributions.Normal(M, SD), M),
        torch.cat([M, LV], 1),
    ],
    ids=lambda o: type(o).__name__,
)
def test_outputs_that_name_their_parts_are_read(output: object) -> None:
    mean, variance = structured(output)
    assert torch.equal(mean, M)
    assert variance is not None
    torch.testing.assert_close(variance, LV.exp())


def test_channels_are_chunked_in_spatial_latents() -> None:
    moments = torch.randn(2, 8, 4, 4)
    mean, variance = structured(moments)
    assert torch.equal(mean, moments[:, :4])
    assert variance is not None
    torch.testing.assert_close(variance, moments[:, 4:].exp())


@pytest.mark.parametrize("output", ["text", (M, LV[:, :2]), {"x": M}, 3])
def test_an_output_that_does_not_name_its_parts_is_refused(output: object) -> None:
    with pytest.raises(TypeError, match="expected"):
        structured(output)


INVERSE = {"logvar": LV, "var": LV.exp(), "std": SD, "logstd": 0.5 * LV}


@pytest.fixture
def _fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.usefixtures("_fresh_compiler")
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("unit", UNITS)
def test_every_field_is_read_in_its_unit_and_traced_by_a_compiler(unit: str, compiled: bool) -> None:
    read: Any = torch.compile(structured, backend="eager", fullgraph=True) if compiled else structured
    fields = [field for field, stated in SPREAD_FIELDS.items() if stated == unit]
    for field in fields[:2] if compiled else fields:
        mean, variance = read({"mu": M, field: INVERSE[unit]})
        assert torch.equal(mean, M)
        assert torch.equal(variance, UNITS[unit].variance(INVERSE[unit], torch))
        torch.testing.assert_close(variance, LV.exp())


@pytest.mark.parametrize("field", MEAN_FIELDS)
def test_every_name_of_a_mean_is_read(field: str) -> None:
    assert torch.equal(structured({field: M, "logvar": LV})[0], M)


def test_the_log_variance_is_preferred_and_a_spread_of_another_shape_is_none() -> None:
    assert torch.equal(structured({"mean": M, "std": 7 * SD, "logvar": LV})[1], LV.exp())
    assert torch.equal(structured({"mean": M, "std": SD, "logvar": LV[:, :2]})[1], SD.square())
    with pytest.raises(TypeError, match=r"expected a spread beside the mean, got dict\(mean, z\).*mean= alone"):
        structured({"mean": M, "z": M})


def test_three_tensors_of_one_shape_are_refused() -> None:
    """(mean, log-variance, sample) and (sample, mean, log-variance) are both in use."""
    with pytest.raises(TypeError, match="no third such tensor"):
        structured((M, LV, M))


def test_one_side_is_one_tensor() -> None:
    assert one_tensor(M) is M
    with pytest.raises(TypeError, match="expected one tensor, got tuple: pass latent= if it carries both"):
        one_tensor((M, LV))


def test_a_distribution_without_a_location_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a Normal or Laplace distribution, got Bernoulli"):
        one_distribution(torch.distributions.Bernoulli(torch.ones(3) / 2))
