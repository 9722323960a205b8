"""From the log of a run to what every view draws: tidy records, and one small document for page, tab and report."""
