"""The texts of the pages in all languages, from ``texts.toml``, and the language that a browser asks for."""

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

from backend.pages.said import Said, in_chinese, named_in_chinese

LANGUAGES = ("en", "zh")
"""The first one is shown where a browser asks for none of them."""


class Texts:
    """The texts of one language.

    text = Texts("zh")
    text("tasks", count=3)
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = all_texts()

    def __call__(self, name: str, /, **values: object) -> str:
        """Return a text with its values put in. Raises KeyError for a text or a value that is missing."""
        return self._texts[name][self.language].format_map(values)

    def said(self, line: str) -> Said:
        """Return what another part said in English in this language, or as it was said; see `backend.pages.said`.

        A line that is a text of this language already stays so.
        """
        if any(text[self.language] == line for text in self._texts.values()):
            return Said(line, self.language)
        chinese = in_chinese(line) if self.language == "zh" else None
        return Said(line, "en") if chinese is None else Said(chinese, "zh")

    def named(self, source: str) -> str:
        """Return the name of a source or a cue in this language, or as it is; see `backend.pages.said`."""
        return named_in_chinese(source) if self.language == "zh" else source

    def has(self, name: str) -> bool:
        """Return whether there is a text of this name."""
        return name in self._texts


@lru_cache(maxsize=1)
def all_texts() -> Mapping[str, Mapping[str, str]]:
    """Return all texts: name → language → text."""
    return tomllib.loads(files("backend.pages").joinpath("texts.toml").read_text("utf-8"))


def language_of(accepted: str) -> str:
    """Return the language that an Accept-Language header likes best: ``zh-CN,zh;q=0.9,en;q=0.8`` means zh."""
    wanted = []
    for place, part in enumerate(accepted[:500].split(",")):
        name, _, options = part.partition(";")
        try:
            weight = float(options.strip().removeprefix("q=") or 1)
        except ValueError:
            weight = 0.0
        wanted.append((-weight, place, name.strip().lower().partition("-")[0]))
    return next((name for weight, _, name in sorted(wanted) if weight < 0 and name in LANGUAGES), LANGUAGES[0])
