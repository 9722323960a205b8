"""Models of scvi-tools: by the module, and by the callback in `train`, whose KL warm-up raises no alert."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks import is_installed

import polar_monitor
from polar_monitor.integrations._warmup import kl_weight
from polar_monitor.integrations.lightning import PolarCallback
from polar_monitor.sinks.jsonl import read_jsonl

pytestmark = [
    pytest.mark.integrations,
    pytest.mark.skipif(not is_installed("scvi"), reason="scvi-tools is not installed"),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::polar_monitor.PolarMonitorWarning"),
]
QUIET = {"accelerator": "cpu", "enable_progress_bar": False, "batch_size": 64}
OPTIONS: dict[str, Any] = {"every": 10, "max_overhead": 1.0, "strict": True}


def make(seed: int = 0) -> Any:
    import scvi

    scvi.settings.seed = seed
    cells = scvi.data.synthetic_iid(batch_size=400)
    scvi.model.SCVI.setup_anndata(cells, batch_key="batch")
    return scvi.model.SCVI(cells, n_latent=5, n_hidden=32)


def test_the_callback_gives_the_labels_of_the_latent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model, callback = make(), PolarCallback(**OPTIONS)
    model.train(max_epochs=6, callbacks=[callback], **QUIET)
    monitor = callback.monitor
    assert monitor.snapshot().dimensions == 5
    assert "z_encoder" in monitor.explain()
    assert monitor.health().steps == 6 * -(-720 // 64)
    assert not monitor.attached
    assert "polar/active" in model.history
    assert read_jsonl(monitor.log_dir / "polar.jsonl")[-1].context.beta == pytest.approx(5 / 400)


def test_the_warm_up_raises_no_alert(tmp_path: Path) -> None:
    model, callback = make(), PolarCallback(**OPTIONS, log_dir=tmp_path / "run")
    model.train(max_epochs=5, callbacks=[callback], plan_kwargs={"n_epochs_kl_warmup": 4}, **QUIET)
    setup = read_jsonl(tmp_path / "run" / "polar.jsonl")[0].setup
    assert setup is not None
    assert setup["warmup"] == 4 * 12
    own = PolarCallback(**OPTIONS, sinks=(), warmup=3)
    model.train(max_epochs=1, callbacks=[own], plan_kwargs={"n_epochs_kl_warmup": 4}, **QUIET)
    assert own.monitor is not None


@pytest.mark.parametrize("name", ["LinearSCVI", "TOTALVI", "DRVI"])
def test_other_models_need_the_callback_only(name: str) -> None:
    import scvi

    scvi.settings.seed = 0
    cells = scvi.data.synthetic_iid(batch_size=300)
    if name == "DRVI":
        kind: Any = pytest.importorskip("drvi.model").DRVI
        kind.setup_anndata(cells, categorical_covariate_keys=["batch"], is_count_data=True)
    else:
        kind = getattr(scvi.model, name)
        protein = {"protein_expression_obsm_key": "protein_expression"} if name == "TOTALVI" else {}
        kind.setup_anndata(cells, batch_key="batch", **protein)
    callback = PolarCallback(**OPTIONS, sinks=())
    kind(cells, n_latent=5).train(max_epochs=5, callbacks=[callback], **QUIET)
    assert callback.monitor.snapshot().dimensions == 5
    assert callback.monitor.snapshot().has_variance
    assert callback.monitor.alerts == ()


@pytest.mark.parametrize("warmup", [{"n_epochs_kl_warmup": 3}, {"n_epochs_kl_warmup": None, "n_steps_kl_warmup": 30}])
def test_the_logged_weight_is_that_of_the_plan(warmup: dict[str, Any]) -> None:
    import lightning.pytorch as pl

    pairs = []

    class Compare(pl.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, trainer: Any, plan: Any, *_: Any) -> None:
            pairs.append((kl_weight(plan), float(plan.kl_weight)))

    make().train(max_epochs=4, callbacks=[Compare()], plan_kwargs={**warmup, "min_kl_weight": 0.1}, **QUIET)
    assert len({mine for mine, _ in pairs}) >= 4
    assert [mine for mine, _ in pairs] == pytest.approx([theirs for _, theirs in pairs])


def test_training_is_the_same() -> None:
    weights = []
    for callbacks in ([], [PolarCallback(**OPTIONS, sinks=())]):
        model = make(seed=1)
        model.train(max_epochs=2, callbacks=callbacks, **QUIET)
        weights.append(model.module.state_dict())
    assert all(torch.equal(weights[0][key], value) for key, value in weights[1].items())


def test_the_module_needs_one_line(tmp_path: Path) -> None:
    model = make()
    monitor = polar_monitor.attach(model.module, log_dir=tmp_path / "run")
    model.train(max_epochs=4, **QUIET)
    monitor.detach()
    latent = model.get_latent_representation(return_dist=True)
    assert monitor.snapshot().dimensions == latent[0].shape[1]
    assert monitor.regime() is not None
    assert not monitor.health().errors
