"""What people run on their own models and studies, one module a verb."""
