"""The search for thresholds, on the tuning half alone."""
