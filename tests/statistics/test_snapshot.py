"""Snapshots there and back, with statistics that older logs do not have."""

from __future__ import annotations

import json
import math
from dataclasses import fields

import numpy as np
import pytest
from records import ACTIVE, PASSIVE, make_evaluation, make_snapshot

from polar_monitor.criteria import CRITERIA
from polar_monitor.evaluation import Evaluation
from polar_monitor.kernels.published import NAMES
from polar_monitor.regime.judge import judge
from polar_monitor.regime.label import Label
from polar_monitor.regime.regime import Regime
from polar_monitor.statistics.snapshot import DRAWN, Snapshot
from polar_monitor.statistics.stream import LatentStream


def measured() -> Snapshot:
    rng = np.random.default_rng(0)
    stream = LatentStream(2)
    mean = (rng.normal(size=(1000, 2)) * [1.0, 0.01]).astype(np.float32)
    stream.update(mean, np.full((1000, 2), [0.02, 1.0], np.float32))
    return stream.snapshot(step=3)


def test_every_statistic_comes_back() -> None:
    s = measured()
    back = Snapshot.from_dict(json.loads(json.dumps(s.to_dict(), allow_nan=False)))
    for f in fields(s):
        if f.name not in DRAWN:
            np.testing.assert_array_equal(getattr(back, f.name), getattr(s, f.name), err_msg=f.name)
    for name in NAMES:
        assert np.isfinite(getattr(s, name)).all(), name


def test_a_log_without_the_statistics_of_published_criteria_is_read() -> None:
    s = measured()
    data = s.to_dict()
    for name in NAMES:
        del data[name]
    old = Snapshot.from_dict(data)
    assert all(np.isnan(getattr(old, name)).tolist() == [True, True] for name in NAMES)
    assert judge(old).labels == judge(s).labels
    for name, criterion in CRITERIA.items():
        unknown = (Label.UNDECIDED,) * 2
        assert criterion(old) == (
            unknown if name in ("clapham_code", "drvi", "lucas", "minmax_entropy") else criterion(s)
        )


def test_a_log_of_an_older_version_is_judged_by_what_it_has() -> None:
    data = measured().to_dict()
    for name in ("valley", "valley_se", "finite", "surplus"):
        del data[name]
    old = Snapshot.from_dict(data)
    assert np.isnan(old.valley).tolist() == np.isnan(old.finite).tolist() == [True, True]
    assert math.isnan(old.surplus)
    assert judge(old).labels == judge(measured()).labels == (ACTIVE, PASSIVE)


def test_a_statistic_that_was_always_there_may_not_be_missing() -> None:
    data = measured().to_dict()
    del data["kl"]
    with pytest.raises(KeyError, match="kl"):
        Snapshot.from_dict(data)


def test_an_old_record_explains_itself() -> None:
    data = json.loads(json.dumps(make_evaluation(100, (ACTIVE, PASSIVE)).to_dict()))
    for name in NAMES:
        data["snapshot"].pop(name)
    regime = Evaluation.from_dict(data).regime
    assert isinstance(regime, Regime)
    for j, label in enumerate(regime.labels):
        said = regime.explain(j)
        assert said.startswith(f"dimension {j} is {label}: information")
        assert not any(name in said for name in ("drvi", "lucas", "clapham_code", "minmax"))


def test_what_nobody_gave_is_not_known() -> None:
    s = make_snapshot(1, [ACTIVE] * 3)
    assert np.isnan(s.share_collapsed).tolist() == [True] * 3
    assert math.isnan(s.mean_largest[2])
