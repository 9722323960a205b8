"""Sources of the rows of a monitor: hooks on a model, a search of its latent, and rows handed over by the user."""
