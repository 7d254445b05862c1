"""What a project's labels mean: a label's name is matched to a kind of the lexicon.

A name that is an alias as it stands always wins. Otherwise the aliases' words are looked for in the name, whatever
their case, number, order and punctuation; Chinese is cut into known words. The last word of a name says what it is, so
words that end in an unknown one (gift card, 商品标题) tell nothing surely. A name that is still open is guessed: by its
meaning where there is a sentence encoder, else by the known words in it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from model.encoders.sentences import SentenceEncoder
from model.lexicon.lexicon import Lexicon
from model.lexicon.meaning import nearest
from model.lexicon.name_reader import NameReader

MOST = 6
"""At most so many names of one label are read word by word."""
MOST_ENCODED = 50
"""At most so many names of a project are encoded; the others are guessed by their words alone."""

NAME = "its name"
WORDS = "its words"


@dataclass(frozen=True)
class Guess:
    """The kind that an open label was taken for once, "" for none, and by what: its words, or an encoder's name.

    ``names`` are the names that the labelling config gave to the label; a guess holds as long as these do.
    """

    names: tuple[str, ...]
    kind: str
    by: str


@dataclass(frozen=True)
class Meaning:
    """What a label is taken for: ``kind`` is the kind's name, empty if it is taken for nothing; ``by`` says by what.

    ``others`` are the kinds between which the name leaves the choice. ``rivals`` are other labels of the project whose
    names mean the same kind at least as well.
    """

    kind: str = ""
    others: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()
    by: str = ""

    def told(self, lexicon: Lexicon) -> str:
        """Return the meaning in words, for people."""
        if self.kind:
            taken = f"taken for {_shown(lexicon, self.kind)} by {self.by}"
            return taken if self.by in (NAME, WORDS) else f"{taken}. If that is wrong, name a kind by predicted_values"
        if self.rivals:
            named = ", ".join(self.rivals)
            why = f"not taken for {_shown(lexicon, self.others[0])}, since these labels may mean the same: {named}"
        elif self.others:
            why = "ambiguous: it may be " + " or ".join(_shown(lexicon, kind) for kind in self.others)
        else:
            by = f" by {self.by}" if self.by else ""
            why = f"not known{by}; names known are " + ", ".join(_shown(lexicon, kind) for kind in lexicon.kinds)
        return f"{why}. Add it to a kind's aliases by TAGLOOM_LEXICON, or name one by predicted_values"


def _shown(lexicon: Lexicon, kind: str) -> str:
    """Return a kind with the first of its aliases: product (主体)."""
    first = next(iter(lexicon.kinds[kind].aliases), kind)
    return kind if first.casefold() == kind.casefold() else f"{kind} ({first})"


def open_labels(lexicon: Lexicon, names: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return the labels about which neither names nor words tell anything surely, each with its names."""
    reader = NameReader(lexicon)
    every = {label: tuple(dict.fromkeys((label, *others))) for label, others in names.items()}
    return {
        label: each
        for label, each in every.items()
        if not any(lexicon.kind_of(name).name for name in each)
        and not any(reader.kinds(name) for name in each[:MOST])
        and any(reader.is_open(name) for name in each[:MOST])
    }


def guessed(
    lexicon: Lexicon,
    labels: Mapping[str, Sequence[str]],
    encoder: SentenceEncoder | None,
    claimed: Collection[str] = (),
) -> dict[str, Guess]:
    """Return a guess for each of the ``open_labels``, by its meaning where there is an encoder, else by known words.

    ``claimed`` are the kinds that the project's other labels are taken for. Raises OSError if the encoder fails.
    """
    reader = NameReader(lexicon)
    usable = {label: [name for name in names[:MOST] if reader.is_open(name)] for label, names in labels.items()}
    asked = list(dict.fromkeys(name for names in usable.values() for name in names))[:MOST_ENCODED] if encoder else []
    near = dict(zip(asked, nearest(lexicon, encoder, asked), strict=True)) if encoder else {}
    found = {}
    for label, names in usable.items():
        meant = {near[name].kind for name in names if name in near and near[name].is_meant}
        said = {kind for name in names for kind in reader.loose_kinds(name)}
        kinds = meant or said
        by = encoder.name if encoder and (meant or not kinds) and near.keys() & set(names) else WORDS
        found[label] = Guess(tuple(labels[label]), kinds.pop() if len(kinds) == 1 else "", by)
    left = set(lexicon.kinds) - {guess.kind for guess in found.values()} - set(claimed)
    if encoder and len(left) == 1:
        # Of a project that names all kinds but one, a label that is a little near to this one probably means it.
        (kind,) = left
        last = [
            label
            for label, guess in found.items()
            if not guess.kind and any(near[name].is_left(kind) for name in usable[label] if name in near)
        ]
        if len(last) == 1:
            found[last[0]] = Guess(found[last[0]].names, kind, encoder.name)
    return found


def meanings(
    lexicon: Lexicon, names: Mapping[str, Sequence[str]], guesses: Mapping[str, Guess] | None = None
) -> dict[str, Meaning]:
    """Return what each label means; ``names`` holds all names that the labelling config gives to each label.

    A label with a known name is taken for that kind. A label that its words tell is taken for their kind, and then one
    that is guessed, if no other label of the project may be meant. Without ``guesses``, open labels are guessed by
    words.
    """
    if guesses is None:
        guesses = guessed(lexicon, open_labels(lexicon, names), None)
    found: dict[str, Meaning] = {}
    by_words: dict[str, list[str]] = {}
    by_guess: dict[str, list[str]] = {}
    reader = NameReader(lexicon)
    for label, others in names.items():
        every = tuple(dict.fromkeys((label, *others)))
        exact = next((kind for name in every if (kind := lexicon.kind_of(name).name)), "")
        read = {} if exact else {name: reader.kinds(name) for name in every[:MOST]}
        certain = {kind for kinds in read.values() if len(kinds) == 1 for kind in kinds}
        kinds = sorted(certain or {kind for kinds in read.values() for kind in kinds})
        found[label] = Meaning(exact, by=NAME) if exact else Meaning(others=tuple(kinds))
        guess = guesses.get(label)
        if len(kinds) == 1:
            by_words.setdefault(kinds[0], []).append(label)
        elif guess and not exact and not kinds:
            found[label] = Meaning(by=guess.by if guess.by != WORDS else "")
            if guess.kind in lexicon.kinds:
                by_guess.setdefault(guess.kind, []).append(label)
    # What is surer goes first: a guess gives way to what names and words tell.
    for candidates in (by_words, by_guess):
        for kind, labels in candidates.items():
            known = [label for label, meaning in found.items() if meaning.kind == kind and label not in labels]
            for label in labels:
                rivals = known or [other for other in labels if other != label]
                by = found[label].by or WORDS
                found[label] = Meaning(others=(kind,), rivals=tuple(rivals)) if rivals else Meaning(kind, by=by)
    return found


def with_names(
    lexicon: Lexicon, names: Mapping[str, Sequence[str]], guesses: Mapping[str, Guess] | None = None
) -> Lexicon:
    """Return the lexicon with the project's labels as aliases of the kinds that they mean (see ``meanings``)."""
    kinds = dict(lexicon.kinds)
    for label, meaning in meanings(lexicon, names, guesses).items():
        if meaning.kind and not lexicon.kind_of(label).name:
            kinds[meaning.kind] = replace(kinds[meaning.kind], aliases=(*kinds[meaning.kind].aliases, label))
    return Lexicon(kinds)


def told(
    lexicon: Lexicon, names: Mapping[str, Sequence[str]], guesses: Mapping[str, Guess] | None = None
) -> dict[str, str]:
    """Return for people what each label is taken for."""
    return {label: meaning.told(lexicon) for label, meaning in meanings(lexicon, names, guesses).items()}
