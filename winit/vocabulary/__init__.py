"""What things are called: factors, statuses, ways of pretraining, looks; and the sentence for an unknown name."""
