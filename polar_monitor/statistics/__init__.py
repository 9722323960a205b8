"""Statistics of a window of rows: rows in, `Snapshot` out."""
