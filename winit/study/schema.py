"""The settings of a study: every setting is one field, with its type, bounds and description.

Defaults are in conf/ only. A resolved study states every setting.
"""

from __future__ import annotations

from functools import cached_property
from math import cos, pi
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from winit.datasets import DATASETS
from winit.study.fields import (
    NUMBER,
    Folder,
    Initializer,
    Integer,
    Levels,
    Listed,
    Name,
    Pretraining,
    Sentence,
    Truth,
    check_name,
    one_of,
)
from winit.theory.activations import ACTIVATIONS
from winit.vocabulary.factors import (
    CORRUPTIONS,
    DECODERS,
    DEVICES,
    ENGINES,
    LOSSES,
    OPTIMIZERS,
    PRETRAINING_LOSSES,
    SCALINGS,
    SCHEDULES,
    TASKS,
    VISIBLE,
)

Device = Annotated[str, one_of("device", DEVICES)]
Engine = Annotated[str, one_of("engine", ENGINES)]
Scaling = Annotated[str, one_of("scaling", SCALINGS)]
Task = Annotated[str, one_of("task", TASKS)]
Loss = Annotated[str, one_of("loss", LOSSES)]
PretrainingLoss = Annotated[str, one_of("loss", PRETRAINING_LOSSES)]
Activation = Annotated[str, one_of("activation", ACTIVATIONS)]
Optimizer = Annotated[str, one_of("optimizer", OPTIMIZERS)]
Schedule = Annotated[str, one_of("schedule", SCHEDULES)]
Decoder = Annotated[str, one_of("decoder", DECODERS)]
Corruption = Annotated[str, one_of("corruption", CORRUPTIONS)]
Visible = Annotated[str, one_of("visible units", ("auto", *VISIBLE))]

LOWEST_RATE, HIGHEST_RATE = 1e-30, 1e30
Rate = Annotated[float, Field(ge=LOWEST_RATE, le=HIGHEST_RATE), NUMBER]
Momentum = Annotated[float, Field(ge=0, le=0.9999), NUMBER]
LayerCount = Annotated[Integer, Field(ge=1)]
LayerWidth = Annotated[Integer, Field(ge=1, le=100_000)]
OneOrMany = TypeVar("OneOrMany")

EMPTY = "empty"  # type of pydantic's error for an empty mapping that needs an entry


class SettingsSection(BaseModel):
    """A mapping of settings. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSettings(SettingsSection):
    """Where data files are, and how inputs are scaled."""

    dir: Folder = Field(
        description="Folder with the four files of MNIST. auto: the folder in WINIT_DATA if it is set; otherwise they are downloaded."
    )
    scaling: Scaling = Field(
        description="Scaling of the inputs: standard (mean 0, variance 1 on the training part) or unit (between 0 and 1)."
    )


class TaskSettings(SettingsSection):
    """What networks are trained for."""

    name: Task = Field(description="classification, or reconstruction of the inputs by a deep autoencoder.")
    encoder: Listed[LayerWidth] = Field(
        description="Widths of the encoder's layers, the code last. The decoder is its mirror. Empty for classification."
    )
    loss: Loss = Field(description="Loss of training. Reconstruction with cross_entropy needs inputs between 0 and 1.")

    @property
    def is_reconstruction(self) -> bool:
        """Whether networks reconstruct their inputs instead of classifying them."""
        return self.name == "reconstruction"


class GridSettings(SettingsSection):
    """The grid: the levels of every factor, and how often each combination is trained."""

    dataset: Listed[Annotated[str, one_of("dataset", DATASETS)]] = Field(
        description="Datasets of the study that the grid uses. Empty: all of them."
    )

    initializer: Levels[Initializer] = Field(
        description="Initialization schemes, with parameters and modifiers: he_normal, normal:0.01, he_normal+lsuv."
    )
    activation: Levels[Activation] = Field(description="Activation functions of the hidden layers.")
    depth: Levels[Annotated[Integer, Field(ge=1, le=1000)]] = Field(description="Numbers of hidden layers.")
    width: Levels[LayerWidth] = Field(description="Units in every hidden layer.")
    batch_norm: Levels[Truth] = Field(description="Whether hidden layers have batch normalization.")
    dropout: Levels[Annotated[float, Field(ge=0, lt=1), NUMBER]] = Field(
        description="Probability that a hidden unit is dropped in a training step."
    )
    pretraining: Levels[Pretraining] = Field(
        description="Ways of greedy layerwise pretraining. A control is written after its method and a plus sign."
    )
    pretraining_rate: Levels[Annotated[float, Field(ge=1e-6, le=1e6), NUMBER]] = Field(
        description="Factors on the learning rates of pretraining. They are tuned before the learning rate. "
        "Without tuning replicates, the factor nearest to 1 is used."
    )
    learning_rate: Levels[Rate] = Field(
        description="Grid of learning rates. Runs are judged at the rate with the highest mean validation score."
    )
    extensions: Annotated[Integer, Field(ge=0, le=20)] = Field(
        description="Number of rates that tuning may add at each end of the grid while the best rate is at its edge."
    )
    replicates: Annotated[Integer, Field(ge=1, le=10_000)] = Field(
        description="Number of judged runs of each combination. Each has its own split and random streams."
    )
    tuning_replicates: Annotated[Integer, Field(ge=0, le=10_000)] = Field(
        description="Number of additional runs at every rate, used to choose the rate. 0: the judged runs choose it."
    )

    @property
    def is_pretrained(self) -> bool:
        """Whether any runs are pretrained, or trained longer by the updates of pretraining."""
        return any(name != "none" for name in self.pretraining)


class Grid(GridSettings):
    """A grid with all its levels: the main grid, or an extra grid completed with levels of the main grid."""

    dataset: Levels[Annotated[str, one_of("dataset", DATASETS)]] = Field(description="Datasets that the grid uses.")
    optimizer: Levels[Optimizer] = Field(description="Optimizers; those of `training` in the main grid.")


class ExtraGrid(Grid):
    """An extra grid in a study's file: its question, and the levels that differ from the main grid."""

    question: Sentence = Field(description="Question that the grid answers, in one sentence. The page prints it.")


class Training(SettingsSection, Generic[OneOrMany]):
    """How networks are trained, with one optimizer or with several."""

    optimizer: OneOrMany = Field(description="The optimizer, or several to compare.")
    steps: Annotated[Integer, Field(ge=1, le=100_000_000)] = Field(description="Number of updates.")
    batch_size: Annotated[Integer, Field(ge=1, le=1_000_000)] = Field(description="Examples in a mini-batch.")
    momentum: Momentum = Field(description="Momentum of the optimizers momentum and nesterov.")
    weight_decay: Annotated[float, Field(ge=0, le=1e6), NUMBER] = Field(
        description="λ for all parameters. λW is added to the gradient; adamw applies the decay separately from the gradient."
    )
    schedule: Schedule = Field(description="Schedule of the learning rate. linear and cosine fall to 0.")
    warmup: Annotated[Integer, Field(ge=0, le=100_000_000)] = Field(
        description="Number of steps over which the learning rate first rises linearly from 0."
    )


class TrainingSettings(Training[Levels[Optimizer]]):
    """How networks are trained."""


class TrainingRecipe(Training[Optimizer]):
    """How the networks of one workload are trained: with one optimizer."""

    def rate_factor(self, step: int) -> float:
        """Return the factor on the learning rate at a step, counted from 0: warm-up, then the schedule.

        (t + 1)/warmup for t < warmup;  then, with s = (t − warmup)/(steps − warmup),
        constant: 1,   linear: 1 − s,   cosine: (1 + cos πs)/2
        """
        if step < self.warmup:
            return (step + 1) / self.warmup
        share = min((step - self.warmup) / (self.steps - self.warmup), 1.0)
        return {"constant": 1.0, "linear": 1 - share, "cosine": (1 + cos(pi * share)) / 2}[self.schedule]


class RbmSettings(SettingsSection):
    """How restricted Boltzmann machines are trained."""

    visible: Visible = Field(
        description="Visible units of the first machine. auto: binary if data.scaling is unit, otherwise gaussian."
    )
    gibbs_steps: Annotated[Integer, Field(ge=1, le=1_000_000)] = Field(description="k of contrastive divergence, CD-k.")
    learning_rate: Annotated[float, Field(gt=0, lt=1e30), NUMBER] = Field(
        description="Learning rate of machines with binary units only."
    )
    real_rate: Annotated[float, Field(gt=0, lt=1e30), NUMBER] = Field(
        description="Learning rate of machines with Gaussian visible or linear hidden units."
    )
    momentum: Momentum = Field(description="Momentum in the first steps.")
    late_momentum: Momentum = Field(description="Momentum in the remaining steps.")
    early_share: Annotated[float, Field(ge=0, le=1), NUMBER] = Field(
        description="Share of the steps that use `momentum`; the others use `late_momentum`."
    )
    weight_cost: Annotated[float, Field(ge=0, le=1e6), NUMBER] = Field(description="λ of the L2 penalty on weights.")


class PretrainingSettings(SettingsSection):
    """How layers are pretrained in runs with grid.pretraining."""

    layers: LayerCount | Literal["all"] = Field(
        description="Number of layers to pretrain, counted from the input. all: every hidden layer."
    )
    steps: Annotated[Integer, Field(ge=1, le=100_000_000)] = Field(description="Updates of each layer.")
    batch_size: Annotated[Integer, Field(ge=1, le=1_000_000)] = Field(description="Examples in a mini-batch.")
    optimizer: Optimizer = Field(description="Optimizer of autoencoders and supervised layers.")
    learning_rate: Annotated[float, Field(gt=0, lt=1e30), NUMBER] = Field(
        description="Learning rate of autoencoders and supervised layers."
    )
    momentum: Momentum = Field(description="Momentum of the optimizers momentum and nesterov.")
    decoder: Decoder = Field(description="Decoder of autoencoders: tied (the transposed weights), or free.")
    loss: PretrainingLoss = Field(
        description="Loss of autoencoders. auto: cross_entropy for layers whose inputs are between 0 and 1, otherwise "
        "squared_error. cross_entropy needs sigmoid and inputs between 0 and 1."
    )
    corruption: Corruption = Field(
        description="Corruption for denoising autoencoders: masking (inputs are set to 0) or gaussian (noise is added)."
    )
    corruption_amount: Annotated[float, Field(ge=0, le=1e6), NUMBER] = Field(
        description="Share of inputs that are masked, or standard deviation of the noise."
    )
    rbm: RbmSettings

    def at_rate(self, factor: float) -> PretrainingSettings:
        """Return the settings with all learning rates of pretraining multiplied by a factor."""
        rates = {"learning_rate": factor * self.rbm.learning_rate, "real_rate": factor * self.rbm.real_rate}
        rbm = self.rbm.model_copy(update=rates)
        return self.model_copy(update={"learning_rate": factor * self.learning_rate, "rbm": rbm})


class MeasureSettings(SettingsSection):
    """When runs are measured, and on how many examples."""

    budgets: Listed[Annotated[Integer, Field(ge=1, le=100_000_000)]] = Field(
        description="Shorter budgets, in steps, after which runs are evaluated in addition to training.steps. Needs a constant schedule."
    )
    curve_points: Annotated[Integer, Field(ge=2, le=1000)] = Field(
        description="Number of log-spaced steps at which losses and scores are evaluated, including 0 and the last step."
    )
    layer_points: Annotated[Integer, Field(ge=2, le=100)] = Field(
        description="Number of log-spaced steps at which every layer is probed, including 0 and the last step."
    )
    trace_points: Annotated[Integer, Field(ge=0, le=100_000_000)] = Field(
        description="Number of log-spaced steps at which the layers are measured on the mini-batch of the step. 0: none."
    )
    probe_examples: Annotated[Integer, Field(ge=2, le=1_000_000)] = Field(
        description="Number of training examples in the fixed probe batch."
    )
    histogram_bins: Annotated[Integer, Field(ge=0, le=1000)] = Field(
        description="Number of bins of the histograms of activations and gradients in every layer. 0: no histograms."
    )


class AnalysisSettings(SettingsSection):
    """Choices of the analysis, declared before the data are collected."""

    baseline: Initializer = Field(description="Initializer that all others are compared with.")
    margin: Annotated[float, Field(gt=0, lt=1), NUMBER] = Field(
        description="Largest difference of scores and accuracies that counts as equivalent."
    )
    fixed_rate: Rate = Field(
        description="Learning rate at which every arm is also judged, as if it were not tuned. The nearest rate of the arm's grid is used."
    )
    resamples: Annotated[Integer, Field(ge=100, le=1_000_000)] = Field(description="Number of bootstrap resamples.")


class DatasetSettings(SettingsSection):
    """A dataset of a study."""

    target_accuracy: Annotated[float, Field(ge=0, le=1), NUMBER] = Field(
        description="Test score that a run needs at the end of a budget to count as trained."
    )

    @property
    def parameters(self) -> dict[str, float]:
        """The parameters of the dataset's generator."""
        return self.model_dump(exclude={"target_accuracy"})


class SpiralsSettings(DatasetSettings):
    """The spirals of a study."""

    turns: Annotated[float, Field(gt=0, lt=100), NUMBER] = Field(
        description="How often each arm winds around the origin."
    )
    noise: Annotated[float, Field(ge=0, le=10), NUMBER] = Field(
        description="Standard deviation of the noise of each coordinate; the disc has radius 1."
    )


# The settings of every dataset. Datasets with parameters have their own class.
DATASET_SETTINGS: dict[str, type[DatasetSettings]] = {name: DatasetSettings for name in DATASETS} | {
    "spirals": SpiralsSettings
}


def _in_given_order(value: Any, validate: Any) -> Any:
    """Validate a mapping with at least one of its possible keys, and keep the given order."""
    if value == {}:
        raise PydanticCustomError(EMPTY, "empty")
    validated = validate(value)
    return {key: validated[key] for key in value}


class _ByDataset:
    """A mapping from names of datasets to their settings, in the order in which they were given."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        fields = {
            name: core_schema.typed_dict_field(handler.generate_schema(settings), required=False)
            for name, settings in DATASET_SETTINGS.items()
        }
        return core_schema.no_info_wrap_validator_function(
            _in_given_order, core_schema.typed_dict_schema(fields, extra_behavior="forbid")
        )


class _ByExtraGrid:
    """A mapping from names of extra grids to questions and levels of some factors. Null grids are left out."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        fields = {
            name: core_schema.typed_dict_field(handler.generate_schema(_annotation(field)), required=False)
            for name, field in ExtraGrid.model_fields.items()
        }
        levels = core_schema.no_info_wrap_validator_function(
            _in_given_order, core_schema.typed_dict_schema(fields, extra_behavior="forbid")
        )
        names = core_schema.no_info_before_validator_function(check_name, core_schema.str_schema())
        grids = core_schema.no_info_after_validator_function(
            _without_null, core_schema.dict_schema(names, core_schema.nullable_schema(levels))
        )
        return core_schema.no_info_before_validator_function(lambda value: {} if value is None else value, grids)


def _annotation(field: Any) -> Any:
    return Annotated[(field.annotation, field)]


def _without_null(grids: dict[str, Any]) -> dict[str, Any]:
    return {name: grid for name, grid in grids.items() if grid is not None}


class StudySettings(SettingsSection):
    """All settings of a study."""

    name: Name = Field(description="Name of results/<name>/ and reports/<name>/. null: the name of the study's file.")
    question: Sentence = Field(description="Question of the study, in one sentence. It is the title of the page.")
    device: Device = Field(description="Device to train on. auto: CUDA if it is available, otherwise the CPU.")
    engine: Engine = Field(
        description="Engine to train with. auto: the fused engine of the device (CPU: kernel, CUDA: triton) if it supports the network, else torch."
    )
    seed: Annotated[Integer, Field(ge=0, le=2**63 - 1)] = Field(description="Seed of all random streams.")
    data: DataSettings
    task: TaskSettings
    grid: GridSettings
    training: TrainingSettings
    pretraining: PretrainingSettings
    measure: MeasureSettings
    analysis: AnalysisSettings
    dataset: Annotated[dict[str, DatasetSettings], _ByDataset()] = Field(
        description="Datasets of the study, with their settings."
    )
    extra_grids: Annotated[dict[str, dict[str, Any]], _ByExtraGrid()] = Field(
        default={},
        description="Grids whose runs are added to those of `grid`. Each one is `grid` with other levels of some factors, "
        "and may have a `question`.",
    )

    @cached_property
    def grids(self) -> dict[str, Grid]:
        """The grids of the study by name: the main grid, named '', and the extra grids."""
        main = self.grid.model_dump() | {"optimizer": self.training.optimizer}
        main["dataset"] = self.grid.dataset or list(self.dataset)
        return {name: Grid.model_construct(**(main | levels)) for name, levels in [("", {}), *self._levels.items()]}

    @property
    def _levels(self) -> dict[str, dict[str, Any]]:
        return {
            name: {factor: levels for factor, levels in grid.items() if factor in Grid.model_fields}
            for name, grid in self.extra_grids.items()
        }
