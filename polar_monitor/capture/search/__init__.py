"""Search of the latent in the first forwards of a model, and checks of it later."""
