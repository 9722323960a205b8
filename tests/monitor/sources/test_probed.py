"""What a probe leaves in the texts, in the next evaluation, and in the sinks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models import Vae, train
from torch import Tensor
from watching import Memory, watched

from polar_monitor.evaluation import Evaluation
from polar_monitor.sinks import JsonlSink, read_jsonl
from polar_monitor.sinks.scalars import Scalars
from polar_monitor.views.document import documents
from polar_monitor.views.log import RunLog
from polar_monitor.web.markdown import markdown

X = torch.randn(600, 12, generator=torch.Generator().manual_seed(1))


def loss(output: Any, x: Tensor) -> Tensor:
    return (output[0] - x).square().sum(1)


def test_the_summary_and_the_explanation_show_it() -> None:
    model = Vae()
    model.decoder.weight.data[:, 2] = 0
    monitor = watched(model)
    train(model, 20)
    model.decoder.weight.data[:, 2] = 0
    monitor.evaluate()
    before = monitor.summary()
    assert "worth" not in before
    worth = monitor.probe(X, loss=loss)
    assert worth.step == 20
    lines = monitor.summary().splitlines()
    head = next(line for line in lines if line.startswith("  dim"))
    assert head.split()[-3:] == ["worth", "±", "se"]
    rows = lines[lines.index(head) + 1 :][:4]
    assert rows[2].split()[-2:] == ["0", "0"]
    assert [len(row) for row in rows] == [len(head)] * 4
    assert "rise of the loss in nats when the dimension is replaced by a draw of its marginal" in " ".join(
        monitor.summary().split()
    )
    assert "worth in nats at step 20: the loss rises by 0 ± 0 for a draw of its marginal" in monitor.explain(2)


def test_the_next_evaluation_carries_it_once_to_the_sinks(tmp_path: Path) -> None:
    model, memory = Vae(), Memory()
    monitor = watched(model, every=5, sinks=(memory, JsonlSink(tmp_path / "run.jsonl")))
    train(model, 7)
    worth = monitor.probe(X, loss=loss)
    train(model, 14)
    monitor.detach()
    carried = [record for record in memory.records if record.worth is not None]
    assert len(carried) == 1
    assert carried[0].worth["step"] == 7
    np.testing.assert_allclose(carried[0].worth["worth"], worth.worth, rtol=1e-5)
    read = [record for record in read_jsonl(tmp_path / "run.jsonl") if record.worth is not None]
    assert [record.step for record in read] == [carried[0].step]
    numbers = Scalars()(read[0])
    np.testing.assert_allclose([numbers[f"polar_dims/worth/{j:03d}"] for j in range(4)], worth.worth, rtol=1e-5)
    other = next(record for record in memory.records if record.worth is None)
    assert not any("worth" in tag for tag in Scalars()(other))
    line = next(line for line in (tmp_path / "run.jsonl").read_text().splitlines() if '"worth":{' in line)
    assert len(line[line.index('"worth":{') :].split("}")[0]) < 400


@pytest.mark.parametrize("worth", [3, "abc", {"worth": "abc"}, {"worth": [[]]}, {"step": 1}, {"worth": {"a": 1}}])
def test_a_log_with_another_worth_is_refused(worth: Any) -> None:
    model, memory = Vae(), Memory()
    monitor = watched(model, every=5, sinks=(memory,))
    train(model, 10)
    monitor.detach()
    data = memory.records[0].to_dict()
    with pytest.raises((ValueError, TypeError, KeyError)):
        Evaluation.from_dict({**data, "worth": worth})
    read = Evaluation.from_dict({**data, "worth": {"worth": [1.0, None]}})
    assert read.worth is not None
    assert math.isnan(read.worth["worth"][1])


def test_a_contradiction_is_said_by_all_views_of_the_log(tmp_path: Path) -> None:
    model = Vae()
    model.fc_logvar.bias.data.fill_(-4.0)  # all dimensions are informative
    model.decoder.weight.data *= 3
    monitor = watched(model, every=5, sinks=(JsonlSink(tmp_path / "run.jsonl"),))
    train(model, 7)
    model.decoder.weight.data[:, 2] = 0
    worth = monitor.probe(X, loss=loss)
    train(model, 14)
    monitor.detach()
    assert 2 in worth.ignored
    log = RunLog(tmp_path / "run.jsonl")
    log.refresh()
    (run,) = documents(log, "run")
    (note,) = [note for note in run["notes"] if "the decoder does not use" in note]
    assert note.endswith("nats (probe at step 7)")
    assert note.startswith(next(worth.sentences()))
    assert "Note: dimension" in markdown([run])


def test_labels_are_those_of_the_batch_where_it_decides_else_those_of_the_training() -> None:
    model = Vae()
    monitor = watched(model)
    train(model, 20)
    monitor.evaluate()
    assert monitor.probe(X[:64], loss=loss).labels == monitor.regime().labels
    assert monitor.probe(X, loss=loss).rows == 600


class WithPrior(Vae):
    """Its outputs have a conditional prior: the mean that the monitor reads is not the code."""

    def forward(self, x: Tensor) -> Any:
        return *super().forward(x), x[:, :4]


def test_a_conditional_prior_has_the_labels_of_the_training_and_the_code_of_the_decoder() -> None:
    torch.manual_seed(0)
    model = WithPrior()
    model.fc_mu.weight.data *= 4
    model.fc_logvar.weight.data *= 2
    monitor = watched(
        model, mean=lambda out: out[1], logvar=lambda out: out[2], prior=lambda out: (out[3], torch.ones_like(out[3]))
    )
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for _ in range(10):
        model(torch.randn(256, 12))
        optimizer.step()
    monitor.evaluate()
    worth = monitor.probe(X, loss=loss)
    assert worth.labels == monitor.regime().labels
    assert np.isnan(worth.information).all()
    assert (worth.worth_se > 0).all()
