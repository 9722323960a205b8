"""Digamma and trigamma against SciPy's."""

import numpy as np
import pytest
from scipy import special

from polar_monitor.kernels.neighbours.digamma import digamma, psi

EULER = 0.5772156649015329


def test_digamma_is_scipys():
    for x in (1, 1.5, 2, 9.99, 10, 57, 4096):
        assert digamma(x) == pytest.approx(special.digamma(x), rel=1e-11)
    assert digamma(1) == pytest.approx(-EULER, rel=1e-11)


@pytest.mark.parametrize("largest", [1, 2, 100, 50_000])
def test_the_table_is_scipys(largest):
    whole = np.arange(1, largest + 1)
    table = psi(largest)
    assert np.isnan(table[:, 0]).all()
    np.testing.assert_allclose(table[0, 1 : largest + 1], special.digamma(whole), rtol=1e-12)
    np.testing.assert_allclose(table[1, 1 : largest + 1], special.polygamma(1, whole), rtol=1e-7)
