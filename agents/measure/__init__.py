"""What is kept of a run: sums, metrics and series, as integers."""
