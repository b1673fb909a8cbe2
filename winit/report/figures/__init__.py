"""Figures: tables of one setting in, a matplotlib figure and the drawn data out."""
