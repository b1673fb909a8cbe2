"""The sections of the page, one file each: a question, the figures that answer it, and their captions.

A section is a function from a `PageContext` to a `Section`. To add a figure, write a function of `winit.report.figures` and
an entry, with its caption, in the file of its section. To add a section, write its file and add its function to a list here.
"""

from __future__ import annotations

from collections.abc import Callable

from winit.report.context import PageContext
from winit.report.exhibits import Section
from winit.report.sections.angles import angles
from winit.report.sections.convergence import convergence
from winit.report.sections.gradients import gradients
from winit.report.sections.histograms import histograms
from winit.report.sections.learning_rate import learning_rate
from winit.report.sections.phase import phase
from winit.report.sections.pretraining import pretraining
from winit.report.sections.ranking import ranking
from winit.report.sections.reconstruction import reconstruction
from winit.report.sections.regularization import regularization
from winit.report.sections.replay import replay
from winit.report.sections.saturation import saturation
from winit.report.sections.signals import signals
from winit.report.sections.state import state
from winit.report.sections.symmetry import symmetry
from winit.report.sections.trainability import trainability

SectionFunction = Callable[[PageContext], Section]

# In the order of the page, by the task of the study.
SECTIONS: dict[str, list[SectionFunction]] = {
    "classification": [
        phase, trainability, ranking, convergence, signals, gradients, angles, saturation, state, learning_rate, symmetry,
        pretraining, regularization, histograms, replay,
    ],
    "reconstruction": [reconstruction, pretraining],
}  # fmt: skip

# The slowest sections start first, so that no process waits for them at the end.
LONGEST: list[SectionFunction] = [convergence, pretraining, state, gradients, learning_rate, trainability]
