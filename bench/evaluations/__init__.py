"""Parts of `bench/evaluation.py`: rows to evaluate, timings in processes of their own, and counts of calls."""
