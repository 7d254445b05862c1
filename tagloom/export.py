"""The command `tagloom export`: write a project's tags, boxes, confidences and weak labels into a file or folder."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from tagloom.command import Answer, Reporting, opened_store, settings, tell
from tagloom.progress import progress
from tagloom_base.errors import UserError

if TYPE_CHECKING:
    from store.projects import Project
    from tagloom.exporting.records import Only
    from tagloom.exporting.written import Counts, Labels, Writer
    from tagloom.progress import Told
    from worker.workplace import Workplace

FORMATS = ("labelstudio", "coco", "yolo", "csv", "parquet", "items", "items-parquet")
WITH_VECTORS = ("items", "items-parquet")


@click.command(cls=Reporting)
@click.argument("project")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="labelstudio", show_default=True, help="What to write."
)
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="File to write; for yolo a folder that is not there."
)
@click.option(
    "--only",
    type=click.Choice(["all", "gold", "unlabelled"]),
    default="all",
    show_default=True,
    help="Tasks to write: those with gold, or those that nobody has labelled.",
)
def export(project: str, form: str, out: Path, only: "Only") -> Answer:
    """Write PROJECT's labels: gold, the served version's answers with confidences, weak labels with their sources.

    labelstudio is a file that Label Studio imports; coco and yolo hold the best known boxes (gold where there is some);
    csv and parquet hold a row for each tag, box and weak label; items (JSON Lines) and items-parquet hold a row for
    each task with tags, boxes, confidence and vector, for an ad or search index. Pictures that were not read yet are
    read for it. The file appears when it is complete, in the place of an older one.
    """
    from tagloom import operate
    from worker.workplace import open_workplace

    with opened_store() as store:
        chosen = operate.chosen(store, project)
        if not store.tasks.count(chosen.key):
            raise UserError(
                f"{chosen.key} has no tasks: import some in Label Studio, or fetch what is there by `tagloom reconcile`"
            )
    with open_workplace(settings()) as workplace, operate.told(), progress("export", "tasks") as moved:
        counts = write(workplace, chosen, form, out, only, moved)
    tell(
        f"{out}: {counts.tasks} tasks ({counts.gold} with gold, {counts.predicted} with an answer of the served "
        f"version), {counts.boxes} boxes"
    )
    if counts.unread:
        tell(f"{counts.unread} tasks have no answer, as their pictures cannot be read: `tagloom doctor` says why")
    if counts.without_size:
        tell(f"the boxes of {counts.without_size} tasks are left out, as the size of their pictures is not known")
    return Answer({"project": chosen.key, "format": form, "out": out, **asdict(counts)})


def write(workplace: "Workplace", project: "Project", form: str, out: Path, only: "Only", moved: "Told") -> "Counts":
    """Write the file or folder, complete or not at all, and return what it holds.

    Raises UserError when it cannot be written, and ValueError when no version serves the project.
    """
    from tagloom.exporting.records import records
    from worker.predictions.answering import Answering
    from worker.search.filling import fill
    from worker.search.finding import Finder
    from worker.watch import NeverEnds

    answering = Answering(workplace, project)
    finder = None
    if form in WITH_VECTORS:
        fill(workplace, project, NeverEnds())
        finder = Finder(workplace.store, workplace.settings.paths.search, workplace.extractor.space)
    try:
        with _opened(form, out, answering.config.labels) as writer:
            for record, seen, total in records(workplace, project, answering, only, finder):
                writer.write(record)
                moved(seen, total)
    except OSError as failed:
        reason = failed.strerror or failed
        raise UserError(f"{out} can't be written ({reason}): make room, or choose another --out") from failed
    return writer.counts


@contextmanager
def _opened(form: str, out: Path, labels: "Labels") -> Iterator["Writer"]:
    """Yield the writer; what it writes becomes ``out`` when the block ends."""
    from tagloom.exporting.coco import CocoWriter
    from tagloom.exporting.items import ItemsParquetWriter, ItemsWriter
    from tagloom.exporting.label_studio import LabelStudioWriter
    from tagloom.exporting.tables import CsvWriter, ParquetWriter
    from tagloom.exporting.yolo import YoloWriter

    writers: dict[str, Callable[[Path, Labels, ExitStack], Writer]] = {
        "labelstudio": LabelStudioWriter, "coco": CocoWriter, "yolo": YoloWriter, "csv": CsvWriter,
        "parquet": ParquetWriter, "items": ItemsWriter, "items-parquet": ItemsParquetWriter,
    }  # fmt: skip
    if out.is_dir() and form != "yolo":
        raise UserError(f"{out} is a folder: name a file by --out")
    if out.exists() and form == "yolo":
        raise UserError(f"{out} is there already: name a folder that is not, or delete it")
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as beside:
        place = Path(beside) / out.name
        if form == "yolo":
            place.mkdir()
        with ExitStack() as files:
            writer = writers[form](place, labels, files)
            yield writer
            writer.finish()
        # What is full or broken has shown by now.
        place.rename(out)
