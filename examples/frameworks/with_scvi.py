"""scVI on synthetic cells: the callback in `train`; the KL warm-up raises no alert.

python examples/frameworks/with_scvi.py
"""

import scvi

from polar_monitor.integrations.lightning import PolarCallback


def main(steps: int = 1000):
    scvi.settings.seed = 0
    cells = scvi.data.synthetic_iid(batch_size=1000)
    scvi.model.SCVI.setup_anndata(cells, batch_key="batch")
    model = scvi.model.SCVI(cells, n_latent=10)
    callback = PolarCallback()
    model.train(max_epochs=-(-steps // 15), callbacks=[callback], accelerator="cpu", plan_kwargs={"lr": 3e-3})
    print(callback.monitor.summary())
    print(model.history["polar/active"].tail(1))
    return callback.monitor


if __name__ == "__main__":
    main()
