"""The lexicon of a project: the cues by which its labels are recognised before there is any gold."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from model.lexicon.lexicon import Lexicon
from tagloom_base.errors import UserError


def read_lexicon(file: Path | None) -> Lexicon:
    """Read the built-in lexicon, extended by the file of TAGLOOM_LEXICON; UserError if the file cannot be used."""
    try:
        return Lexicon.load(file)
    except ValueError as wrong:
        raise UserError(f"TAGLOOM_LEXICON can't be used: {wrong}") from wrong


def with_names(lexicon: Lexicon, names: Mapping[str, Sequence[str]]) -> Lexicon:
    """Extend a lexicon by a project's labels.

    ``names`` holds all names that the label config gives each label. A label that the lexicon does not know becomes an
    alias of the kind that one of its other names means.
    """
    kinds = dict(lexicon.kinds)
    for label, others in names.items():
        if lexicon.kind_of(label).name:
            continue
        meant = next((kind for other in others if (kind := lexicon.kind_of(other)).name), None)
        if meant:
            kinds[meant.name] = replace(kinds[meant.name], aliases=(*kinds[meant.name].aliases, label))
    return Lexicon(kinds)
