"""Labels of every criterion against the truth, and the checks beside them."""
