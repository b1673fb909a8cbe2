"""Tools that people run on their own models and studies, one module per verb."""
