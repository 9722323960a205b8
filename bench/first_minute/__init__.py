"""Study of the first minute: how soon the labels of a live run are those of its model, at all defaults."""
