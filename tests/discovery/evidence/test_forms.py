"""Forms of a spread: log σ for the evidence, and what a monitor reads, have to be the same σ."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from polar_monitor.arrays.spread import UNITS
from polar_monitor.discovery.evidence.forms import FORMS, Form, log_scales

VALUES = np.linspace(-3, 3, 61, dtype=np.float32)


def test_all_forms_at_once_are_each_form() -> None:
    with np.errstate(all="ignore"):
        each = np.stack([form.log_scale(VALUES) for form in FORMS])
    assert np.allclose(log_scales(VALUES), each, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_what_is_read_is_the_scale(form: Form) -> None:
    with np.errstate(all="ignore"):
        log_scale = form.log_scale(VALUES)
    possible = np.isfinite(log_scale)
    given = torch.from_numpy(VALUES[possible])
    spread = given if form.read is None else form.read(given)
    variance = np.exp(2 * log_scale[possible]) * (2 if form.laplace else 1)
    assert np.allclose(UNITS[form.unit].variance(spread.numpy(), np), variance, rtol=1e-4)


def test_no_name_is_there_twice() -> None:
    assert len({form.name for form in FORMS}) == len(FORMS)
