"""Names and labels: factors, statuses, ways of pretraining, looks; and the error message for an unknown name."""
