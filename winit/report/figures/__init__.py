"""Figures: functions from the tables of one setting to a matplotlib figure and the data it shows."""
