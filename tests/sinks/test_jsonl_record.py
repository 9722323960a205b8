"""A line of the log: the digits of the live run in few characters, whatever the number of dimensions."""

from __future__ import annotations

import base64
import json
import math
import zlib
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import ACTIVE, MIXED, OF_FULL, PASSIVE, UNDECIDED, light, make_evaluation, make_snapshot

from polar_monitor.alerts.alert_rules import AlertRules, to_plain
from polar_monitor.evaluation import Evaluation
from polar_monitor.sinks.jsonl_record import MAX_LISTED, SELDOM, from_data, to_line
from polar_monitor.statistics.rounding import SIZES, rounded
from polar_monitor.statistics.snapshot import DRAWN, Snapshot, unknown

LABELS = (ACTIVE, PASSIVE, MIXED, UNDECIDED)
SETUP = {"rules": to_plain(AlertRules()), "warmup": 0, "extra_rules": []}


def varied(dimensions: int, full: bool = True) -> Evaluation:
    """An evaluation in which every statistic is known and differs between the dimensions."""
    rng = np.random.default_rng(dimensions)
    evaluation = make_evaluation(100, [LABELS[j % 4] for j in range(dimensions)], bins=4)
    arrays = {name: rng.normal(size=dimensions) for name in SIZES}
    snapshot = rounded(replace(evaluation.snapshot, **arrays))  # type: ignore[type-var, arg-type]
    return replace(evaluation, snapshot=snapshot if full else light(snapshot))


def read(line: bytes) -> Evaluation:
    return from_data(json.loads(line))


def assert_equal(one: Snapshot | None, other: Snapshot | None) -> None:
    assert one is not None
    assert other is not None
    for f in fields(Snapshot):
        if f.name not in DRAWN:
            a, b = getattr(one, f.name), getattr(other, f.name)
            np.testing.assert_array_equal(a, b, err_msg=f.name, strict=isinstance(a, np.ndarray))


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("dimensions", [1, 10, MAX_LISTED, MAX_LISTED + 1, 512])
def test_every_statistic_comes_back(dimensions: int, full: bool) -> None:
    before = varied(dimensions, full)
    after = read(to_line(before))
    assert_equal(after.snapshot, before.snapshot)
    assert after.regime == before.regime
    assert after.health == before.health


@pytest.mark.parametrize("dimensions", [3, 100])
def test_numbers_that_are_not_known_come_back(dimensions: int) -> None:
    before = varied(dimensions)
    assert before.snapshot is not None
    for name in (*SIZES, "finite", "non_finite"):
        values = np.arange(float(dimensions))
        values[1] = math.nan
        vars(before.snapshot)[name] = values
    vars(before.snapshot).update(kl=np.full(dimensions, math.nan), non_finite=np.full(dimensions, math.nan))
    line = to_line(before)
    assert_equal(read(line).snapshot, before.snapshot)
    assert "kl" not in json.loads(line, parse_constant=pytest.fail)["snapshot"]


def test_a_light_line_has_what_is_known_only() -> None:
    snapshot = json.loads(to_line(varied(10, full=False)))["snapshot"]
    assert not snapshot.keys() & {*OF_FULL, "joint_entropy", "joint_entropy_se", "effective_rank", "surplus"}
    assert snapshot["full"] is False


@pytest.mark.parametrize("known", [0.0, 0.5])
@pytest.mark.parametrize(
    ("dimensions", "light", "full"), [(10, 3_650, 5_400), (128, 11_800, 19_400), (512, 40_000, 69_000)]
)
def test_the_length_of_a_line(dimensions: int, light: int, full: int, known: float) -> None:
    """Some statistics are known for none or half of the dimensions: those that a decoder or a valley gives."""
    for all_statistics, most in ((False, light), (True, full)):
        evaluation = varied(dimensions, all_statistics)
        assert evaluation.snapshot is not None
        few = np.arange(dimensions) < known * dimensions
        seldom = {name: np.where(few, getattr(evaluation.snapshot, name), math.nan) for name in SELDOM}
        seldom["gain"] = unknown(dimensions)  # a code has gains, and no variance, which the valley is in
        before = replace(evaluation, snapshot=replace(evaluation.snapshot, **seldom))
        line = to_line(before, SETUP)
        assert len(line) <= most
        assert_equal(read(line).snapshot, before.snapshot)


def test_the_form_of_a_line() -> None:
    """Names, lists and letters as other programs read them."""
    record = json.loads(to_line(make_evaluation(100, LABELS, information=(2.0, 0.5, 1 / 3, 1e-7))))
    assert next(iter(record)) == "version"
    assert record["version"] == 2
    assert record["regime"]["labels"] == "apmu"
    assert record["regime"]["sides"] == {}
    assert record["regime"]["evidence"] == {}
    assert "latest" not in record["regime"]
    assert record["snapshot"]["dimensions"] == 4
    assert record["snapshot"]["information"] == [2, 0.5, 0.333336, 1.00001e-07]
    assert record["snapshot"]["information_se"] == 0.01001
    assert record["snapshot"]["finite"] == 4096


def test_text_is_read_as_the_page_says() -> None:
    before = varied(100)
    record = json.loads(to_line(before))["snapshot"]
    for name, size in SIZES.items():
        text = record[name].removeprefix("z:")
        data = base64.b64decode(text)
        data = data if text == record[name] else zlib.decompress(data)
        first = np.frombuffer(data, np.uint8).reshape(-1, size)
        read_here = np.pad(first, ((0, 0), (0, 4 - size))).view(">f4")[:, 0]
        np.testing.assert_array_equal(read_here, getattr(before.snapshot, name))


def test_labels_that_are_held_come_back() -> None:
    before = make_evaluation(100, LABELS)
    assert before.regime is not None
    evidence = (0.0, 1 / 3, 7.6, 0.0, *[0.0] * 7, 1e-9)
    for sides in ((25, 22, 22, 0), (26,) * 4):
        regime = replace(before.regime, latest=LABELS[::-1], was_informative=True, sides=sides, evidence=evidence)
        line = to_line(replace(before, regime=regime))
        assert read(line).regime == regime
        assert list(json.loads(line)["regime"]["evidence"]) == ["1", "2", "11"]
        assert json.loads(line)["regime"]["sides"] in ({"2": 22, "3": 0}, 26)


def test_a_line_of_a_version_that_counted_evaluations_is_read() -> None:
    record = json.loads(to_line(make_evaluation(100, LABELS)))
    for name in ("sides", "evidence", "was_informative"):
        del record["regime"][name]
    regime = read(json.dumps(record | {"regime": record["regime"] | {"agreeing": 3}}).encode()).regime
    assert regime is not None
    assert (regime.labels, regime.sides, regime.evidence, regime.was_informative) == (LABELS, (), (), True)


def test_more_than_65536_rows_are_counted() -> None:
    before = varied(3)
    assert before.snapshot is not None
    counts = np.array([0.0, 16_777_217.0, 2.0**53])
    after = read(to_line(replace(before, snapshot=replace(before.snapshot, non_finite=counts, finite=counts + 0.5))))
    assert after.snapshot is not None
    np.testing.assert_array_equal(after.snapshot.non_finite, counts)
    np.testing.assert_array_equal(after.snapshot.finite, counts + 0.5)


numbers = st.floats(width=64, allow_infinity=False)


@given(st.lists(numbers, min_size=3, max_size=3), numbers, st.text(), st.integers(-(2**63), 2**63))
def test_every_name_and_number_comes_back_as_it_was_rounded(array: Any, single: float, name: str, step: int) -> None:
    snapshot = make_snapshot(100, (ACTIVE, PASSIVE, ACTIVE), bins=4)
    snapshot = replace(snapshot, information=np.array(array), kl_se=np.array(array), joint_entropy=single, step=step)
    name = name.encode("utf-8", "ignore").decode()
    after = read(to_line(replace(make_evaluation(), name=name, snapshot=snapshot, regime=None)))
    assert after.name == name
    assert_equal(after.snapshot, rounded(snapshot))


def test_infinity_becomes_unknown() -> None:
    snapshot = replace(
        make_snapshot(100, (ACTIVE, PASSIVE)), kl=np.array([math.inf, -math.inf]), joint_entropy=math.inf
    )
    after = read(to_line(replace(make_evaluation(), snapshot=snapshot, regime=None))).snapshot
    assert after is not None
    assert np.isnan(after.kl).all()
    assert math.isnan(after.joint_entropy)


def test_the_settings_of_a_sink_are_used_if_the_record_has_none() -> None:
    one = make_evaluation()
    assert read(to_line(one)).setup is None
    assert read(to_line(one, SETUP)).setup == SETUP
    own = {"warmup": 3}
    assert read(to_line(replace(one, setup=own), SETUP)).setup == own


def test_the_line_of_another_version_names_both() -> None:
    record = json.loads(to_line(make_evaluation())) | {"version": 3}
    with pytest.raises(ValueError, match="expected a record of version 1 or 2, got version 3"):
        from_data(record)
