"""The commands `tagloom encoders`: show which encoders a home uses, download better ones, change them."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tagloom.command import Answer, Reporting, ReportingGroup, opened_store, settings, tell
from tagloom_base.errors import UserError

if TYPE_CHECKING:
    from model.features.extraction import FeatureExtractor
    from store.projects import Project
    from store.store import Store
    from tagloom_base.settings import Settings

# Pictures that are read and encoded to measure the time, and lines of text on each.
MEASURED = 4
LINES = 8


@click.group(cls=ReportingGroup, invoke_without_command=True)
@click.pass_context
def encoders(context: click.Context) -> Answer | None:
    """Show which encoders this home uses, which ones are on this machine, and what better ones would give."""
    if context.invoked_subcommand is not None:
        return None
    found = known(settings())
    tell(*shown(found))
    return Answer(found)


@encoders.command(cls=Reporting)
@click.argument("names", nargs=-1, metavar="[NAME]...")
def fetch(names: tuple[str, ...]) -> Answer:
    """Download encoders: without a NAME, ResNet50 for pictures and bert-base-chinese for texts.

    joint:NAME is a model by which words find what is seen in pictures: CLIP, Chinese-CLIP or SigLIP. They all come from
    torchvision's server and from the Hugging Face hub, into these libraries' caches. What is running is not changed:
    `tagloom encoders use` does that, and TAGLOOM_JOINT_ENCODER.
    """
    from model.encoders.auto import IMAGES, TEXTS
    from model.encoders.catalogue import fetch_image_encoder, fetch_joint_encoder, fetch_text_encoder

    faults, here = [], []
    for name in names or (IMAGES[0].name, TEXTS[0].name):
        try:
            if name.startswith("joint:"):
                fetch_joint_encoder(name.removeprefix("joint:"))
            else:
                # The name of a text encoder has no library before it.
                (fetch_image_encoder if ":" in name else fetch_text_encoder)(name)
            tell(f"{name} is on this machine")
            here.append(name)
        except ValueError as failed:
            faults.append(str(failed))
    if faults:
        raise UserError("\n".join(faults))
    return Answer({"here": here})


@encoders.command(cls=Reporting)
@click.argument("image")
@click.argument("text", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
def use(image: str, text: str | None, yes: bool) -> Answer:
    """Have this home use the encoder IMAGE for pictures, and TEXT for texts if it is given.

    Says first what that costs: all pictures are read and encoded anew, and each project starts from its cold start
    until it is trained on all its gold again. Workers follow with their next job, the backend within seconds.
    """
    from store.processes import WORKER
    from tagloom import operate
    from worker.encoders import FIELDS

    chosen = settings()
    _require_free(chosen)
    with opened_store() as store:
        before = home_settings(chosen)
        names = _names(image, text)
        after = before.changed(**{f"{part}_encoder": name for part, name in names.items()})
        used = {part: getattr(after.encoders, field) for part, field in FIELDS.items()}
        if after.encoders == before.encoders:
            tell("this home uses them already")
            return Answer({"changed": False, "uses": used})
        projects = [project for project in store.projects.all() if not project.gone_at]
        with operate.told():
            lines = list(costs(store, projects, after))
        click.echo("\n".join(lines))
        if not yes:
            click.confirm("Change the encoders?", abort=True)
        store.encoders.replace(names)
        # What they noted was true before; each notes its settings anew with its next job.
        for process in store.processes.of_role(WORKER):
            store.processes.forget(process.name)
        for project in projects:
            store.projects.request_training(project.key)
            # At its end all that is missing is encoded.
            store.projects.request_reconcile(project.key, urgent=True)
    tell("changed: workers follow with their next job, a backend that runs within seconds of loading them")
    return Answer({"changed": True, "uses": used, "costs": lines})


def home_settings(settings: "Settings") -> "Settings":
    """Return the settings with the names of the encoders that this home uses, or would choose at its first start."""
    from tagloom import operate
    from worker.encoders import foreseen

    try:
        with operate.opened(settings.paths) as store:
            return foreseen(settings, store.encoders)
    except UserError:
        # There is no database yet. If there is one that can't be opened, other commands say so.
        return foreseen(settings, None)


def known(settings: "Settings") -> dict[str, Any]:
    """Return the encoders of the home and where their names come from, those that are here, and the better ones."""
    from model.encoders.auto import AUTO, CHOICES, advice, is_here
    from tagloom import operate
    from tagloom_base.settings import variable_of
    from worker.encoders import FIELDS

    try:
        with operate.opened(settings.paths) as store:
            kept: Mapping[str, str] = store.encoders.kept()
    except UserError:
        kept = {}
    used = home_settings(settings).encoders
    uses = {}
    for part, field in FIELDS.items():
        source = "kept in its database" if part in kept else "chosen when the backend first starts"
        if getattr(settings.encoders, field) != AUTO:
            source = f"set by {variable_of(field)}"
        uses[part] = {"name": getattr(used, field), "source": source}
    choices = [
        {"part": part, "name": choice.name, "title": choice.title, "here": is_here(part, choice.name)}
        for part, entries in CHOICES.items()
        for choice in entries
    ]
    if used.joint_encoder:
        uses["joint"] = {"name": used.joint_encoder, "source": f"set by {variable_of('joint_encoder')}"}
    better = list(advice(used.image_encoder, used.text_encoder))
    return {"home": operate.place(settings.paths), "uses": uses, "known": choices, "better": better}


def shown(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what `known` returned, in lines."""
    yield f"{found['home']} uses:"
    for part, entry in found["uses"].items():
        yield f"  {part}: {entry['name']} ({entry['source']})"
    if "joint" not in found["uses"]:
        yield "  joint: none: words find what was read and written, not what is seen (docs/search.md)"
    yield "on this machine:"
    for choice in found["known"]:
        yield f"  {choice['part']}: {choice['name']}, {choice['title']}{'' if choice['here'] else ': not here'}"
    yield from (f"better: {line}" for line in found["better"])


def costs(store: "Store", projects: "list[Project]", after: "Settings") -> Iterator[str]:
    """Yield what a change to these encoders costs. They are loaded for it: ValueError where that fails."""
    from model.features.extraction import open_extractor

    extractor = open_extractor(after.encoders)
    yield "; ".join(f"{part}: {text}" for part, text in extractor.describe().items())
    pictures = sum(store.tasks.count(project.key) for project in projects)
    each = seconds_each(extractor)
    yield (
        f"{pictures} pictures are read and encoded anew: {each:.2f} s each, measured here just now, so "
        f"{pictures * each / 60:.0f} minutes for one worker like this machine"
    )
    trained = [project for project in projects if not _is_cold(store, project)]
    yield (
        f"{len(trained)} of {len(projects)} projects go back to their cold start until they are trained again on all "
        "gold, which is asked for at once"
    )


def seconds_each(extractor: "FeatureExtractor") -> float:
    """Return the seconds that reading and encoding takes for one drawn picture with some lines of text."""
    from PIL import Image, ImageDraw

    from model.items import Item

    items = []
    for number in range(MEASURED + 1):
        picture = Image.new("RGB", (800, 800), "white")
        draw = ImageDraw.Draw(picture)
        for line in range(LINES):
            draw.text((60, 40 + 90 * line), f"SALE {number}{line} 199 NEW", "black", font_size=56)
        items.append(Item(picture, "a title of usual length"))
    # The reader loads its models with the first picture.
    extractor.extract(items[:1])
    started = time.perf_counter()
    extractor.extract(items[1:])
    return (time.perf_counter() - started) / MEASURED


def _is_cold(store: "Store", project: "Project") -> bool:
    current = store.versions.current(project.key)
    return current is None or current.is_cold_start


def _names(image: str, text: str | None) -> dict[str, str]:
    """Return the names by part; a path in them is made whole, as other processes have other folders."""
    from model.encoders.auto import AUTO
    from tagloom_base.groups import EncoderSettings
    from worker.encoders import FIELDS

    given = EncoderSettings(image_encoder=image, text_encoder=text or AUTO)
    names = {}
    for part in ("image", "text") if text else ("image",):
        before, mark, path = _path_in(getattr(given, FIELDS[part]))
        names[part] = before + mark + (str(Path(path).resolve()) if Path(path).exists() else path)
    return names


def _path_in(name: str) -> tuple[str, str, str]:
    """Return a name in three parts, the last of which may be a path: behind ``@``, behind ``:``, or the whole name."""
    for mark in "@:":
        if mark in name:
            return name.rpartition(mark)
    return "", "", name


def _require_free(settings: "Settings") -> None:
    """Raise UserError where a variable names an encoder: it would win over what is kept."""
    from model.encoders.auto import AUTO
    from tagloom_base.running import backend
    from tagloom_base.settings import variable_of
    from worker.encoders import FIELDS

    running = backend(settings.paths.home.resolve())
    for field in FIELDS.values():
        theirs = running.variables.get(variable_of(field), AUTO) if running else AUTO
        if getattr(settings.encoders, field) != AUTO or theirs.strip() not in ("", AUTO):
            raise UserError(
                f"{variable_of(field)} names an encoder, which wins over what `tagloom encoders use` would keep: take "
                "the variable away for the backend and all workers, or change it there"
            )
