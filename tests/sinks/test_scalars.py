"""The numbers that every tracker shows: their tags, their values, and which dimensions have lines."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from boards import read, series, written
from records import ACTIVE, MIXED, PASSIVE, UNDECIDED, make_evaluation

from polar_monitor.sinks import scalars as module
from polar_monitor.sinks.jsonl import to_line
from polar_monitor.sinks.scalars import DIMENSION_SCALARS, DimensionScalar, Scalars, extremes, tag_prefix
from polar_monitor.statistics.snapshot import DRAWN, Snapshot

LABELS = (ACTIVE, PASSIVE, MIXED, UNDECIDED)
NATS = (2.0, 0.5, 1.0, 0.25)


def test_all_numbers_of_an_evaluation_in_order() -> None:
    evaluation = make_evaluation(100, LABELS, information=NATS, observed=640, overhead=0.25)
    assert evaluation.snapshot is not None
    entropy = evaluation.snapshot.entropy_knn.tolist()
    assert list(Scalars()(evaluation).items()) == [
        ("polar/observations", 640),
        ("polar/overhead", 0.25),
        ("polar/information", 3.75),
        *((f"polar_dims/information/{j:03d}", NATS[j]) for j in range(4)),
        *((f"polar_dims/entropy/{j:03d}", entropy[j]) for j in range(4)),
        ("polar/active", 1),
        ("polar/passive", 1),
        ("polar/mixed", 1),
        ("polar/undecided", 1),
        *((f"polar_dims/state/{j:03d}", state) for j, state in enumerate((3, 0, 2, 1))),
    ]


def test_tensorboard_shows_the_same_numbers(tmp_path: Path) -> None:
    run = [make_evaluation(step, LABELS * 20, mode=mode) for step in (100, 200) for mode in ("train", "eval")]
    written(tmp_path, run)
    board, scalars = read(tmp_path), Scalars()
    shown: dict[str, list[tuple[int, float]]] = {}
    for evaluation in run:
        for tag, number in scalars(evaluation).items():
            shown.setdefault(tag, []).append((evaluation.step, pytest.approx(number, rel=1e-6)))
    assert [tag for tag in board.Tags()["scalars"] if not tag.startswith("overview/")] == list(shown)
    assert {tag: series(board, tag) for tag in shown} == shown


def test_without_a_row_only_what_is_known() -> None:
    assert Scalars()(make_evaluation(empty=True)) == {"polar/observations": 0, "polar/overhead": 0.004}


def test_a_number_that_is_not_finite_is_left_out() -> None:
    evaluation = make_evaluation(100, LABELS, information=[1.0, math.nan, math.inf, 0.5], overhead=math.nan)
    numbers = Scalars()(evaluation)
    assert [tag for tag in numbers if "information" in tag] == [
        "polar/information",
        "polar_dims/information/000",
        "polar_dims/information/003",
    ]
    assert numbers["polar/information"] == 1.5
    assert "polar/overhead" not in numbers
    assert "polar/information" not in Scalars()(make_evaluation(information=[math.nan] * 4))


@pytest.mark.parametrize(
    ("name", "mode", "prefix"),
    [("", "train", ""), ("", "eval", "eval/"), ("z top", "train", "z_top/"), ("a.b/c", "eval", "a.b/c/eval/")],
)
def test_name_and_mode_stand_before_the_tag(name: str, mode: str, prefix: str) -> None:
    assert tag_prefix(name, mode) == prefix
    numbers = Scalars()(make_evaluation(name=name, mode=mode))
    assert {f"polar/{prefix}active", f"polar_dims/{prefix}state/003"} <= numbers.keys()
    assert all(tag.startswith((f"polar/{prefix}", f"polar_dims/{prefix}")) for tag in numbers)


def lines(numbers: dict[str, float], word: str, prefix: str = "") -> list[int]:
    start = f"polar_dims/{prefix}{word}/"
    return [int(tag.removeprefix(start)) for tag in numbers if tag.startswith(start)]


def test_while_none_is_in_use_the_first_evaluation_of_each_latent_and_mode_chooses_the_dimensions() -> None:
    rising = np.arange(1200) / 1000
    labels = [PASSIVE] * 1200
    scalars, ends = Scalars(), [*range(16), *range(1184, 1200)]
    middle = np.roll(rising, 600)
    first = scalars(make_evaluation(100, labels, information=rising, bins=2))
    for word in ("information", "entropy", "state"):
        assert lines(first, word) == ends
    assert "polar_dims/information/1199" in first
    assert lines(scalars(make_evaluation(200, labels, information=middle, bins=2)), "information") == ends
    of_eval = scalars(make_evaluation(200, labels, information=middle, mode="eval", bins=2))
    assert lines(of_eval, "information", "eval/") == list(range(584, 616))


def test_a_dimension_in_use_has_a_line_which_begins_when_it_comes_into_use() -> None:
    scalars, labels = Scalars(), np.array([PASSIVE] * 100, object)
    nats = np.arange(100) / 1e4
    before = [*range(16), *range(84, 100)]
    assert lines(scalars(make_evaluation(100, labels, information=nats, bins=2)), "information") == before
    labels[[40, 50]], nats[[40, 50]] = (ACTIVE, MIXED), 1.0
    for word in ("information", "entropy", "state"):
        used = scalars(make_evaluation(200, labels, information=nats, bins=2))
        assert lines(used, word) == sorted([*before, 40, 50])
    assert used["polar_dims/information/040"] == 1.0
    labels[40] = PASSIVE
    assert 40 in lines(scalars(make_evaluation(300, labels, information=nats, bins=2)), "state")


def test_of_many_dimensions_those_in_use_have_lines_and_the_faintest_of_the_others_make_room() -> None:
    scalars, nats = Scalars(), np.linspace(2.0, 0.0, 500)
    some = [ACTIVE] * 120 + [PASSIVE] * 380
    assert lines(scalars(make_evaluation(100, some, information=nats, bins=2)), "state") == [
        *range(120),
        *range(484, 492),
    ]
    others = [PASSIVE] * 120 + [ACTIVE] * 380
    moved = lines(scalars(make_evaluation(200, others, information=nats[::-1], bins=2)), "state")
    assert len(moved) == 128
    assert set(range(484, 492)) < set(moved)
    assert min(moved) >= 120
    assert lines(scalars(make_evaluation(300, others, information=nats, bins=2)), "state") == moved


def test_another_number_of_dimensions_is_another_choice() -> None:
    scalars = Scalars()
    for labels in (LABELS, LABELS[:2], LABELS * 2):
        assert lines(scalars(make_evaluation(labels=labels)), "state") == list(range(len(labels)))


def test_extremes_are_the_halves_of_the_ranking_in_the_order_of_the_dimensions() -> None:
    assert extremes(np.array([3.0, 1.0, 2.0]), 3) == (0, 1, 2)
    assert extremes(np.array([3.0, math.nan, 0.0, 2.0, 1.0]), 4) == (0, 1, 2, 3)
    assert extremes(np.array([3.0, math.nan, 0.0, 2.0, 1.0]), 2) == (0, 1)


def test_one_line_of_the_table_draws_a_statistic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = DimensionScalar("kl", "kl", "KL by dimension (nats)")
    monkeypatch.setattr(module, "DIMENSION_SCALARS", (*DIMENSION_SCALARS, more))
    evaluation = make_evaluation(100, LABELS, information=NATS)
    written(tmp_path, [evaluation])
    assert evaluation.snapshot is not None
    for j, kl in enumerate(evaluation.snapshot.kl):
        assert series(read(tmp_path), f"polar_dims/kl/{j:03d}") == [(100, pytest.approx(kl, rel=1e-6))]


def test_the_log_has_every_statistic_and_the_page_a_chart_of_every_line() -> None:
    from polar_monitor.sinks.tensorboard.layout import CHARTS

    evaluation = make_evaluation()
    known = {
        f.name: np.full(4, 1.5) if f.type == "Array" else 1.5 for f in fields(Snapshot) if f.type in ("Array", "float")
    }
    logged = json.loads(to_line(replace(evaluation, snapshot=replace(evaluation.snapshot, **known))))["snapshot"]
    assert logged.keys() == {f.name for f in fields(Snapshot)} - set(DRAWN) | {"dimensions"}
    for line in DIMENSION_SCALARS:
        assert line.statistic in logged
        assert (line.title, "polar_dims", rf"{line.word}/\d+") in CHARTS
