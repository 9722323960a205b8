"""Discovery by evidence: which tensors of the first forwards are mean, spread and sample of a latent."""
