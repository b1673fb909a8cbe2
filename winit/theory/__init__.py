"""Activations as functions of a real number, and the theory of wide random networks."""
