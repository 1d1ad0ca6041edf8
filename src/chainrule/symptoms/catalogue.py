"""The vocabulary of the diagnosis: every cause and every symptom by its one name."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CAUSES", "SYMPTOMS", "CauseKind", "SymptomKind"]


@dataclass(frozen=True)
class CauseKind:
    """A cause that may be at fault.

    Attributes
    ----------
    family : "data", "code" or "recipe"
    text : what is wrong, in words that continue "Something is wrong with this run: …"
    lecture : where it is explained
    same_as : causes that give equivalent answers, which are shown together
    """

    family: str
    text: str
    lecture: str = ""
    same_as: tuple[str, ...] = ()


@dataclass(frozen=True)
class SymptomKind:
    """Something that is looked at.

    Attributes
    ----------
    title : what is looked at, in words
    stage : "data", "code", "start", "by heart", "look" or "trial"
    """

    title: str
    stage: str


#: The causes, by name.
CAUSES = {
    "nan": CauseKind("data", "values are missing or infinite", "lecture 003"),
    "labels_unrelated": CauseKind("data", "the targets have nothing to do with the inputs", "lecture 000"),
    "labels_noisy": CauseKind("data", "many targets are wrong", "lecture 003"),
    "leak": CauseKind("data", "a column gives the target away", "lecture 003"),
    "too_little_data": CauseKind("data", "there are too few rows", "lecture 003"),
    "outliers": CauseKind("data", "a few values lie far from all others", "lecture 003"),
    "imbalance": CauseKind("data", "a class is rare, and its rows are given up", "lecture 003"),
    "overlap": CauseKind("data", "validation rows are in the training data, too", "lecture 003", ("duplicates",)),
    "duplicates": CauseKind("data", "rows occur more than once", "lecture 003", ("overlap",)),
    "shift": CauseKind("data", "training and validation rows are not alike", "lecture 003"),
    "scrambled_pixels": CauseKind("data", "neighbouring pixels are not alike", "lecture 002"),
    "inputs_unscaled": CauseKind("recipe", "the inputs are not on a common scale around 0", "lecture 002"),
    "targets_unscaled": CauseKind("recipe", "the targets are not on a scale around 0 and 1", "lecture 002"),
    "lr_high": CauseKind("recipe", "the learning rate is too high", "lecture 003"),
    "lr_low": CauseKind("recipe", "the learning rate is too low", "lecture 003", ("epochs_few",)),
    "schedule": CauseKind("recipe", "the schedule takes the learning rate away", "lecture 003"),
    "optimizer": CauseKind("recipe", "settings of the optimizer besides its rate", "lecture 003"),
    "batch_large": CauseKind("recipe", "the batches are too large: too few steps", "lecture 003"),
    "batch_small": CauseKind("recipe", "the batches are too small: steps too noisy", "lecture 003"),
    "epochs_few": CauseKind("recipe", "too few epochs", "lecture 003", ("lr_low",)),
    "overtrained": CauseKind("recipe", "it is trained for too long", "lecture 003", ("no_validation", "patience")),
    "no_validation": CauseKind("recipe", "nothing tells when to stop", "lecture 003", ("overtrained",)),
    "patience": CauseKind("recipe", "early stopping gives up too soon or too late", "lecture 003", ("overtrained",)),
    "regularization": CauseKind("recipe", "the penalty on the weights is too strong", "lecture 003"),
    "dropout": CauseKind("recipe", "too many units are dropped", "lecture 003"),
    "augmentation": CauseKind("recipe", "the changes of training samples are too strong", "lecture 003"),
    "loss": CauseKind("recipe", "the loss does not fit the task", "lecture 003"),
    "output": CauseKind("recipe", "the output layer does not fit the task", "lecture 003"),
    "activation": CauseKind("recipe", "the activations let no gradient through", "lecture 002"),
    "init": CauseKind("recipe", "the first weights do not let it learn", "lecture 003"),
    "bias": CauseKind("recipe", "biases are missing", "lecture 000"),
    "batch_norm": CauseKind("recipe", "batch normalization: missing, stale averages, or its ε", "lecture 003"),
    "too_small": CauseKind("recipe", "the network is too small", "lecture 003"),
    "too_large": CauseKind("recipe", "the network is too large for its data", "lecture 003"),
    "too_deep": CauseKind("recipe", "the network is too deep for its activations", "lecture 002"),
    "code_gradient": CauseKind("code", "a gradient is wrong", "lecture 003"),
    "code_cut": CauseKind("code", "a gradient is cut off", "lecture 002"),
    "code_axis": CauseKind("code", "samples of a batch change each other", "lecture 003"),
    "code_loss": CauseKind("code", "the loss does not point to the targets", "lecture 003"),
    "code_scale": CauseKind("code", "the loss or a layer is on a wrong scale", "lecture 003"),
}

#: The symptoms, by name, in the order in which they are looked for.
SYMPTOMS = {
    "readable": SymptomKind("data and settings can be used", "data"),
    "labels_related": SymptomKind("the inputs tell something about the targets", "data"),
    "labels_trusted": SymptomKind("the targets can be trusted", "data"),
    "one_column": SymptomKind("no column alone gives the target away", "data"),
    "rows_twice": SymptomKind("rows occur once", "data"),
    "parts_alike": SymptomKind("training and validation rows are alike", "data"),
    "tails": SymptomKind("no values far from all others", "data"),
    "classes": SymptomKind("rows of every class", "data"),
    "scale": SymptomKind("inputs and targets on a scale around 0", "data"),
    "neighbours": SymptomKind("neighbouring pixels are alike", "data"),
    "loss_direction": SymptomKind("the loss points to the targets", "code"),
    "samples_apart": SymptomKind("samples do not change each other", "code"),
    "gradient": SymptomKind("gradients are right", "code"),
    "gradient_reaches": SymptomKind("the gradient reaches every weight", "start"),
    "signal": SymptomKind("the signal reaches the outputs", "start"),
    "start_cost": SymptomKind("the cost at the start", "start"),
    "by_heart": SymptomKind("sixteen rows are learnt by heart", "by heart"),
    "inputs_matter": SymptomKind("the answers depend on the inputs", "look"),
    "finite": SymptomKind("all values are finite", "look"),
    "step_size": SymptomKind("steps of a useful size", "look"),
    "update_ratio": SymptomKind("updates beside the weights", "look"),
    "movement": SymptomKind("the loss moves", "look"),
    "still_falling": SymptomKind("the loss has come to rest", "look"),
    "modes_agree": SymptomKind("training and prediction mode agree", "look"),
    "training_below": SymptomKind("training rows are not worse than others", "look"),
    "fits_training_only": SymptomKind("training and other rows are fitted alike", "look"),
    "fits_neither": SymptomKind("training rows are fitted", "look"),
    "penalty": SymptomKind("the penalty beside the gradient of the data", "look"),
    "units": SymptomKind("units that work", "look"),
    "recipe": SymptomKind("the recipe beside the reference", "trial"),
    "trial": SymptomKind("changes that were tried", "trial"),
}
