"""Labels come and go in a project: what the network has learned of a label goes with it, a new label starts afresh.

Shape suffixes: K classes, F cues.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from model.attention.network import OptimizerState, make_network
from model.tagger import Tagger
from model.training.optimisation import MOMENTS

BY_CLASS = ("query", "head", "bias")  # parameters with a row per class
BY_CUE = "flag_in.weight"  # with a column per cue

Moves = Sequence[tuple[int, int]]


def relabelled(trained: Tagger, cold: Tagger) -> Tagger:
    """The cold start for other labels with the trained network and its optimizer's state for a training to go on from.

    The rest of ``trained`` is left behind: label model, regression and thresholds are fitted anew in each training.
    What comes back is no version to serve, since the network's logits belong on top of what is fitted. ``cold`` itself
    comes back where there is no network, or one of another space.
    """
    if trained.network is None or trained.space != cold.space:
        return cold
    classes = _moves(trained.labels, cold.labels)
    cues = _moves(trained.sources.cues.names, cold.sources.cues.names)
    config = replace(trained.network.config, classes=len(cold.labels), flags=len(cold.sources.cues.names))
    network = make_network(config, cold.seed)
    state = network.state_dict()
    learned = trained.network.state_dict()
    network.load_state_dict({name: _moved(name, fresh, learned, classes, cues) for name, fresh in state.items()})
    parameters = {f"{name}.{moment}": parameter for name, parameter in network.named_parameters() for moment in MOMENTS}
    optimizer = OptimizerState(trained.optimizer)
    for name in parameters.keys() & optimizer.keys():
        parameter, (kind, _, _) = parameters[name], name.rpartition(".")
        optimizer[name] = _moved(kind, torch.zeros_like(parameter), {kind: optimizer[name]}, classes, cues)
    return replace(cold, network=network, reduction=trained.reduction, optimizer=optimizer)


def _moves(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Where each name that is still there was, and where it is now."""
    places = {name: place for place, name in enumerate(old)}
    return [(places[name], place) for place, name in enumerate(new) if name in places]


def _moved(name: str, fresh: Tensor, learned: Mapping[str, Tensor], classes: Moves, cues: Moves) -> Tensor:
    """``fresh`` with what was learned in the places where it belongs now."""
    if name not in learned:
        return fresh
    moved = fresh.clone()
    if name in BY_CLASS:
        for old, new in classes:
            moved[new] = learned[name][old]
    elif name == BY_CUE:
        for old, new in cues:
            moved[:, new] = learned[name][:, old]
    else:
        moved.copy_(learned[name])
    return moved
