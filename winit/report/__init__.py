"""From the tables to one HTML page: figures, sections, findings, chapters."""
