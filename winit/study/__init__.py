"""Studies: their settings, composition, runs, seeds and ids."""
