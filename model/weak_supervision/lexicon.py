"""The lexicon: what an element class is called, and which words and places speak for it before anyone has labelled.

``lexicon.toml`` beside this file explains the format; a file of the same form extends it (`TAGLOOM_LEXICON`).
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

BUILT_IN = Path(__file__).with_name("lexicon.toml")
NEUTRAL_SHARE = 0.5


@dataclass(frozen=True)
class Cue:
    """One rule of one kind; ``lexicon.toml`` says what its conditions mean."""

    name: str
    weight: float
    otherwise: float = 0.0
    where: str = "reading"
    pattern: str = ""
    full: str = ""
    brand: bool | None = None
    longest: int | None = None
    shortest: int = 0
    above: float = 1.0
    below: float = 0.0
    edge: float = 1.0
    taller: float = 0.0
    chinese: int = 0
    blocks: int = 1
    contrast_below: float = 0.0

    def __post_init__(self) -> None:
        if self.where not in ("reading", "title", "picture"):
            raise ValueError(f"cue {self.name!r}: where = {self.where!r}; use 'reading', 'title' or 'picture'")
        for expression in (self.pattern, self.full):
            _compile(expression, self.name)

    @cached_property
    def search(self) -> re.Pattern[str]:
        return re.compile(self.pattern, re.IGNORECASE)

    @cached_property
    def whole(self) -> re.Pattern[str] | None:
        return re.compile(self.full, re.IGNORECASE) if self.full else None


@dataclass(frozen=True)
class Kind:
    """An element class with its names, its prior share of items and its cues."""

    name: str
    share: float
    aliases: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    cues: tuple[Cue, ...] = ()

    @cached_property
    def negation(self) -> re.Pattern[str] | None:
        return re.compile("|".join(self.without), re.IGNORECASE) if self.without else None


@dataclass(frozen=True)
class Lexicon:
    """Kinds by name. Unknown labels are no error: they get a kind without cues and an even prior."""

    kinds: Mapping[str, Kind] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None = None) -> "Lexicon":
        """The built-in lexicon, extended by the file at ``path``. Raises ValueError naming what is wrong in it."""
        lexicon = cls.parse(BUILT_IN.read_text(encoding="utf-8"))
        if path is None:
            return lexicon
        try:
            return lexicon.extended(cls.parse(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as wrong:
            raise ValueError(f"{path}: {wrong}") from wrong

    @classmethod
    def parse(cls, text: str) -> "Lexicon":
        """Read the TOML form."""
        try:
            kinds = tomllib.loads(text).get("kinds", {})
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"the lexicon is no valid TOML: {error}") from error
        return cls.from_dict(kinds)

    @classmethod
    def from_dict(cls, kinds: Mapping[str, dict[str, Any]]) -> "Lexicon":
        """From kinds by name, each with its fields as in the TOML form."""
        return cls({name: _kind(name, fields) for name, fields in kinds.items()})

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; ``from_dict`` gives the same lexicon back."""
        return {name: _fields(kind) for name, kind in self.kinds.items()}

    def extended(self, other: "Lexicon") -> "Lexicon":
        """Both lexicons: cues of the same name and shares of the same kind are the other's."""
        return Lexicon(
            {**self.kinds, **{name: _merge(self.kinds.get(name), kind) for name, kind in other.kinds.items()}}
        )

    def kind_of(self, label: str) -> Kind:
        """The kind that a project's label means; a neutral one when no alias matches."""
        wanted = _folded(label)
        for kind in self.kinds.values():
            if wanted in {_folded(name) for name in (kind.name, *kind.aliases)}:
                return kind
        return Kind(name="", share=NEUTRAL_SHARE)

    def kinds_of(self, labels: Sequence[str]) -> tuple[Kind, ...]:
        return tuple(self.kind_of(label) for label in labels)


def _folded(label: str) -> str:
    return re.sub(r"[\s_\-]+", " ", label).strip().casefold()


def _compile(expression: str, owner: str) -> None:
    try:
        re.compile(expression)
    except re.error as error:
        raise ValueError(f"{owner!r} in the lexicon: {expression!r} is no regular expression: {error}") from error


def _kind(name: str, fields: dict[str, Any]) -> Kind:
    for expression in fields.get("without", ()):
        _compile(expression, name)
    share = float(fields.get("share", NEUTRAL_SHARE))
    if not 0 < share < 1:
        raise ValueError(f"kind {name!r} in the lexicon: share = {share}; use a probability between 0 and 1")
    try:
        cues = tuple(Cue(**cue) for cue in fields.get("cues", ()))
    except TypeError as error:
        raise ValueError(f"kind {name!r} in the lexicon has a cue with an unknown or missing field: {error}") from error
    return Kind(name, share, tuple(fields.get("aliases", ())), tuple(fields.get("without", ())), cues)


def _fields(kind: Kind) -> dict[str, Any]:
    fields = asdict(kind)
    del fields["name"]
    return fields


def _merge(old: Kind | None, new: Kind) -> Kind:
    if old is None:
        return new
    cues = {cue.name: cue for cue in (*old.cues, *new.cues)}
    return replace(
        old,
        share=new.share if new.share != NEUTRAL_SHARE else old.share,
        aliases=(*old.aliases, *new.aliases),
        without=(*old.without, *new.without),
        cues=tuple(cues.values()),
    )
