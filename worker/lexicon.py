"""The lexicon that the settings name: the cues by which labels are recognised before there is any gold."""

from pathlib import Path

from model.lexicon.lexicon import Lexicon
from tagloom_base.errors import UserError


def read_lexicon(file: Path | None) -> Lexicon:
    """Read the built-in lexicon, extended by the file of TAGLOOM_LEXICON; UserError if the file cannot be used."""
    try:
        return Lexicon.load(file)
    except ValueError as wrong:
        raise UserError(f"TAGLOOM_LEXICON can't be used: {wrong}") from wrong
