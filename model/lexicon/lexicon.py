"""The lexicon: the names of element classes, and the cues for each class that work without any gold.

``lexicon.toml`` in this folder explains the format. A file of the same format extends it (`TAGLOOM_LEXICON`).
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

from model.lexicon.money import names_sum
from model.lexicon.pattern import Pattern

BUILT_IN = Path(__file__).with_name("lexicon.toml")
NEUTRAL_SHARE = 0.5
"""The prior share of items with a label, if the lexicon gives none."""


@dataclass(frozen=True)
class Cue:
    """One rule of one kind. ``lexicon.toml`` explains its conditions.

    Raises ValueError if a field has a value that is not allowed.
    """

    name: str
    weight: float
    otherwise: float = 0.0
    where: str = "reading"
    pattern: str = ""
    full: str = ""
    money: bool = False
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
        """The pattern that a part of the text must match."""
        return Pattern(self.pattern, self.name)

    @cached_property
    def whole(self) -> Pattern | None:
        """The pattern that the whole text must match, None if there is no such condition."""
        return Pattern(self.full, self.name) if self.full else None

    def says(self, text: str) -> bool:
        """Return whether a text holds what ``pattern`` and ``money`` ask for."""
        return (not self.pattern or self.search.is_in(text)) and (not self.money or names_sum(text))


@dataclass(frozen=True)
class Kind:
    """An element class: its names, the share of items that have it, and its cues.

    What matches an expression in ``without`` is removed from a text before the kind's cues search it.
    """

    name: str
    share: float
    aliases: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    cues: tuple[Cue, ...] = ()

    @cached_property
    def negation(self) -> Pattern | None:
        """The pattern of all expressions in ``without``, None if there are none."""
        return Pattern("|".join(self.without), self.name) if self.without else None

    def check(self) -> None:
        """Raise ValueError if one of the kind's expressions takes too long on some texts."""
        # A text of a limited length could not hold all of ``without`` at once.
        absent = [Pattern(expression, self.name) for expression in self.without]
        patterns = [*absent, *(found for cue in self.cues for found in (cue.search, cue.whole))]
        for pattern in patterns:
            if pattern is not None:
                pattern.check()


@dataclass(frozen=True)
class Lexicon:
    """Kinds by name. A label that is no kind's name or alias gets a kind without cues and with an even prior.

    Lexicon.load().kind_of("logo").cues
    """

    kinds: Mapping[str, Kind] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None = None) -> "Lexicon":
        """Return the built-in lexicon, extended by the file at ``path`` if there is one.

        Raises ValueError that names what is wrong in the file.
        """
        lexicon = cls.parse(BUILT_IN.read_text(encoding="utf-8"))
        if path is None:
            return lexicon
        try:
            # Editors on Windows may write a byte order mark.
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
        """Make the lexicon from a TOML text. Raises ValueError that names what is wrong in it."""
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"the lexicon is no valid TOML: {error}") from error
        _check("the lexicon", tables, {"kinds": dict})
        return cls.from_dict(tables.get("kinds", {}))

    @classmethod
    def from_dict(cls, kinds: Mapping[str, dict[str, Any]]) -> "Lexicon":
        """Make the lexicon from kinds by name, each with its fields as in the TOML text.

        Raises ValueError that names the kind and the field that are wrong.
        """
        made = {}
        for name, table in kinds.items():
            owner = f"kind {name!r} in the lexicon"
            _check(owner, table, _KIND_TYPES)
            without = _texts(owner, table, "without")
            # All expressions of ``without`` are compiled as one, where a message could not name the wrong one.
            for expression in without:
                Pattern(expression, name)
            share = float(table.get("share", NEUTRAL_SHARE))
            if not 0 < share < 1:
                raise ValueError(f"{owner}: share = {share}; use a probability between 0 and 1")
            cues = []
            for cue in table.get("cues", ()):
                _check(f"a cue of {owner}", cue, _CUE_TYPES)
                missing = next((field for field in ("name", "weight") if field not in cue), None)
                if missing:
                    raise ValueError(f"a cue of {owner} has no {missing}; add it")
                cues.append(Cue(**cue))
            made[name] = Kind(name, share, _texts(owner, table, "aliases"), without, tuple(cues))
        return cls(made)

    def as_dict(self) -> dict[str, Any]:
        """Return the lexicon as plain data for JSON, from which ``from_dict`` makes it again."""
        every = {name: asdict(kind) for name, kind in self.kinds.items()}
        return {name: {key: value for key, value in kind.items() if key != "name"} for name, kind in every.items()}

    def extended(self, other: "Lexicon") -> "Lexicon":
        """Return both lexicons as one.

        A kind in both has the aliases and the ``without`` of both. A cue of ``other`` replaces the cue of the same
        name. The share in ``other`` replaces the share in this lexicon unless it is the neutral share. An alias that
        names a kind of ``other`` is taken away from the other kinds.
        """
        owners = {_folded(name): kind.name for kind in other.kinds.values() for name in (kind.name, *kind.aliases)}
        kinds = {
            name: replace(
                kind, aliases=tuple(alias for alias in kind.aliases if owners.get(_folded(alias), name) == name)
            )
            for name, kind in self.kinds.items()
        }
        for name, new in other.kinds.items():
            old = kinds.get(name)
            if old is None:
                kinds[name] = new
                continue
            cues = {cue.name: cue for cue in (*old.cues, *new.cues)}
            kinds[name] = replace(
                old,
                share=new.share if new.share != NEUTRAL_SHARE else old.share,
                aliases=(*old.aliases, *new.aliases),
                without=(*old.without, *new.without),
                cues=tuple(cues.values()),
            )
        return Lexicon(kinds)

    def kind_of(self, label: str) -> Kind:
        """Return the kind that has the label among its names, or a kind without cues if none has."""
        return self._by_name.get(_folded(label)) or Kind(name="", share=NEUTRAL_SHARE)

    @cached_property
    def _by_name(self) -> Mapping[str, Kind]:
        """The kinds by their folded names. An alias goes before a kind's own name, the first kind before the others."""
        every = list(self.kinds.values())
        named = {_folded(kind.name): kind for kind in reversed(every)}
        return named | {_folded(alias): kind for kind in reversed(every) for alias in kind.aliases}

    def kinds_of(self, labels: Sequence[str]) -> tuple[Kind, ...]:
        """Return the kind of each label, in the same order."""
        return tuple(self.kind_of(label) for label in labels)


_KIND_TYPES = {"share": float, "aliases": list | tuple, "without": list | tuple, "cues": list | tuple}
_CUE_TYPES = {part.name: part.type for part in fields(Cue)}


def _folded(label: str) -> str:
    """Return the label without case, with one space in place of spaces, underscores and hyphens."""
    return re.sub(r"[\s_\-]+", " ", label).strip().casefold()


def _check(owner: str, table: object, types: Mapping[str, Any]) -> None:
    """Raise ValueError if ``table`` is no mapping, has a field that is not in ``types``, or a value of a wrong type."""
    if not isinstance(table, Mapping):
        raise ValueError(f"{owner} is {table!r}; write it as a table of {', '.join(types)}")
    for name, value in table.items():
        if name not in types:
            near = get_close_matches(name, types, 1)
            nearest = f" (is it {near[0]}?)" if near else ""
            raise ValueError(f"{owner} has an unknown field {name!r}{nearest}; use {', '.join(types)}")
        wanted = types[name]
        # In Python, true and false are integers too.
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (number and isfinite(value) if wanted is float else isinstance(value, wanted)):
            raise ValueError(
                f"{owner}: {name} = {value!r} is of a wrong type; write it as in the built-in lexicon.toml"
            )


def _texts(owner: str, table: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return the texts of a field. Raises ValueError if one of them is no text or is empty."""
    texts = tuple(table.get(name, ()))
    if not all(isinstance(text, str) and text for text in texts):
        raise ValueError(f'{owner}: {name} = {list(texts)!r}; write a list of texts, such as ["gift", "赠品"]')
    return texts
