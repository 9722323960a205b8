"""Pictures by matplotlib: what they draw are the numbers of the run."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pages.logs import fading_alert, falling_run, never_finite, write_log
from records import make_alert, make_evaluation, make_run

import polar_monitor
from polar_monitor.alerts.alert import AlertKind

pytest.importorskip("matplotlib")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_log(tmp_path / "a", falling_run({500: (fading_alert(500, [0]),)}))
    return tmp_path / "a"


def test_lifelines_have_a_row_for_each_dimension_and_one_for_the_rest(run: Path) -> None:
    (axes,) = polar_monitor.plot.lifelines(run).axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["dim 1", "dim 0", "dim 4", "2 more"]
    texts = " ".join(text.get_text() for text in axes.texts)
    assert "going now (80 %: 700 to 900)" in texts
    assert "never in use: healthy" in texts
    assert {"now", "since", "what comes next", "0.50"} <= {text.get_text() for text in axes.texts}


def test_alerts_are_marked_on_their_rows_and_the_folded_group_has_its_highest_curve(tmp_path: Path) -> None:
    drain = replace(make_alert(600, None, AlertKind.DRAIN), dimensions=())
    write_log(tmp_path, falling_run({500: (fading_alert(500, [0]),), 600: (drain,)}))
    (axes,) = polar_monitor.plot.lifelines(tmp_path).axes
    marks = [line for line in axes.lines if line.get_marker() == "v"]
    assert [float(line.get_xdata()[0]) for line in marks] == [500.0]
    assert "DRAIN" in {text.get_text() for text in axes.texts}
    folded = axes.collections[-1].get_paths()[0].vertices
    assert folded[:, 1].max() - folded[:, 1].min() == pytest.approx(0.82 * 0.002 / 2.4, rel=0.01)
    figure = axes.figure
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]


def test_the_plane_is_that_of_the_step(run: Path) -> None:
    from polar_monitor.sinks.jsonl import read_jsonl

    (axes,) = polar_monitor.plot.plane(run, step=350).axes
    ends = [line.get_xydata()[-1] for line in axes.lines]
    snapshot = read_jsonl(run / "polar.jsonl")[2].snapshot
    assert snapshot is not None
    at = (snapshot.variance[0], snapshot.posterior_variance[0])
    assert any(np.allclose(end, at, rtol=2e-3) for end in ends)
    assert "step 300" in axes.get_title(loc="left")


def test_a_spectrum_has_a_line_for_each_run(run: Path, tmp_path: Path) -> None:
    write_log(tmp_path / "b", make_run(5, 6, bins=8))
    (axes,) = polar_monitor.plot.spectrum([run, tmp_path / "b"]).axes
    assert [len(line.get_ydata()) for line in axes.lines] == [5, 6]
    assert axes.lines[0].get_ydata()[0] == pytest.approx(2.4, rel=1e-3)


def test_a_folder_of_runs_has_all_of_them_in_one_spectrum(run: Path, tmp_path: Path) -> None:
    write_log(tmp_path / "b", make_run(5, 40, bins=8))
    (axes,) = polar_monitor.plot.spectrum(tmp_path).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]
    assert axes.get_xscale() == "log"
    (tmp_path / "c.jsonl").write_text("x\n")
    with pytest.raises(polar_monitor.PolarMonitorError, match="not a log of Polar Monitor"):
        polar_monitor.plot.spectrum([run, tmp_path / "c.jsonl"])


@pytest.mark.parametrize("drawn", [never_finite(), make_run(4, 1, bins=8), make_run(4, 512, bins=8)])
def test_every_run_is_drawn(tmp_path: Path, drawn: list[object]) -> None:
    write_log(tmp_path, drawn)
    for draw in (polar_monitor.plot.lifelines, polar_monitor.plot.plane, polar_monitor.plot.spectrum):
        draw(tmp_path).savefig(io.BytesIO(), format="svg")


def test_a_latent_is_chosen_by_name_and_mode(tmp_path: Path) -> None:
    write_log(tmp_path, [make_evaluation(100, name=name, bins=8) for name in ("z1", "z2")])
    assert "z2" in polar_monitor.plot.plane(tmp_path, name="z2").axes[0].get_title(loc="left")
    with pytest.raises(polar_monitor.PolarMonitorError, match=re.escape("got '' in mode 'train': name='z1'")):
        polar_monitor.plot.plane(tmp_path)
