"""How often inputs recur: known multiplicities in any order, drift, spatial groups, and new inputs, which never do."""

import numpy as np
import pytest
from encoders import KINDS, random_encoder
from reference.repeats import share, slow

from polar_monitor.kernels.posterior import ACTIVE, posterior
from polar_monitor.kernels.repeats import PROBES, SCALES, coincidences, different, occurrences
from polar_monitor.statistics.window import light_statistics

N = 4096
ORDERS = {
    "new": (np.arange(N), 1.0),
    "16 in turn": (np.arange(N) % 16, 256.0),
    "16 shuffled": (np.random.default_rng(0).permutation(np.arange(N) % 16), 256.0),
    "1000 in turn": (np.arange(N) % 1000, 4.1),
    "1000 by chance": (np.random.default_rng(1).integers(0, 1000, N), 5.1),
    "each twice": (np.repeat(np.arange(N // 2), 2), 2.0),
}


def counted(mean, variance, group=None, tau=1.0):
    """Count over all dimensions, T from the rows."""
    described = posterior(mean, variance, group)
    total = described[2] + (tau**2 if variance is None else described[3])
    return occurrences(mean, variance, np.arange(len(mean)), ACTIVE * total, tau, group)


def gaussian(dimensions, nats, which, drift=0.0, seed=0):
    """Means of inputs `which` (n,) at a noise of some nats, drifting by `drift` σ over the window."""
    rng, sigma = np.random.default_rng(seed), np.exp(-nats)
    inputs = rng.normal(size=(dimensions, which.max() + 1))
    walk = np.cumsum(rng.normal(size=(dimensions, N // 64)), axis=1).repeat(64, axis=1) / 8
    mean = (inputs[:, which] + drift * sigma * walk).astype(np.float32)
    return mean, np.full_like(mean, sigma**2)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dimensions", [1, 2, 3, 4, 6, 8])
@pytest.mark.parametrize("nats", [0.5, 2.0, 5.0])
def test_inputs_that_recur_exactly_are_counted(order, dimensions, nats):
    which, times = ORDERS[order]
    rows = gaussian(dimensions, nats, which)
    assert counted(*rows) == pytest.approx(times, rel=0.3 if times < 10 else 0.05)
    assert counted(rows[0], None, tau=np.exp(-nats)) == pytest.approx(times, rel=0.3 if times < 10 else 0.05)


@pytest.mark.parametrize("order", ["16 in turn", "1000 in turn", "new"])
@pytest.mark.parametrize(("dimensions", "nats"), [(4, 2.0), (6, 1.0), (8, 2.0)])
@pytest.mark.parametrize("drift", [0.005, 0.02])
def test_inputs_that_recur_within_the_noise_are_counted(order, dimensions, nats, drift):
    which, times = ORDERS[order]
    assert counted(*gaussian(dimensions, nats, which, drift)) == pytest.approx(times, rel=0.15)


@pytest.mark.parametrize("order", ["16 in turn", "new"])
def test_inputs_of_one_dimension_that_recur_are_counted_if_they_hardly_drift(order):
    which, times = ORDERS[order]
    assert counted(*gaussian(1, 2.0, which, drift=0.001)) == pytest.approx(times, rel=0.15)


def test_inputs_that_recur_exactly_are_counted_exactly_if_half_use_one_dimension_alone():
    rng = np.random.default_rng(9)
    mean, variance = rng.normal(size=(2, N // 4)), np.full((2, N // 4), 0.02)
    mean[1, ::2], variance[1, ::2] = 0.0, 0.99
    assert counted(*(np.tile(side, 4).astype(np.float32) for side in (mean, variance))) == 4.0


def test_values_of_bfloat16_that_are_alike_are_no_repeats_unless_all_dimensions_are():
    which, times = ORDERS["1000 in turn"]
    for order, expected in ((np.arange(N), 1.0), (which, times)):
        mean, variance = gaussian(4, 3.0, order)
        mean = (mean.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
        assert counted(mean, variance) == pytest.approx(expected, rel=0.1)


def test_dimensions_that_a_probe_does_not_use_say_nothing():
    """Half of the inputs use each of four dimensions; where they do not, all lie within a tenth of the noise."""
    rng = np.random.default_rng(2)
    for which, times in (ORDERS["new"], ORDERS["1000 in turn"]):
        used = rng.random((4, which.max() + 1)) < 0.5
        mean = np.where(used, 1.0, 0.05) * rng.normal(size=used.shape)
        variance = np.where(used, 0.02, 0.98 * np.exp(0.6 * rng.normal(size=used.shape)))
        rows = np.ascontiguousarray(mean[:, which], np.float32), np.ascontiguousarray(variance[:, which], np.float32)
        assert counted(*rows) == pytest.approx(times, rel=0.2)


def test_broad_variances_of_inputs_that_use_nothing_are_no_repeats():
    """A tenth of the inputs use a dimension. The others are alike there, some with a small σ² by noise."""
    rng = np.random.default_rng(13)
    used = rng.random((50, 1024)) < 0.1
    mean = np.where(used, 1.0, 0.05) * rng.normal(size=used.shape)
    variance = np.where(used, 0.02, 0.99) * np.exp(0.5 * rng.normal(size=used.shape) - 0.125)
    assert counted(mean.astype(np.float32), variance.astype(np.float32)) < 1.02


@pytest.mark.parametrize("with_variance", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_new_inputs_of_a_random_encoder_do_not_recur(kind, with_variance):
    for seed in range(40):
        mean, variance = random_encoder(np.random.default_rng(seed), kind=kind)
        found = light_statistics(mean, variance if with_variance else None, None, 0.0, 1.0)
        assert found["repeats"] <= 1.1, seed


@pytest.mark.parametrize("places", [16, 64])
def test_places_of_one_image_are_no_repeats(places):
    """A code of maps with a constant corner: the corner is alike in all images, which are new all the same."""
    rng = np.random.default_rng(3)
    for images, times in ((N // places, 1.0), (N // places // 8, 8.0)):
        mean = rng.normal(size=(4, images, places))
        mean[..., : places // 8] = 2.0
        mean = np.tile(mean.reshape(4, -1), (1, round(times))).astype(np.float32)
        group = np.arange(mean.shape[1], dtype=np.int32) // places
        assert counted(mean, np.full_like(mean, 0.05), group) == pytest.approx(times, rel=0.1)


def test_new_inputs_of_tight_clusters_do_not_recur():
    """Three clusters in every dimension, whose inputs differ by a fourteenth of the noise."""
    rng = np.random.default_rng(6)
    for dimensions in (1, 2, 8):
        mean = rng.integers(-1, 2, (dimensions, N)) + 0.01 * rng.normal(size=(dimensions, N))
        assert counted(mean.astype(np.float32), np.full(mean.shape, 0.02, np.float32)) == 1.0


@pytest.mark.parametrize("jitter", [0.02, 0.05, 0.5])
@pytest.mark.parametrize("of_passive", [0, 3])
def test_new_inputs_that_differ_in_one_discrete_dimension_do_not_recur(jitter, of_passive):
    """The dimension says which of three; its inputs differ by a part of the noise. No other dimension is used."""
    rng = np.random.default_rng(7)
    mean, variance = 0.05 * rng.normal(size=(1 + of_passive, N)), np.full((1 + of_passive, N), 0.99)
    variance[0] = 0.02
    mean[0] = rng.choice([-1.2, 0.0, 1.2], N) + jitter * np.sqrt(variance[0]) * rng.normal(size=N)
    assert counted(mean.astype(np.float32), variance.astype(np.float32)) == 1.0


def test_inputs_of_one_discrete_dimension_do_not_speak_for_those_of_several():
    """A third of the inputs use one of three clusters alone, the others four dimensions, where they recur or not."""
    rng = np.random.default_rng(8)
    for which, times in (ORDERS["new"], ORDERS["1000 in turn"]):
        inputs = which.max() + 1
        discrete = rng.random(inputs) < 1 / 3
        mean, variance = rng.normal(size=(4, inputs)), np.full((4, inputs), 0.02)
        mean[1:, discrete], variance[1:, discrete] = 0.0, 0.99
        mean[0, discrete] = rng.choice([-1.2, 0.0, 1.2], discrete.sum())
        drift = 0.005 * np.sqrt(0.02) * rng.normal(size=(4, N))
        rows = mean[:, which] + drift, variance[:, which]
        assert counted(*(np.ascontiguousarray(side, np.float32) for side in rows)) == pytest.approx(times, rel=0.2)


def test_rows_that_are_not_finite_recur_nowhere():
    mean, variance = gaussian(3, 2.0, np.arange(N) % 16)
    spoiled = np.random.default_rng(5).random(N) < 0.5
    mean[:, spoiled], variance[1, 5] = np.nan, np.inf
    assert counted(mean, variance) == pytest.approx(128, rel=0.1)
    assert counted(np.full((2, 600), np.nan, np.float32), None) == 1.0
    for n in (0, 1, 2):
        assert 1.0 <= counted(mean[:, :n].copy(), variance[:, :n].copy()) <= 2.0


def test_constant_outputs_are_not_one_input():
    """A dead encoder uses no dimension, so nothing shows which inputs recur."""
    mean = np.full((3, N), 0.7, np.float32)
    for variance in (np.full_like(mean, 0.5), None):
        assert light_statistics(mean, variance, None, 0.0, 1.0)["repeats"] == 1.0


@pytest.mark.parametrize("with_variance", [True, False])
@pytest.mark.parametrize("size", [1, 5])
def test_matches_the_slow_twin(with_variance, size):
    rng = np.random.default_rng(4)
    which = np.arange(300) % 40
    mean = rng.normal(size=(8, 40))[:, which] + 0.02 * rng.normal(size=(8, 300))
    variance = np.exp(rng.normal(size=(8, 40)) - 1)[:, which]
    mean[2, ::11], variance[3, 5] = np.nan, np.inf
    mean, variance = np.stack([mean, variance]).astype(np.float32)
    group = np.arange(300, dtype=np.int32) // size if size > 1 else np.zeros(0, np.int32)
    probes, largest = np.arange(PROBES) * 9, np.linspace(0.3, 1.0, 8)
    which, counts = np.array([3, 1, 0, 2, 7, 6, 5, 4]), np.zeros((PROBES, 1 + len(SCALES)), np.int64)
    spread = variance if with_variance else np.zeros((0, 0), np.float32)
    most = coincidences(mean, spread, group, 0.5, largest, which, probes, counts)
    expected = [slow(mean, variance if with_variance else None, group, 0.5, largest, which, p) for p in probes]
    np.testing.assert_array_equal(counts, expected)
    assert most == counts[:, 2].max()


def test_the_share_of_different_inputs_matches_the_slow_twin():
    rng = np.random.default_rng(5)
    for trial in range(500):
        probes = rng.integers(1, 33)
        counts = np.sort(1 + rng.poisson(rng.choice([0.0, 0.1, 3.0, 40.0], (probes, 1)), (probes, 5)))[:, ::-1].copy()
        counts[:, 0] = rng.integers(0, rng.integers(1, 7), probes)
        counts[:, 2:] = np.where(rng.random() < 0.5, counts[:, 2:3], counts[:, 2:])
        assert different(counts, np.zeros(0, np.int32)) == pytest.approx(share(counts), rel=1e-12), trial


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_one_value_that_is_common_among_others_is_one_input_of_many(share):
    """Blank images: the others stay different inputs."""
    rng = np.random.default_rng(7)
    mean = rng.normal(size=(4, N)).astype(np.float32)
    mean[:, rng.random(N) < share] = 0.3
    variance = np.full_like(mean, 0.02)
    different = len(np.unique(mean, axis=1).T)
    assert N / counted(mean, variance) == pytest.approx(different, rel=0.25)


@pytest.mark.parametrize("places", [16, 49])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_images_whose_places_are_mostly_constant_are_different_inputs(share, places):
    rng, images = np.random.default_rng(8), 512
    mean = rng.normal(size=(4, images, places)).astype(np.float32)
    mean[:, :, : int(share * places)] = rng.normal(size=(4, 1, 1))
    group = np.repeat(np.arange(images, dtype=np.int32), places)
    rows = np.ascontiguousarray(mean.reshape(4, -1))
    assert counted(rows, np.full_like(rows, 0.02), group) == 1.0
    twice = np.ascontiguousarray(np.tile(mean[:, : images // 2], (1, 2, 1)).reshape(4, -1))
    assert counted(twice, np.full_like(twice, 0.02), group) == pytest.approx(2.0)
