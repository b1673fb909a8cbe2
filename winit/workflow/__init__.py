"""The interface between studies and Snakemake: paths, locks, what is due, progress."""
