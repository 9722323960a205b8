"""The sections of `bench.estimators`: each makes one table."""
