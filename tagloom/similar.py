"""The commands `tagloom similar` and `tagloom recommend`: find items of projects in this process."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tagloom.command import Answer, Reporting, opened_store, settings, tell
from tagloom_base.errors import UsageError, UserError

if TYPE_CHECKING:
    from model.features.item import ItemFeatures
    from store.projects import Project
    from worker.search.finding import Finder, Results, Searched
    from worker.workplace import Workplace

FOLDS = ("nothing", "copies", "products")


@click.command(cls=Reporting)
@click.argument("projects", nargs=-1, metavar="[PROJECT]...")
@click.option("--task", type=click.IntRange(0), help="Like this task of the first PROJECT.")
@click.option("--picture", type=click.Path(path_type=Path), help="Like the picture in this file.")
@click.option("--text", default="", help="By words: of titles, read text and tags.")
@click.option(
    "--weight",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Share of task or picture, with --text.",
)
@click.option("--tag", "tags", multiple=True, help="Only items with this tag; several: with one of them.")
@click.option("--industry", default="", help="Only items of this industry, at any level.")
@click.option("--labelled/--unlabelled", "labelled", default=None, help="Only what people have labelled, or the rest.")
@click.option(
    "--fold",
    type=click.Choice(FOLDS),
    default="copies",
    show_default=True,
    help="What is one result: copies, or products.",
)
@click.option("--count", type=click.IntRange(1), default=10, show_default=True, help="Results on a page.")
@click.option("--page", type=click.IntRange(1), default=1, show_default=True, help="Which page.")
def similar(projects: tuple[str, ...], **options: Any) -> Answer:
    """Find items like a task or a picture, or by words, in PROJECT or in all projects.

    Items are found once their pictures are read.
    """
    from tagloom import operate
    from worker.search.finding import Only, Wanted
    from worker.workplace import open_workplace

    task, picture, text = options["task"], options["picture"], options["text"]
    if (task is not None) + bool(picture) + bool(text.strip()) == 0:
        raise UsageError("say what to look for: --task, --picture or --text")
    if task is not None and picture:
        raise UsageError("give --task or --picture: words may stand beside one of them")
    if task is not None and not projects:
        raise UsageError("name the project that the task is of: tagloom similar PROJECT --task ID")
    with opened_store() as store:
        named = [operate.chosen(store, name) for name in projects] or operate.named(store, "")
    with open_workplace(settings()) as workplace, operate.told():
        finder, searched = _ready(workplace, named)
        wanted = Wanted(
            task=None if task is None else (named[0].key, task),
            features=_features(workplace, picture) if picture else None,
            text=text,
            weight=options["weight"],
            only=Only(options["tags"], options["industry"], options["labelled"]),
            fold=options["fold"],
            count=options["count"],
            page=options["page"],
        )
        return _told(finder.search(searched, wanted))


@click.command(cls=Reporting)
@click.argument("project")
@click.option(
    "--seen", required=True, help="Ids of tasks that were looked at, by commas, the last one last; - reads stdin."
)
@click.option("--bought", default="", help="Those of them that were bought, by commas.")
@click.option("--count", type=click.IntRange(1), default=10, show_default=True, help="How many.")
def recommend(project: str, seen: str, bought: str, count: int) -> Answer:
    """Say what somebody may like who looked at tasks of PROJECT.

    Neither the seen items nor copies of their pictures are among it.
    """
    from tagloom import operate
    from worker.workplace import open_workplace

    looked = _ids("--seen", sys.stdin.read() if seen == "-" else seen)
    with opened_store() as store:
        named = operate.chosen(store, project)
    with open_workplace(settings()) as workplace, operate.told():
        finder, (searched,) = _ready(workplace, [named])
        return _told(finder.recommend(searched, looked, _ids("--bought", bought), count))


def _ready(workplace: "Workplace", projects: "Sequence[Project]") -> "tuple[Finder, list[Searched]]":
    """Return a finder for these projects, whose indexes are filled with what is read."""
    from worker.search.filling import fill
    from worker.search.finding import Finder, Searched
    from worker.watch import NeverEnds

    for project in projects:
        fill(workplace, project, NeverEnds())
    finder = Finder(workplace.store, workplace.settings.paths.search, workplace.extractor.space, workplace.joint)
    return finder, [Searched(project, workplace.config_of(project)) for project in projects]


def _features(workplace: "Workplace", picture: Path) -> "ItemFeatures":
    """Return the features of a picture file. Raises ValueError, which names the file."""
    from model.items import Item
    from tagloom.opening import opened

    shown = opened(picture, workplace.settings.pictures.image_max_pixels)
    (item,) = workplace.extractor.extract([Item(shown.image, "", (), {}, shown.size, shown.notes)])
    return item


def _ids(option: str, text: str) -> list[int]:
    parts = text.replace(",", " ").split()
    wrong = next((part for part in parts if not (part.isdecimal() and part.isascii() and len(part) < 19)), None)
    if wrong is not None:
        raise UsageError(f"{option} has {wrong!r}, which is no id of a task: write ids by commas, such as 3,17")
    return [int(part) for part in parts]


def _told(results: "Results") -> Answer:
    from tagloom.operate import table

    if not results.found:
        raise UserError("nothing was found: ask for less at once, or look at a lower page")
    rows = [
        (f"{one.score:.3f}", one.project, str(one.task), " ".join(one.tags), one.title, _folded(one.folded))
        for one in results.found
    ]
    tell(*table([("score", "project", "task", "tags", "title", ""), *rows]))
    if results.more:
        tell("there are more: ask for the next page by --page")
    found = [
        {"project": one.project, "task": one.task, "score": one.score, "title": one.title, "industry": one.industry,
         "tags": one.tags, "folded": one.folded}
        for one in results.found
    ]  # fmt: skip
    return Answer({"results": found, "more": results.more, "searched": results.searched})


def _folded(tasks: Sequence[int]) -> str:
    return f"with {', '.join(map(str, tasks))}" if tasks else ""
