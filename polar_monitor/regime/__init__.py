"""Labels of every dimension and the verdict on the model: Snapshot in, Regime out."""
