"""The values of an evaluation as TensorBoard reads them back."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from boards import histograms, read, series, texts, written
from PIL import Image
from records import ACTIVE, MIXED, PASSIVE, UNDECIDED, light, make_alert, make_evaluation, make_run
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from polar_monitor.context import Context
from polar_monitor.regime.regime import Verdict
from polar_monitor.sinks.tensorboard.values import EvaluationValues

LABELS = (ACTIVE, PASSIVE, MIXED, UNDECIDED)


def test_headline(tmp_path):
    evaluations = [make_evaluation(100, LABELS, observed=640), make_evaluation(200, (ACTIVE,) * 4, overhead=0.25)]
    written(tmp_path, evaluations)
    board = read(tmp_path)
    expected = {
        "active": [1, 4],
        "passive": [1, 0],
        "mixed": [1, 0],
        "undecided": [1, 0],
        "information": [float(e.snapshot.information.sum()) for e in evaluations],
        "overhead": [0.004, 0.25],
        "observations": [640, 12_800],
    }
    for what, values in expected.items():
        points = series(board, f"polar/{what}")
        assert [step for step, _ in points] == [100, 200]
        np.testing.assert_allclose([value for _, value in points], values, rtol=1e-6)


def test_nothing_observed(tmp_path):
    written(tmp_path, [make_evaluation(empty=True)])
    board = read(tmp_path)
    assert board.Tags()["scalars"] == ["polar/observations", "polar/overhead"]
    assert series(board, "polar/observations") == [(100, 0)]
    assert board.Tags()["images"] == []


def test_every_dimension_has_its_lines(tmp_path):
    evaluation = make_evaluation(100, LABELS * 2)
    written(tmp_path, [evaluation])
    board = read(tmp_path)
    states = {PASSIVE: 0, UNDECIDED: 1, MIXED: 2, ACTIVE: 3}
    for j, label in enumerate(LABELS * 2):
        ((_, information),) = series(board, f"polar_dims/information/{j:03d}")
        ((_, entropy),) = series(board, f"polar_dims/entropy/{j:03d}")
        assert information == pytest.approx(evaluation.snapshot.information[j], rel=1e-6)
        assert entropy == pytest.approx(evaluation.snapshot.entropy_knn[j], rel=1e-6)
        assert series(board, f"polar_dims/state/{j:03d}") == [(100, states[label])]
    assert len([tag for tag in board.Tags()["scalars"] if not tag.startswith("overview/")]) == 7 + 3 * 8
    assert len([tag for tag in board.Tags()["tensors"] if "/mean/" in tag]) == 8


def test_of_many_dimensions_the_extremes_of_the_first_evaluation(tmp_path):
    information = np.random.default_rng(0).permutation(1200) / 1000
    labels = [PASSIVE] * 1200
    written(
        tmp_path,
        [make_evaluation(100, labels, information=information, bins=16),
         make_evaluation(200, labels, information=information[::-1].copy(), bins=16)],
    )  # fmt: skip
    board = read(tmp_path)
    order = np.argsort(information)
    expected = sorted([*order[:16], *order[-16:]])
    for what in ("information", "entropy", "state"):
        tags = [tag for tag in board.Tags()["scalars"] if tag.startswith(f"polar_dims/{what}/")]
        assert sorted(tags) == [f"polar_dims/{what}/{j:04d}" for j in expected]
        assert all(len(series(board, tag)) == 2 for tag in tags)


def test_what_is_not_finite_is_left_out(tmp_path):
    information = [1.0, math.nan, math.inf, 0.5]
    written(tmp_path, [make_evaluation(100, LABELS, information=information, overhead=math.nan)])
    board = read(tmp_path)
    tags = board.Tags()["scalars"]
    assert [tag for tag in tags if "information" in tag] == [
        "polar/information",
        "polar_dims/information/000",
        "polar_dims/information/003",
    ]
    assert "polar/overhead" not in tags
    assert series(board, "polar/information") == [(100, 1.5)]
    assert all(math.isfinite(value) for tag in tags for _, value in series(board, tag))


def test_nothing_finite_at_all(tmp_path):
    written(tmp_path, [make_evaluation(100, LABELS, information=[math.nan] * 4)])
    assert "polar/information" not in read(tmp_path).Tags()["scalars"]


def test_histograms_hold_our_counts(tmp_path):
    evaluation = make_evaluation(100, LABELS)
    written(tmp_path, [evaluation])
    board = read(tmp_path)
    for j, ours in enumerate(evaluation.snapshot.histograms):
        ((step, rows),) = histograms(board, f"polar_dims/mean/{j:03d}")
        assert step == 100
        assert rows[:, 2].sum() == ours.counts.sum() == 1000
        assert (rows[1, 0], rows[-2, 1]) == (ours.low, ours.high)
        np.testing.assert_array_equal(rows[1:, 0], rows[:-1, 1])
        assert 1 < len(rows) <= 34
        assert board.SummaryMetadata(f"polar_dims/mean/{j:03d}").plugin_data.plugin_name == "histograms"


def test_all_histograms_of_a_step_have_one_scale(tmp_path):
    written(tmp_path, [make_evaluation(100, (ACTIVE, PASSIVE, MIXED, UNDECIDED) * 3)])
    board = read(tmp_path)
    ends = set()
    for j in range(12):
        ((_, rows),) = histograms(board, f"polar_dims/mean/{j:03d}")
        assert rows[0, 2] == rows[-1, 2] == 0.0
        ends.add((rows[0, 0], rows[-1, 1]))
    ((low, high),) = ends
    assert low == -high
    assert math.frexp(high)[0] == 0.5


def test_a_light_evaluation_writes_numbers_only(tmp_path):
    run = [make_evaluation(100, LABELS)]
    for step in range(200, 4100, 100):
        one = make_evaluation(step, LABELS)
        run.append(replace(one, snapshot=light(one.snapshot)))
    run.append(make_evaluation(4100, LABELS))
    written(tmp_path, run)
    board = read(tmp_path)
    for j in range(4):
        assert [step for step, _ in series(board, f"polar_dims/information/{j:03d}")] == [e.step for e in run]
        assert [step for step, _ in series(board, f"polar_dims/state/{j:03d}")] == [e.step for e in run]
        assert [step for step, _ in series(board, f"polar_dims/entropy/{j:03d}")] == [100, 4100]
        assert [event.step for event in board.Tensors(f"polar_dims/mean/{j:03d}")] == [100, 4100]
    assert [image.step for image in board.Images("polar/states")] == [100, 4100]


def test_strip_and_histograms_are_drawn_rarely_and_at_a_new_verdict(tmp_path):
    run = [make_evaluation(step) for step in range(1, 121)]
    run[99] = make_evaluation(100, verdict=Verdict.COLLAPSED)
    run[100:] = [make_evaluation(step, verdict=Verdict.COLLAPSED) for step in range(101, 121)]
    sparse = [e if e.step % 8 == 1 or e.step == 100 else replace(e, snapshot=light(e.snapshot)) for e in run]
    for name, evaluations, steps in (
        ("full", run, [1, 3, 7, 15, 31, 63, 95, 100, 120]),
        ("light", sparse, [1, 9, 25, 57, 89, 100, 120]),
    ):
        written(tmp_path / name, evaluations)
        board = read(tmp_path / name)
        assert [image.step for image in board.Images("polar/states")] == steps
        # the last strip is written at the end
        assert [event.step for event in board.Tensors("polar_dims/mean/003")] == steps[:-1]


def test_the_strip_shows_light_evaluations_too(tmp_path):
    strips = []
    for keep in (lambda snapshot: snapshot, light):
        values = EvaluationValues("", "train")
        for one in make_run(20, 4):
            values.summary(replace(one, snapshot=keep(one.snapshot)))
        values.add_strip(values_of := Summary().value)
        strips.append(values._strip.columns()[1].tolist())
        assert len(values_of) == 1 or keep is not light
    assert strips[0] == strips[1]


def test_an_alert_and_a_new_verdict_of_a_light_evaluation_are_written(tmp_path):
    one = make_evaluation(100, alerts=(make_alert(100, 2),), verdict=Verdict.COLLAPSED)
    written(tmp_path, [make_evaluation(50), replace(one, snapshot=light(one.snapshot))])
    board = read(tmp_path)
    assert [event.step for event in board.Tensors("polar/alerts")] == [100]
    assert [event.step for event in board.Tensors("polar/verdict")] == [50, 100]


def test_alerts_and_verdict_are_texts(tmp_path):
    alerts = make_alert(100, 2), make_alert(100, None)
    written(
        tmp_path,
        [make_evaluation(100, alerts=alerts), make_evaluation(200), make_evaluation(300, verdict=Verdict.COLLAPSED)],
    )
    board = read(tmp_path)
    (markdown,) = texts(board, "polar/alerts")
    assert markdown.startswith("**FADING** at step 100, dimension 2\n")
    assert "information fell from 1.20 to 0.48 nats" in markdown
    assert "out of use at about step 600 (from 400 to 1000)" in markdown
    assert markdown.count("**FADING**") == 2
    assert [text.split("\n")[0] for text in texts(board, "polar/verdict")] == ["**polarised**", "**collapsed**"]
    assert [event.step for event in board.Tensors("polar/verdict")] == [100, 300]
    assert board.SummaryMetadata("polar/alerts").plugin_data.plugin_name == "text"


def test_name_and_mode_stand_before_the_tag(tmp_path):
    written(
        tmp_path,
        [
            make_evaluation(100),
            make_evaluation(100, mode="eval"),
            make_evaluation(100, name="z top"),
            make_evaluation(100, name="z top", mode="eval"),
        ],
    )
    tags = read(tmp_path).Tags()["scalars"]
    for prefix in ("", "eval/", "z_top/", "z_top/eval/"):
        assert f"polar/{prefix}active" in tags
        assert f"polar_dims/{prefix}state/003" in tags


def test_a_dimension_that_comes_into_use_has_its_line_and_its_row_from_then_on(tmp_path):
    """300 dimensions, of which 150 is in neither extreme of the first evaluation: others have more, and less."""
    nats = np.linspace(0.03, 0.0, 300)
    before, after = [PASSIVE] * 300, [PASSIVE] * 150 + [ACTIVE] + [PASSIVE] * 149
    later = nats.copy()
    later[150] = 1.5
    run = [make_evaluation(100 * i, before, information=nats, bins=8) for i in range(1, 4)]
    run += [make_evaluation(100 * i, after, information=later, bins=8) for i in range(4, 7)]
    values = EvaluationValues("", "train")
    for one in run:
        values.summary(one)
    assert 150 in values._strip.rows
    assert len(values._strip.rows) == 128
    steps, codes = values._strip.columns()
    assert steps == (100, 200, 300, 400, 500, 600)
    assert codes[values._strip.rows.index(150)].tolist() == [4, 4, 4, 3, 3, 3]
    assert codes[values._strip.rows.index(0)].tolist() == [0] * 6
    written(tmp_path, run)
    board = read(tmp_path)
    assert [step for step, _ in series(board, "polar_dims/information/150")] == [400, 500, 600]


def test_the_row_of_the_hparams_page_has_the_newest_numbers(tmp_path):
    names = "overview/verdict (0 collapsed, 1 graded, 2 polarised, 3 all active)", "overview/in use", "overview/nats"
    first = replace(make_evaluation(100), context=Context(beta=1.0))
    second = replace(make_evaluation(200, verdict=Verdict.COLLAPSED), context=Context(beta=4.0))
    third = make_evaluation(300, verdict=Verdict.NOT_ESTIMABLE, information=(math.nan,) * 4)
    written(tmp_path, [make_evaluation(50, empty=True), first, second, third])
    board = read(tmp_path)
    assert [series(board, name) for name in names[:2]] == [[(100, 2), (200, 0)], [(100, 2), (200, 2), (300, 2)]]
    nats = [float(e.snapshot.information.sum()) for e in (first, second)]
    np.testing.assert_allclose([value for _, value in series(board, names[2])], nats, rtol=1e-6)
    assert series(board, "overview/beta") == [(100, 1.0), (200, 4.0)]
    assert "overview/learning_rate" not in board.Tags()["scalars"]
    plugin = board.SummaryMetadata("_hparams_/session_start_info").plugin_data
    start = HParamsPluginData.FromString(plugin.content).session_start_info
    assert plugin.plugin_name == "hparams"
    assert start.hparams["latent dimensions"].number_value == 4
    assert [event.step for event in board.Tensors("_hparams_/session_start_info")] == [100]


def test_the_state_strip_is_a_picture(tmp_path):
    run = make_run(40, 6)
    written(tmp_path, run)
    shown = read(tmp_path).Images("polar/states")
    assert shown[-1].step == run[-1].step
    assert len(shown) < len(run)
    picture = Image.open(io.BytesIO(shown[-1].encoded_image_string))
    picture.load()
    assert picture.format == "PNG"
    assert picture.size == (shown[-1].width, shown[-1].height)
