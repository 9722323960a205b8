"""Users' numbers as rows: reading them, choosing some of them, scaling them for the kernels, units of a spread."""
