"""The latent that is watched, of several."""

from __future__ import annotations

from polar_monitor.discovery.evidence.forms import FORMS
from polar_monitor.discovery.evidence.latents import best_of
from polar_monitor.discovery.evidence.noise import Fit
from polar_monitor.discovery.evidence.pieces import Slot
from polar_monitor.discovery.evidence.reading import Reading
from polar_monitor.discovery.evidence.samples import SampleSlot
from polar_monitor.discovery.evidence.views import View


def test_a_latent_that_is_made_of_samples_is_above_the_one_that_they_are_of() -> None:
    def reading(name: str, rows: int, order: int, takers: set[str], decodes: bool = False) -> Reading:
        mean, spread = (Slot(f"{name}.{side}", (), None) for side in ("mean", "var"))
        sample = SampleSlot("", True, (), 0, View(""))
        fit = Fit(1.0, 0.1, 1.0, 1000)
        return Reading(mean, spread, FORMS[0], sample, (rows, 6), fit, 9.0, order, frozenset(takers), decodes=decodes)

    below = reading("encoder", 64, 1, {"decoder", "encoder2"})
    above = reading("encoder2", 192, 2, {"decoder2"})
    assert best_of([below, above]) is below
    assert best_of([reading("encoder", 64, 1, {"decoder"}), above]) is above
    nearer = reading("decoder.q", 64, 3, {"decoder.out"}, decodes=True)  # heads inside of a decoder
    assert best_of([reading("encoder", 64, 1, {"decoder"}, decodes=True), nearer]) is nearer
