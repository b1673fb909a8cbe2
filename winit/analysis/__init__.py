"""From the run store to the tables of a study: summaries, ranking, agreement with theory, claims."""
