"""Engines that train stacks of networks, and the layer learners of pretraining."""
