"""Claims: declarations, measures, judging."""
