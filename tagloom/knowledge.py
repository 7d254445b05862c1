"""The commands `tagloom knowledge`: show what is known of a shop, write it into a file, and read people's edits."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tagloom.command import Answer, Reporting, opened_store, settings, tell
from tagloom_base.errors import UserError
from tagloom_base.files import replaced

if TYPE_CHECKING:
    from model.knowledge.facts import Fact, Knowledge

# The most lines of a section that are shown; the file has all.
MOST = 12


@click.group()
def knowledge() -> None:
    """Show or change what is known of a shop: brands and their logos, gift sets, elements, words of seasons."""


@knowledge.command(cls=Reporting)
@click.argument("project")
def show(project: str) -> Answer:
    """Show what is known of PROJECT's shop, who says so, and what contradicts itself."""
    from model.knowledge.document import value_of
    from model.knowledge.facts import Relation
    from tagloom import operate
    from worker.knowledge import known

    with opened_store() as store:
        chosen = operate.chosen(store, project)
        found = known(store.knowledge, chosen.key)
    for relation in Relation:
        facts = sorted(fact for fact in {*found.learned, *found.said} if fact.relation is relation)
        if facts:
            rows = [(f"  {fact.subject}", fact.object, value_of(found, fact)) for fact in facts[:MOST]]
            more = [f"  and {len(facts) - MOST} more"] if len(facts) > MOST else []
            tell(f"{relation} ({len(facts)})", *operate.table(rows), *more)
    for one in found.contradictions:
        tell(f"contradiction: {one.words}" + (f" (tasks {', '.join(map(str, one.tasks))})" if one.tasks else ""))
    if not found.learned and not found.said:
        tell(f"nothing is known of {chosen.key} yet: the next training learns from its gold")
    return Answer(_document(chosen.key, found))


@knowledge.command(cls=Reporting)
@click.argument("project")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File to write.")
def export(project: str, out: Path) -> Answer:
    """Write what is known of PROJECT's shop into a YAML file, to be edited and imported again."""
    from model.knowledge.document import written
    from tagloom import operate
    from worker.knowledge import known

    with opened_store() as store:
        chosen = operate.chosen(store, project)
        found = known(store.knowledge, chosen.key)
    try:
        with replaced(out) as beside:
            beside.write_text(written(found, f"{chosen.key} {chosen.title}"), encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{out} cannot be written ({error.strerror}): name a file in a folder that you may write"
        ) from error
    tell(f"{out}: {len(found.learned)} lines from gold, {len(found.said)} from people")
    return Answer({"project": chosen.key, "out": out, "learned": len(found.learned), "said": len(found.said)})


@knowledge.command("import", cls=Reporting)
@click.argument("project")
@click.argument("file", type=click.Path(path_type=Path))
def take(project: str, file: Path) -> Answer:
    """Read people's edits of PROJECT's knowledge from FILE: its lines with yes and no, in the place of earlier ones.

    A file with a wrong line changes nothing. What people say wins over gold, and is used by the next training.
    """
    from labelstudio.config import LabelConfig
    from model.knowledge.document import WrongLineError, read
    from tagloom import operate
    from worker.knowledge import known, said_lines

    text = _text(file)
    with opened_store() as store, operate.told():
        chosen = operate.chosen(store, project)
        config = LabelConfig.parse(chosen.label_config, chosen.industry_keys or settings().tasks.industry_keys)
        before = known(store.knowledge, chosen.key).said
        try:
            said = read(text, config.labels).said
        except WrongLineError as wrong:
            raise UserError(f"{file}, {wrong}; nothing was imported") from wrong
        if said != before:
            is_used = settings().training.shop_knowledge != "off"
            store.knowledge.say(chosen.key, said_lines(said), is_used=is_used)
        after = known(store.knowledge, chosen.key)
    new = {fact for fact, holds in said.items() if before.get(fact) != holds}
    gone = {fact for fact in before if fact not in said}
    tell(f"people say {len(said)} lines: {len(new)} new or changed, {len(gone)} taken back")
    tell(*(f"contradiction: {one.words}" for one in after.contradictions))
    changed, taken_back = ([_line(fact) for fact in sorted(facts)] for facts in (new, gone))
    return Answer({"project": chosen.key, "said": len(said), "changed": changed, "taken_back": taken_back})


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}): name a file that you may read") from error
    except UnicodeDecodeError as wrong:
        line = wrong.object[: wrong.start].count(b"\n") + 1
        raise UserError(f"{file}, line {line}: this is no UTF-8 text: save it again as UTF-8") from wrong


def _document(project_key: str, found: "Knowledge") -> dict[str, Any]:
    """Return all that is known, for programs."""
    from model.knowledge.facts import Learned

    nothing = Learned(())
    facts = [
        {**_line(fact), "people": found.said.get(fact), "tasks": one.tasks, "of": one.of}
        for fact in sorted({*found.learned, *found.said})
        for one in [found.learned.get(fact, nothing)]
    ]
    told = [{"words": one.words, "tasks": one.tasks} for one in found.contradictions]
    return {"project": project_key, "facts": facts, "contradictions": told}


def _line(fact: "Fact") -> dict[str, str]:
    return {"relation": str(fact.relation), "subject": fact.subject, "object": fact.object}
