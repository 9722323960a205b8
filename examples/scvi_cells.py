# %% [markdown]
# # scVI
#
# scVI is a VAE of counts in single cells, with ten latent dimensions by default. How many of them does it use? The
# callback is one line; the KL warm-up of scvi-tools raises no alert. Needs `pip install ".[scvi]"`.

# %%
import scvi

from polar_monitor.integrations.lightning import PolarCallback

EPOCHS = 40

scvi.settings.seed = 0
scvi.settings.verbosity = 30
cells = scvi.data.synthetic_iid(batch_size=1000)  # two batches of 1,000 cells that the package draws
scvi.model.SCVI.setup_anndata(cells, batch_key="batch")
model = scvi.model.SCVI(cells, n_latent=10)

# %%
callback = PolarCallback()
model.train(
    max_epochs=EPOCHS, callbacks=[callback], accelerator="cpu", plan_kwargs={"lr": 3e-3}, enable_progress_bar=False
)
print(callback.monitor.summary())

# %% [markdown]
# All ten are active in this run: the package draws its cells at random, and a dimension that codes the noise of a cell
# carries information about the cell all the same. The counts are in the model's own history beside the loss:

# %%
print(model.history["polar/active"].tail(3))
