"""Courses of training that lose dimensions or stay healthy, and the runs recorded from them."""
