"""Tables of the scores."""
