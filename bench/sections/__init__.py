"""The sections of `bench/estimators.py`: each makes one table."""
