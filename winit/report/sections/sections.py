"""The page's sections."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from winit import schemes
from winit.analysis.select import CELL, at_chosen_rate, judged, since_pretraining, small_weights
from winit.analysis.select import main_grid as in_main_grid
from winit.report import findings
from winit.report.exhibits import Exhibit, Gallery, Omission, Section
from winit.report.figures import pretraining as drawings
from winit.report.figures import ranking as ranking_figures
from winit.report.figures import signals, trainability
from winit.report.figures import state as state_figures
from winit.report.figures.phase import phase_diagram
from winit.report.figures.style import Drawn
from winit.study.model import Study


def main_grid(study: Study, found: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the tables with the judged runs of the main grid alone; those of all runs as `all_runs`, `all_summary` and so on.

    The arms beside the grid have sections of their own; `judged_runs` are theirs and the grid's. Tuning replicates choose
    learning rates and are counted, and shown nowhere else.
    """
    mine = found | {f"all_{name}": found[name] for name in ("runs", "summary", "curves", "layers")}
    mine["judged_runs"] = judged(found["runs"])
    mine["runs"], mine["summary"] = (in_main_grid(study, frame) for frame in (mine["judged_runs"], found["summary"]))
    if len(mine["runs"]) < len(found["runs"]):
        for name in ("curves", "layers", "jacobians", "histograms"):
            mine[name] = found[name][found[name]["run_id"].isin(mine["runs"]["run_id"])]
    mine["layers"] = since_pretraining(mine["layers"], found["runs"])
    return mine


def draw_sections(study: Study, found: dict[str, pd.DataFrame], folder: Path) -> Iterator[Section]:
    """Draw every figure of the study; write each beside the page; yield the page's sections."""
    gallery = Gallery(folder, found)
    if study.task.is_reconstruction:
        yield from _reconstruction(study, found, gallery)
    else:
        yield from _classification(study, found, gallery)


PRETRAINED_SETTING = [f for f in findings.SETTING if f != "pretraining"]


def _reconstruction(study: Study, found: dict[str, pd.DataFrame], gallery: Gallery) -> Iterator[Section]:
    """Yield the sections of a study of deep autoencoders."""
    runs, summary, curves = found["judged_runs"], found["all_summary"], found["all_curves"]
    layers, baselines = found["all_layers"], found["baselines"]
    over = f"over {findings.count(runs['replicate'].nunique(), 'replicate')}"
    encoder = "-".join(map(str, [*study.settings["task"]["encoder"]]))

    def lines(frame: pd.DataFrame) -> pd.DataFrame:
        return baselines[baselines["dataset"].isin(frame["dataset"].unique())]

    yield Section(
        "reconstruction", "How well does a deep autoencoder give back its inputs?",
        f"An encoder of {encoder} units and its mirror, against the mean of the training data and as many principal components as the code "
        "has units.",
        [
            *gallery.each(
                PRETRAINED_SETTING, runs, (summary,), "reconstruction", "Reconstruction error by start",
                lambda r, s: drawings.reconstruction_errors(r, s, lines(r)),
                "Squared error, summed over the outputs and averaged over the test examples (Hinton & Salakhutdinov 2006), one mark a replicate; "
                "dashed: the baselines.",
                "Left is better. Hollow marks are controls: they share the values or the moments of pretrained weights, or the longer training. "
                "An arm at the mean predictor's line has learned nothing.",
                "Each arm at its chosen rate; all have the same optimizer, mini-batches and number of updates after pretraining.",
            ),
            *gallery.each(
                PRETRAINED_SETTING, runs, (summary,), "reconstruction-curves", "Reconstruction error against updates",
                lambda r, s: drawings.reconstruction_curves(curves, r, s, lines(r)),
                f"Median squared error per validation example {over}, against all updates: a pretrained network begins where its pretraining ends.",
                "Where curves cross is where pretraining has paid for itself.",
                "An update of pretraining moves one layer and costs less than one of the whole network.",
            ),
        ],
    )  # fmt: skip
    yield from _pretraining(found, gallery, runs, summary, curves, layers, has_accuracy=False)


def _pretraining(
    found: dict[str, pd.DataFrame], gallery: Gallery, runs: pd.DataFrame, summary: pd.DataFrame, curves: pd.DataFrame,
    layers: pd.DataFrame, has_accuracy: bool,
) -> Iterator[Section]:  # fmt: skip
    """Yield the section on greedy pretraining; without the figures of accuracy where deep autoencoders have none."""
    id_, title = "pretraining", "Does greedy layerwise pretraining help?"
    lead = (
        "It is where deep learning began again in 2006. Here it is an arm beside the best random weights, with controls that tell scale from "
        "structure."
    )
    effects = found["pretraining_effects"]
    is_arm = runs["pretraining"] != "none"
    if not is_arm.any():
        yield Section(id_, title, lead, [Omission(title, "no network was pretrained")])
        return
    arms = runs.loc[is_arm, [*CELL, "initializer"]].drop_duplicates()
    runs = runs.merge(arms)  # those from the starts that are pretrained
    replicates = runs["replicate"].nunique()
    over, of_few = f"over {findings.count(replicates, 'replicate')}", f"{replicates} pairs of replicates"
    initializers = schemes.in_order(runs["initializer"])
    small = small_weights(initializers) or initializers[0]

    def deepest(frame: pd.DataFrame) -> int:
        return int(frame.loc[frame["pretraining"] != "none", "depth"].max())

    exhibits: list[Exhibit | Omission] = []
    if has_accuracy:
        exhibits += gallery.each(
            PRETRAINED_SETTING, runs, (summary,), "pretraining", "Test accuracy with and without pretraining",
            lambda r, s: drawings.accuracy_by_depth(r, s, initializers),
            f"Median test accuracy {over} at each arm's chosen rate, single runs as dots; one row for each start.",
            "Grey is the same start without pretraining, dash-dotted with as many updates more as pretraining takes. "
            "Where coloured lines stay up and grey falls, pretraining carries the depth.",
            "A diverged run counts as 0. RBMs have binary or linear hidden units, so they fit sigmoid and identity alone.",
        )  # fmt: skip
        for initializer in initializers:
            exhibits += gallery.each(
                PRETRAINED_SETTING, runs, (effects,), f"pretraining-gain-{re.sub('[^a-z0-9]+', '-', initializer)}",
                f"What pretraining gains from {schemes.label(initializer)}",
                lambda r, e, initializer=initializer: drawings.gains(e, initializer),
                f"Mean difference in test accuracy to the same start without pretraining, {of_few}, with its 95 % t-interval.",
                "Filled: the method. Hollow: its controls. If normal weights with the moments of the pretrained ones gain as much, the gain is "
                "scale; what the method gains beyond them is structure.",
                "Every arm at its own best rate of the same grid, chosen on validation; differences within a point are called equivalent.",
            )  # fmt: skip
        exhibits += gallery.each(
            PRETRAINED_SETTING, runs, (summary,), "pretraining-clock", "Validation accuracy, with the cost of pretraining on the clock",
            lambda r, s: drawings.on_the_clock(curves, r, s, initializers, deepest(r)),
            f"Median validation accuracy {over} in the deepest pretrained networks, against all updates: curves begin where pretraining ends.",
            "Pretraining pays where a coloured curve overtakes the grey ones.",
            "An update of pretraining moves one layer and costs less than one of the whole network, so the axis is unkind to pretraining.",
        )  # fmt: skip
    exhibits += gallery.each(
        PRETRAINED_SETTING, runs, (), "pretraining-layers", "How each layer learns",
        lambda r: drawings.layer_errors(found["pretraining"], r, deepest(r), small),
        f"Error of each layer while it is pretrained from {schemes.label(small)}, relative to that of the mean of its inputs (supervised "
        f"layers: cross-entropy relative to log C); geometric mean {over}.",
        "Above 1 a layer is worse than knowing nothing of its inputs; a layer that stays there passes nothing on worth learning from.",
        "On a fixed sample of training examples, uncorrupted, in the deepest pretrained networks.",
    )  # fmt: skip
    exhibits += gallery.each(
        PRETRAINED_SETTING, runs, (summary,), "pretraining-signal", "Signals before and after training",
        lambda r, s: drawings.signal_through_pretraining(layers, r, s, deepest(r), small),
        f"Variance of the activations by layer, from {schemes.label(small)}: as fine-tuning begins, and at its end; geometric mean {over}.",
        "Grey is what was drawn; what pretraining does to it before the first step of training shows in the other solid lines.",
        "Deepest pretrained networks, each arm at its chosen rate; edges as in the section on signals.",
    )  # fmt: skip
    yield Section(id_, title, lead, exhibits)


def _ranking(study: Study, found: dict[str, pd.DataFrame], gallery: Gallery) -> Iterator[Section]:
    """Yield the section that compares the field over all cells."""
    ranking, baseline = found["ranking"], schemes.label(study.settings["analysis"]["baseline"])
    exhibits = [
        gallery.exhibit(
            "ranking", "The field over all cells", lambda: ranking_figures.intervals(ranking, "tuned"),
            "Share of runs that reached the target (Wilson's interval), interquartile mean score (replicates drawn anew within cells), and the "
            f"probability of a better score than {baseline} in a cell at random (cells drawn anew, then replicates); 95 % intervals.",
            "Sorted by success. The small bars are the mean of the worst tenth of scores: an initializer can be good in the middle and "
            "fail at the edge. On the dashed line it is no better and no worse than the baseline.",
            "Main grid, each initializer at the rate chosen for it on the tuning replicates; diverged runs score 0. Cells in which nobody "
            "learns are left out of the scores, not of the success rate.",
        ),
        gallery.exhibit(
            "ranking-speed", "Who arrives, and how fast",
            lambda: ranking_figures.speed(found["profiles"], found["arrivals"], "tuned"),
            "Left: the share of cells in which an initializer's median steps to the target are at most τ times the fewest of any. Right: the "
            "share of runs that have arrived by each step (Kaplan and Meier).",
            "High on the left edge: often the fastest. High on the right edge: arrives nearly everywhere, if late.",
            "A run that never arrives, or diverges, takes infinitely many steps on the left and is censored at the budget on the right. The profile "
            "depends on who else is in the study.",
        ),
        gallery.exhibit(
            "ranking-tuning", "What tuning is worth", lambda: ranking_figures.tuning_gain(ranking),
            "Share of runs at the target when all train at one rate, against that when each has its own.",
            "Far above the line: an initializer that needs its own rate. On the line: one that does not care.",
            "The fixed rate is declared in analysis.fixed_rate; equal budgets of tuning for all.",
        ),
    ]  # fmt: skip
    yield Section(
        "ranking",
        "Who wins overall?",
        f"All initializers over all cells of the main grid, against the declared baseline, {baseline}.",
        exhibits,
    )


def _regularization(found: dict[str, pd.DataFrame], gallery: Gallery) -> Iterator[Section]:
    """Yield the section on batch normalization and dropout."""
    exhibits: list[Exhibit | Omission] = []
    factors = [f for f in CELL if f != "batch_norm"]
    chosen = at_chosen_rate(found["judged_runs"], found["all_summary"])
    chosen = chosen[(chosen["pretraining"] == "none") & (chosen["dropout"] == 0)]
    kinds = chosen.groupby([*factors, "initializer"])["batch_norm"].transform("nunique")
    both = chosen[kinds == 2]
    for depth in sorted(chosen.loc[chosen["batch_norm"], "depth"].unique()):
        exhibits.append(gallery.exhibit(
            f"regularization-norm-{depth}", f"With and without batch normalization, {depth} layers",
            lambda depth=depth: ranking_figures.normalization(both[both["depth"] == depth]),
            "Test accuracy of every judged run at its arm's chosen rate: hollow without batch normalization, filled with it.",
            "If filled marks stand in one column, normalization has made the initialization matter less.",
            "Batch normalization lies between weights and activation; the initializer draws the weights all the same.",
        ))  # fmt: skip
    dropped = found["judged_runs"][found["judged_runs"]["dropout"] > 0]
    if len(dropped):
        same = dropped[["dataset", "activation", "depth", "initializer"]].drop_duplicates()
        runs = found["judged_runs"].merge(same)
        exhibits.append(gallery.exhibit(
            "regularization-dropout", "Can dropout break the symmetry?",
            lambda: ranking_figures.dropout_symmetry(found["all_layers"], runs),
            "Distinct units of the hidden layers as a share of all, over the steps, with and without dropout; mean over runs and layers.",
            "A line that leaves the bottom is a symmetry that broke: units that were dropped at different steps are no longer alike.",
            "Equality is exact, in float32.",
        ))  # fmt: skip
    title = "Do batch normalization and dropout change the picture?"
    yield Section(
        "regularization", title, "In passing, as in the tutorial: arms beside the main grid, each against its twin without.",
        exhibits or [Omission(title, "no network has batch normalization or dropout")],
    )  # fmt: skip


def _classification(study: Study, found: dict[str, pd.DataFrame], gallery: Gallery) -> Iterator[Section]:
    """Yield the sections of a study of classifiers."""
    runs, curves, layers, summary = (found[name] for name in ("runs", "curves", "layers", "summary"))
    replicates, examples = runs["replicate"].nunique(), study.settings["measure"]["probe_examples"]
    over = f"over {findings.count(replicates, 'replicate')}"

    def each_setting(kind: str, title: str, draw: Callable[..., Drawn], *caption: str) -> list[Exhibit | Omission]:
        return gallery.each(findings.SETTING, runs, (summary,), kind, title, draw, *caption)

    yield Section(
        "phase", "Where in the phase diagram does training work?",
        "Every point is a variance of the weights and one of the biases. Left of the solid line signals from different inputs flow "
        "together (order), right of it neighbours are torn apart (chaos); on it, depth costs nothing.",
        each_setting(
            "phase", "Test accuracy over (σ_w², σ_b²)",
            lambda r, s: phase_diagram(s, found["phase"], found["depth_limits"]),
            f"Median test accuracy {over} at each point's chosen rate. Solid line: χ₁ = 1, critical in wide networks. "
            "Dashed: where the theory's limit of 6/|log χ₁| layers equals the panel's depth; dotted: other limits, in layers.",
            "If the theory holds, the bright region follows the solid line and narrows with depth to what lies between the dashed ones. "
            "Markers show where named initializers lie.",
            "Schoenholz et al. 2017, figure 5, on other data and at a smaller width. Biases beyond the named schemes' 0 exist "
            "on the diagram alone.",
        ),
    )  # fmt: skip
    if len(found["phase"]) and len(found["depth_limits"]):  # no theory with batch normalization alone
        # Lines and maps by name are for the named initializers: a diagram's points would drown them.
        named = ~runs["initializer"].isin(list(schemes.diagram_points(runs["initializer"].unique())))
        if named.any():
            runs, summary = runs[named], summary[summary["initializer"].isin(runs.loc[named, "initializer"])]

    def deepest(frame: pd.DataFrame) -> int:
        return int(frame["depth"].max())

    def shallowest(frame: pd.DataFrame) -> int:
        return int(frame["depth"].min())

    yield Section(
        "trainability", "Where does training work?",
        "Each cell is one initializer at one depth, at the learning rate that served it best on validation.",
        each_setting(
            "trainability", "Test accuracy by initializer and depth",
            lambda r, s: trainability.trainability(s, found["not_applicable"]),
            f"Median test accuracy in per cent {over}, at the learning rate with the best median validation accuracy.",
            "✓: every replicate reached the target on validation; (2/5): two of five did; no mark: none did. "
            "Read along a row: where it turns dark, that initialization has run out of depth.",
            "A diverged run counts as 0. Rates are chosen on validation, and ✓ is read there too; accuracy is reported on test, with the "
            "same replicates.",
        ),
    )  # fmt: skip
    yield from _ranking(study, found, gallery)
    yield Section(
        "convergence", "How fast does it train?",
        "The same runs, step by step. A network that never leaves the floor has not started to learn.",
        [
            *each_setting(
                "convergence", "Validation accuracy against step",
                lambda r, s: trainability.convergence(curves, r, s, "validation_score"),
                f"Median validation accuracy {over} at each initializer's chosen rate; thin lines are single runs.",
                "The further left a line rises, the fewer updates that initialization needs. Rows are depths: the field thins out downwards.",
                "Evaluated at log-spaced steps; step 0 is the untrained network. A diverged run counts as 0 from then on.",
            ),
            *each_setting(
                "loss", "Training loss against step",
                lambda r, s: trainability.convergence(curves, r, s, "train_loss", has_single_runs=False),
                f"Median cross-entropy in nats on a fixed sample of training examples {over}, at each initializer's chosen rate.",
                "A flat line at log(classes) is a network that has learned nothing but the class frequencies.",
                "Losses beyond 30 nats run off the panel. A diverged run counts as infinite from then on.",
            ),
        ],
    )  # fmt: skip
    yield Section(
        "signals", "Does the signal arrive?",
        "Before any training: the variance of the activations, layer by layer, in the deepest networks of the grid.",
        each_setting(
            "signals", "Variance of activations by layer at initialization",
            lambda r, s: signals.signal(layers, r, "h_variance", deepest(r), found["theory"]),
            f"Variance of h over {examples} training examples and all units of a layer, geometric mean {over}; log scale.",
            "A straight falling line is a signal that shrinks by the same factor in every layer (vanishing); a level one is kept; "
            "tanh and sigmoid bound the variance from above, so large weights show there as saturation instead (below).",
            "Values outside 10⁻²⁴ to 10¹² are drawn at that edge; so are exact zeros. Dotted: what the theory of infinitely wide networks expects; "
            "shaded: within this, a mean over networks of this width and number agrees with it.",
        ),
    )  # fmt: skip
    yield Section(
        "gradients", "Does the gradient return?",
        "The same networks, read from right to left: what is left of the error when it reaches the first layer?",
        [
            *each_setting(
                "gradients", "Variance of the back-propagated gradient by layer at initialization",
                lambda r, s: signals.signal(layers, r, "delta_variance", deepest(r), found["theory"]),
                f"Variance of ∂ℓ/∂z, the gradient of one example's loss by a layer's pre-activations, geometric mean {over}.",
                "A signal can keep its variance on the way up and the gradient still vanish on the way down: compare sigmoid here and above.",
                "Layer 1 is next to the inputs, the last layer is the output. Edges as above. Dotted: the theory of infinitely wide networks, "
                "begun at the output layer's measured value.",
            ),
            *each_setting(
                "weight-gradients", "Variance of the weights' gradient by layer at initialization",
                lambda r, s: signals.signal(layers, r, "gradient_variance", deepest(r)),
                f"Variance of ∂L/∂W over the weights of a layer, L being the mean loss of the probe batch; geometric mean {over}.",
                "This is what moves the weights. It mixes the signal from below with the gradient from above, so it can look level "
                "while both change (Glorot & Bengio 2010).",
                "Edges as above.",
            ),
        ],
    )  # fmt: skip
    yield Section(
        "angles", "Do two inputs stay apart?",
        "A network can tell two examples apart only as long as their signals differ. At 1 they have become the same direction.",
        each_setting(
            "angles", "Correlation of two inputs by layer at initialization",
            lambda r, s: signals.correlation(layers, r, deepest(r), found["theory"]),
            f"Mean cosine of the pre-activations of two different examples, over {examples // 2} pairs and all replicates.",
            "Ordered networks pull inputs together until nothing is left to learn from; chaotic ones push neighbours apart. "
            "Biases and activations with a mean other than 0 pull, too (sigmoid, ReLU).",
            "Not centred: the quantity c of the correlation map (Poole et al. 2016). Dotted: the map, begun at the mean cosine of the inputs.",
        ),
    )  # fmt: skip
    yield Section(
        "saturation", "Do units saturate or die?",
        "Large weights push tanh and sigmoid into their tails, where the slope is nearly zero; a ReLU unit can be off for every example.",
        each_setting(
            "saturation", "Saturated and dead share by layer at initialization",
            lambda r, s: signals.saturation(layers, r, deepest(r)),
            f"Share of activations beyond ±0.97 (tanh), or outside 0.03 to 0.97 (sigmoid); for ReLU the share of units with zero slope "
            f"on every probe example. Mean {over}.",
            "A high line is a layer in which most units pass hardly any gradient. Whether such a network trains all the same is a question "
            "for the map above, not for this figure.",
            "Activations that neither saturate nor die stay at 0.",
        ),
    )  # fmt: skip
    yield Section(
        "state", "What do untrained networks do to their inputs, and updates to weights?",
        "Three more looks at the same networks: how strongly outputs depend on inputs, how much that varies from draw to draw, and how large "
        "the steps of training are.",
        [
            *each_setting(
                "jacobians", "Singular values of the Jacobian at initialization",
                lambda r, s: state_figures.jacobians(found["jacobians"], r),
                f"Median and quartiles of the singular values of ∂logits/∂inputs over 8 training examples, median {over}; log scale.",
                "On the dashed line small changes of an input arrive as they are. Long bars: some directions explode while others vanish.",
                "Not for networks with batch normalization, in which no example has a Jacobian of its own. Edges as in the section on signals.",
            ),
            *each_setting(
                "spread", "How much lengths vary from draw to draw",
                lambda r, s: state_figures.length_spread(s),
                f"Standard deviation {over} of log mean z² in the last hidden layer, before training.",
                "A line that rises with depth is an initialization whose networks differ more and more from one another: the mean of the "
                "theory is then no typical network.",
                "The second failure of Hanin & Rolnick 2018. Bounded activations cannot fluctuate so.",
            ),
            *each_setting(
                "updates", "Size of updates relative to weights",
                lambda r, s: state_figures.update_ratio(layers, r, s, deepest(r)),
                f"‖ΔW‖/‖W‖ of the next update, median over hidden layers and {findings.count(replicates, 'replicate')}, at each initializer's "
                "chosen rate, in the deepest networks.",
                "Far below the dashed line (10⁻³, a rule of thumb) layers hardly move; far above it they are overwritten.",
                "Zero weights that move have an infinite ratio, drawn at the upper edge; what does not move is at the lower one.",
            ),
        ],
    )  # fmt: skip
    yield Section(
        "learning-rate", "How much does the learning rate matter?",
        "An initialization that trains at one rate alone is a fragile one. Every initializer had the same rates to choose from.",
        each_setting(
            "learning-rate", "Validation accuracy against learning rate",
            lambda r, s: trainability.learning_rate(s),
            f"Median validation accuracy at the end {over}; the ring marks the chosen rate.",
            "Wide plateaus are forgiving; a ring on the edge of the grid says that a better rate may lie outside.",
            "A diverged run counts as 0.",
        ),
    )  # fmt: skip
    yield Section(
        "symmetry", "Is the symmetry broken?",
        "Two units that start with the same weights get the same gradient and stay the same unit, for ever.",
        each_setting(
            "symmetry", "Distinct units over the steps",
            lambda r, s: trainability.symmetry(layers, r, shallowest(r)),
            "Units of the hidden layers that differ from one another, bit for bit, in their incoming weights or bias, as a share of the "
            f"layer's units, in the shallowest networks. Mean over all hidden layers, learning rates and {findings.count(replicates, 'replicate')}.",
            "Zero and constant weights start with one distinct unit a layer. A line that stays at the bottom is a wide network that works "
            "as if it had one unit a layer; any random weights start at the top.",
            "Equality is exact, in float32.",
        ),
    )  # fmt: skip
    yield from _pretraining(
        found,
        gallery,
        found["judged_runs"],
        found["all_summary"],
        found["all_curves"],
        found["all_layers"],
        has_accuracy=True,
    )
    yield from _regularization(found, gallery)
    yield Section(
        "histograms", "How are the values distributed?",
        "The deepest networks before training, layer by layer: brighter is more common.",
        [
            shown
            for quantity, what in (("h_count", "activations"), ("delta_count", "gradients ∂ℓ/∂z"))
            for shown in each_setting(
                f"histograms-{what.split()[0]}", f"Distribution of {what} by layer at initialization",
                lambda r, s, quantity=quantity: signals.histograms(found["histograms"], r, quantity, deepest(r)),
                f"Counts of {what} over units and {examples} examples, all of {findings.count(replicates, 'replicate')} together.",
                "Two bright columns apart are saturated units; one bright column at 0 with faint tails is a layer where few units speak.",
                "Each layer in units of its own root mean square, so that shapes can be compared where sizes vanish.",
            )
        ],
    )  # fmt: skip
    yield Section(
        "replay", "The tutorial's own experiment",
        "100 normal inputs through five tanh layers of 50 units: small weights, large weights, and the 1/n rule.",
        [
            gallery.exhibit(
                "replay", "Histograms of activations in five tanh layers", lambda: signals.replay(found["replay"]),
                "Distribution of the activations of each layer over 400 draws of inputs and weights.",
                "σ = 0.01: the activations collapse onto 0, layer by layer. σ = 1: they pile up at ±1. σ = 1/√n: they stay spread out, "
                "shrinking slowly.",
                "“std” is the standard deviation over a layer's units, averaged over the draws.",
            )
        ],
    )  # fmt: skip
