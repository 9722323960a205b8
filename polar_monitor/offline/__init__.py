"""Labels of arrays and of chunks of arrays, without a model or a training run."""
