"""Slow, obvious twins of the kernels, one module each: they alone judge them."""
