"""The lexicon: what an element class is called, and which words and places speak for it before anyone has labelled.

``lexicon.toml`` beside this file explains the format; a file of the same form extends it (`TAGLOOM_LEXICON`).
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any

from model.lexicon.pattern import Pattern

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
            Pattern(expression, self.name)

    @cached_property
    def search(self) -> Pattern:
        return Pattern(self.pattern, self.name)

    @cached_property
    def whole(self) -> Pattern | None:
        return Pattern(self.full, self.name) if self.full else None


@dataclass(frozen=True)
class Kind:
    """An element class with its names, its prior share of items and its cues."""

    name: str
    share: float
    aliases: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    cues: tuple[Cue, ...] = ()

    @cached_property
    def negation(self) -> Pattern | None:
        return Pattern("|".join(self.without), self.name) if self.without else None

    def check(self) -> None:
        """ValueError for an expression that takes too long on some texts."""
        patterns = [self.negation, *(found for cue in self.cues for found in (cue.search, cue.whole))]
        for pattern in patterns:
            if pattern is not None:
                pattern.check()


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
            own = cls.parse(path.read_text(encoding="utf-8-sig"))
            for kind in own.kinds.values():
                kind.check()
            return lexicon.extended(own)
        except OSError as wrong:
            raise ValueError(
                f"{path} cannot be read ({wrong.strerror}): name a file that this user can read"
            ) from wrong
        except UnicodeDecodeError as wrong:
            line = wrong.object[: wrong.start].count(b"\n") + 1
            raise ValueError(f"{path}, line {line}: this is no UTF-8 text: save it again as UTF-8") from wrong
        except ValueError as wrong:
            raise ValueError(f"{path}: {wrong}") from wrong

    @classmethod
    def parse(cls, text: str) -> "Lexicon":
        """Read the TOML form."""
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"the lexicon is no valid TOML: {error}") from error
        _check("the lexicon", tables, {"kinds": dict})
        return cls.from_dict(tables.get("kinds", {}))

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


_KIND_TYPES = {"share": float, "aliases": list | tuple, "without": list | tuple, "cues": list | tuple}
_CUE_TYPES = {part.name: part.type for part in fields(Cue)}


def _folded(label: str) -> str:
    return re.sub(r"[\s_\-]+", " ", label).strip().casefold()


def _check(owner: str, said: object, types: Mapping[str, Any]) -> None:
    """Raises ValueError for a field that there is none of, or whose value is of another type."""
    if not isinstance(said, Mapping):
        raise ValueError(f"{owner} is {said!r}; write it as a table of {', '.join(types)}")
    for name, value in said.items():
        if name not in types:
            near = get_close_matches(name, types, 1)
            nearest = f" (is it {near[0]}?)" if near else ""
            raise ValueError(f"{owner} has an unknown field {name!r}{nearest}; use {', '.join(types)}")
        wanted = types[name]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (number and isfinite(value) if wanted is float else isinstance(value, wanted)):
            raise ValueError(
                f"{owner}: {name} = {value!r} is of a wrong type; write it as in the built-in lexicon.toml"
            )


def _texts(owner: str, said: Mapping[str, Any], name: str) -> tuple[str, ...]:
    texts = tuple(said.get(name, ()))
    if not all(isinstance(text, str) and text for text in texts):
        raise ValueError(f'{owner}: {name} = {list(texts)!r}; write a list of texts, such as ["gift", "赠品"]')
    return texts


def _kind(name: str, said: Any) -> Kind:
    owner = f"kind {name!r} in the lexicon"
    _check(owner, said, _KIND_TYPES)
    for expression in _texts(owner, said, "without"):
        Pattern(expression, name)
    share = float(said.get("share", NEUTRAL_SHARE))
    if not 0 < share < 1:
        raise ValueError(f"{owner}: share = {share}; use a probability between 0 and 1")
    cues = tuple(_cue(owner, cue) for cue in said.get("cues", ()))
    return Kind(name, share, _texts(owner, said, "aliases"), _texts(owner, said, "without"), cues)


def _cue(owner: str, cue: Any) -> Cue:
    _check(f"a cue of {owner}", cue, _CUE_TYPES)
    for name in ("name", "weight"):
        if name not in cue:
            raise ValueError(f"a cue of {owner} has no {name}; add it")
    return Cue(**cue)


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
