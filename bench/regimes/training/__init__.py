"""Which models are trained, the training, and the truth about each dimension by intervention."""
