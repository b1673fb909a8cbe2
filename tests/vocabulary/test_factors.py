"""Every named factor has an implementation."""

from __future__ import annotations

from winit.engine.optimizers import RULES
from winit.training import controls
from winit.vocabulary.factors import OPTIMIZERS
from winit.vocabulary.pretraining import CONTROLS, pretraining_label


def test_every_optimizer_has_a_rule():
    assert set(OPTIMIZERS) == set(RULES)


def test_every_control_of_pretraining_has_weights_and_a_label():
    assert set(controls.CONTROLS) == {name for name, control in CONTROLS.items() if control.is_pretrained}
    assert pretraining_label("rbm+shuffled") == "RBMs, shuffled"
    assert pretraining_label("autoencoder+moments") == "autoencoders, moments only"
    assert pretraining_label("none+longer") == "no pretraining, trained longer"
