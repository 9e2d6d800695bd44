"""From the scores of a test set to metrics and a report."""
