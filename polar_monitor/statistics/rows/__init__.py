"""Rows of a `LatentStream`: the window, the inputs that the rows belong to, and what is read from both late."""
