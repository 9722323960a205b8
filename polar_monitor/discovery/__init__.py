"""Which modules of a model give the latent: from arguments, or from the model's own names and widths."""
