"""Relabelling: continue training after a project has gained or lost labels.

The network keeps the weights of labels that the project still has. New labels start with new weights.

Shape suffixes: K classes, F cues.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from model.attention.network import OptimizerState, make_network
from model.lexicon.blocks import STATISTICS
from model.tagger import Tagger
from model.training.optimisation import MOMENTS

BY_CLASS = ("query", "head", "bias")
"""The network's parameters with one row for each class."""
BY_CUE = "flag_in.weight"
"""The network's parameter with one column for each cue."""
BY_STATISTIC = ("page_in.weight", "page_mean_P", "page_scale_P")
"""The network's tensors with a column for each statistic of the page, of which the last belong to the cues."""

Moves = Sequence[tuple[int, int]]
"""Pairs of the old and the new place of a class or a cue."""


def relabelled(trained: Tagger, cold: Tagger) -> Tagger:
    """Return the cold start for the new labels with the trained network and optimizer, as the parent of a training.

    Nothing else of ``trained`` is kept: each training fits label model, regression and thresholds anew. The result must
    not serve, because new labels have untrained weights and nothing else is fitted. If ``trained`` has no network or
    belongs to another space, return ``cold`` itself.
    """
    if trained.network is None or trained.space != cold.space:
        return cold
    classes = _moves(trained.labels, cold.labels)
    cues = _moves(trained.sources.cues.names, cold.sources.cues.names)
    flags = len(cold.sources.cues.names)
    config = replace(trained.network.config, classes=len(cold.labels), flags=flags, page=STATISTICS + flags)
    network = make_network(config, cold.seed)
    state = network.state_dict()
    learned = trained.network.state_dict()
    network.load_state_dict({name: _moved(name, fresh, learned, classes, cues) for name, fresh in state.items()})
    parameters = {f"{name}.{moment}": parameter for name, parameter in network.named_parameters() for moment in MOMENTS}
    # A moment has the shape of its parameter, so that its rows and columns move in the same way.
    optimizer = OptimizerState(trained.optimizer)
    for name in parameters.keys() & optimizer.keys():
        parameter, (kind, _, _) = parameters[name], name.rpartition(".")
        optimizer[name] = _moved(kind, torch.zeros_like(parameter), {kind: optimizer[name]}, classes, cues)
    return replace(cold, network=network, reduction=trained.reduction, optimizer=optimizer)


def _moves(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Return the old and the new place of each name that is in both."""
    places = {name: place for place, name in enumerate(old)}
    return [(places[name], place) for place, name in enumerate(new) if name in places]


def _moved(name: str, fresh: Tensor, learned: Mapping[str, Tensor], classes: Moves, cues: Moves) -> Tensor:
    """Return ``fresh`` with the learned rows or columns of parameter ``name`` in their new places."""
    if name not in learned:
        return fresh
    moved = fresh.clone()
    if name in BY_CLASS:
        for old, new in classes:
            moved[new] = learned[name][old]
    elif name == BY_CUE:
        for old, new in cues:
            moved[:, new] = learned[name][:, old]
    elif name in BY_STATISTIC:
        moved[..., :STATISTICS] = learned[name][..., :STATISTICS]
        for old, new in cues:
            moved[..., STATISTICS + new] = learned[name][..., STATISTICS + old]
    else:
        moved.copy_(learned[name])
    return moved
