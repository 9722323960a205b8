"""Parts of what is measured about the training that is watched: `bit_equality`, and the scenarios of `chaos.py`."""
