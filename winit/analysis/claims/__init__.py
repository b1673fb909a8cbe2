"""The claims ledger: declarations, measures, judging."""
