"""The toll: what watching costs a training loop; `bench/overhead.py` runs it."""
