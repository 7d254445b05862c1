"""What do a million new items a day cost, and what breaks first?

    python -m bench.speed.day [--short] [--items N] [--held N] [--data folder]

Each step of an item's life is done by the product's own code, in a home of its own, on one thread: the processor's
time is told, so that other programs on the machine disturb little. What is derived from it stands in
`bench.speed.budget`. Not measured: fetching pictures, HTTP, and what Label Studio itself needs.
"""

import json
import os
import subprocess
import sys
import time
import tracemalloc
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from unittest import mock

import click
import httpx
import psutil
import torch

import worker.encoding
from bench.serving import SERVERS, serving, surroundings
from bench.speed.budget import Measured, Plan, others, tables
from bench.speed.machine import described
from bench.speed.propagation import made_up
from bench.speed.shop import CREATED, KEY, LISTED, Listing, Locks, Shop, Spent, served, trained
from bench.speed.training import annotated
from labelstudio import events
from labelstudio.changes import tasks_of
from labelstudio.decoding import decode
from model.boxes.described import RECENT, Descriptions
from model.boxes.roles import RoleReader
from model.encoders.catalogue import image_encoder, text_encoder
from model.features.cache import FeatureCache
from model.features.extraction import FeatureExtractor
from model.features.item import ItemFeatures
from model.items import Gold, Item
from model.look_alikes import LookAlikes
from model.reading.reader import Reader
from model.search.nearest import nearest
from model.weak_supervision.propagation import Embedding, Neighbours, votes_on_new
from store.answers import Answer
from store.gallery import LabelAnswer
from store.versioned import BULK
from tagloom.datasets.dataset import Dataset
from tagloom.evaluation.data import gold_picture, read
from tagloom_base.settings import Settings
from tools.project import label_config
from tools.services.stack import Stack
from worker import queue
from worker.encoders import foreseen
from worker.encoding import encode
from worker.labels import project_lexicon
from worker.predictions.answering import Answering
from worker.predictions.kept import keep
from worker.reconcile import reconcile
from worker.search.filling import fill
from worker.search.index import Rows
from worker.search.looking import index_of
from worker.watch import NeverEnds
from worker.workplace import open_workplace

SAMPLES = Path(__file__).parents[2] / "samples/data"
ASKED = 3
"""Tasks whose answers are kept by the job itself, for each picture; the others get the rows of such an answer."""
WARM = 40
"""Pictures and titles that are encoded before anything is measured, so that the encoders choose their ways."""
GOLD, LEADERS, VECTORS, WAITING, EVENTS = 2_000, 10_000, 20_000, 200, 200
MIB = 2**20
THREADS = ("decode", "encode the picture", "read the text")
"""Steps that all cores share."""
# With the encoders of this home.
BACKEND = """
import os
os.environ |= {"TAGLOOM_IMAGE_ENCODER": "auto", "TAGLOOM_TEXT_ENCODER": "auto"}
""" + SERVERS["tagloom"].replace("; ", "\n")
PARENT = """
import sys; sys.argv[1:] = ["worker"]
import worker.rq_settings, psutil
print(psutil.Process().memory_info().rss)
"""


class Kept(NamedTuple):
    """What keeping answers costs: the lock's ms of an answer; of a task that has one, the lock's ms of the longest
    transaction, and ms of a look."""

    lock_ms: float
    longest_ms: float
    look_ms: float


def reading(shop: Shop, spent: Spent) -> list[ItemFeatures]:
    """Read the pictures, one step after the other, then by the job that does it; return the features."""
    names = shop.workplace.settings.encoders
    images, texts, reader = image_encoder(names.image_encoder), text_encoder(names.text_encoder), Reader(1)
    contents = [sample.image.read_bytes() for sample in shop.samples]
    most = shop.workplace.settings.pictures.image_max_pixels
    decode(contents[0], most)
    pictures = spent.on("decode", lambda: [decode(content, most) for content in contents])
    items = [
        Item(picture.image, sample.title, (sample.level1, sample.level2), whole=picture.size)
        for picture, sample in zip(pictures, shop.samples, strict=True)
    ]
    extractor = FeatureExtractor(images, texts, reader)
    extractor.extract(items[:4])
    for _ in range(-(-WARM // len(items))):
        images.encode([picture.image for picture in pictures])
        texts.encode([item.title for item in items])
    for encoder in (images, texts):
        if runtime := getattr(encoder, "runtime", getattr(encoder, "_runtime", None)):
            runtime.settled()
    extractor.extract(items[:4])
    if scale := getattr(images, "preprocessing", None):
        spent.on("scale for the encoder", lambda: scale([item.image for item in items]))
    inner = Spent()
    with (
        mock.patch.object(images, "encode", inner.timed("encode the picture", images.encode)),
        mock.patch.object(reader, "read", inner.timed("read the text", reader.read)),
        mock.patch.object(texts, "encode", inner.timed("encode the texts", texts.encode)),
    ):
        features: list[ItemFeatures] = inner.on("all", lambda: extractor.extract(items))
    whole = inner.ms.pop("all")
    inner.ms["encode the picture"] -= spent.ms["scale for the encoder"]
    spent.ms |= inner.ms
    spent.ms["thumbnail, tensors"] = whole - sum(inner.ms.values()) - spent.ms["scale for the encoder"]
    with TemporaryDirectory() as folder:
        cache = FeatureCache(Path(folder), extractor.space)
        spent.on("features file", lambda: [cache.put(f"{n:032x}", item) for n, item in enumerate(features)])
        words = RoleReader(project_lexicon(shop.workplace.settings, str(KEY), shop.config))
        found = Descriptions(0)
        found.of(features[0], words)
        with found.kept_in(Path(folder)):
            spent.on("candidate boxes, and their file", lambda: [found.of(item, words) for item in features])
    vars(shop.workplace)["extractor"] = extractor
    shop.workplace.store.tasks.upsert(str(KEY), tasks_of(shop.tasks(1, len(items))))
    job = Spent()
    with mock.patch.object(worker.encoding, "fill", job.timed("search", fill)):
        told = job.on("all", lambda: encode(shop.workplace, shop.project, NeverEnds(), lambda _: None))
    click.echo(f"  {told}", err=True)
    steps = sum(spent.ms.values())
    spent.ms["the job around these"] = max(0.0, job.ms["all"] - job.ms["search"] - steps)
    spent.each(len(items))
    return features


def holding(shop: Shop, spent: Spent, disk: dict[str, float]) -> float:
    """Store the other tasks, as copies of those that were read, and their search rows; return the lock's ms a task."""
    number, store = len(shop.samples), shop.workplace.store
    more, put = shop.tasks(number + 1, shop.held), spent.timed("task's row", store.tasks.upsert)
    before = shop.database_bytes()
    with Locks() as locks:
        for at in range(0, len(more), LISTED):
            page = more[at : at + LISTED]
            put(str(KEY), tasks_of(page))
    disk["task's row"] = (shop.database_bytes() - before) / len(more)
    likes = [shop.file(task) for task in shop.tasks(1, number)]
    half = shop.held // 2 + 1
    for part in (more[: half - number], more[half - number :]):
        for task in part:
            file = shop.file(task)
            file.parent.mkdir(exist_ok=True)
            file.hardlink_to(likes[(task["id"] - 1) % number])
        # The first half makes a projection, which is large enough for the second.
        spent.ms.pop("search row", None)
        spent.on("search row", lambda: fill(shop.workplace, shop.project, NeverEnds()))
    spent.ms["search row"] /= len(part)
    spent.ms["task's row"] /= len(more)
    folder = index_of(shop.workplace, str(KEY)).folder
    disk["search row"] = sum(file.stat().st_size for file in folder.iterdir()) / shop.held
    paths = shop.workplace.settings.paths
    for name, place in (("features file", paths.features), ("description file", paths.descriptions)):
        files = {file.stat().st_ino: file.stat().st_blocks * 512 for file in place.rglob("*.safetensors")}
        disk[name] = sum(files.values()) / len(files)
    return locks.ms / len(more)


def keeping(shop: Shop, features: Sequence[ItemFeatures], spent: Spent, disk: dict[str, float]) -> Kept:
    """Keep the answers of two versions to all tasks, some by the job itself."""
    store, number = shop.workplace.store, len(features)
    tagger, lease = trained(shop, features), shop.lease("predict")
    asked = min(ASKED * number, shop.held // 2)
    for turn in range(2):
        served(shop, replace(tagger, version=f"{turn}"))
        before = shop.database_bytes()
        answering = Answering(shop.workplace, shop.project)
        said, speak = tagger.predict(features), answering.speaking(features)
        store.answers.begin(str(KEY), answering.version, shop.xml, lease)
        tasks = iter(shop.tasks(asked + 1, shop.held))
        while part := list(islice(tasks, BULK)):
            at = [(task["id"] - 1) % number for task in part]
            answers = [
                Answer(
                    task["id"], answering.version, shop.key(task), said[row].score, said[row].labels,
                    said[row].probabilities,
                    tuple(
                        (one.label, one.box.left, one.box.top, one.box.right, one.box.bottom, one.score)
                        for one in said[row].boxes
                    ),
                    task["id"], changed=False, size=features[row].size,
                )
                for task, row in zip(part, at, strict=True)
            ]  # fmt: skip
            store.answers.put(str(KEY), answers, lease)
            labels = {
                task["id"]: [LabelAnswer(name, name in said[row].labels, source) for name, source in speak[row].items()]
                for task, row in zip(part, at, strict=True)
            }
            store.gallery.put(str(KEY), answering.version, labels, lease)
        job = Spent()
        # So that each description is read from its file, as by a job that begins.
        with mock.patch.multiple(RECENT, _most=0, _kept=OrderedDict()):
            with Locks() as working:
                told = job.on("work", lambda: keep(shop.workplace, shop.project, lease, NeverEnds(), lambda _: None))
            with Locks() as looking:
                job.on("look", lambda: keep(shop.workplace, shop.project, lease, NeverEnds(), lambda _: None))
            job.on("load", lambda: Answering(shop.workplace, shop.project))
            job.on("model", lambda: [tagger.predict(features[at : at + 64]) for at in range(0, number, 64)])
        disk[f"kept answer, version {turn + 1}"] = (shop.database_bytes() - before) / shop.held
    click.echo(f"  {told}", err=True)
    model = job.ms["model"] / number
    spent.ms["answer by the model"] = model
    spent.ms["answer kept: features read, rows written"] = (job.ms["work"] - job.ms["look"]) / asked - model
    # What each job writes, whatever it has answered, is no cost of an answer.
    lock_ms = max(0.0, working.ms - looking.ms) / asked
    return Kept(lock_ms, looking.longest_ms / shop.held, (job.ms["look"] - job.ms["load"]) / shop.held)


def looks(shop: Shop) -> dict[str, float]:
    """Return what jobs cost for each task, if they find nothing to do."""
    store, tasks, spent = shop.workplace.store, shop.tasks(1, shop.held), Spent()
    listing: Any = Listing(tasks)
    spent.on("encode", lambda: encode(shop.workplace, shop.project, NeverEnds(), lambda _: None))
    lease = shop.lease("reconcile")
    spent.on("reconcile", lambda: reconcile(store, listing, shop.project, lease, NeverEnds(), lambda _: None))
    return {job: ms / shop.held for job, ms in spent.ms.items()}


def task_memory(shop: Shop) -> float:
    """Return the bytes of a task in a job that looks at all of them, at its peak."""
    tracemalloc.start()
    encode(shop.workplace, shop.project, NeverEnds(), lambda _: None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / shop.held


def annotating(shop: Shop) -> tuple[float, float, float, float]:
    """Return ms and bytes of an annotation that a webhook brings, the lock's ms, and transactions a second."""
    sample = shop.samples[0]
    picture = gold_picture(sample.boxes, shop.labels)
    store, gold = shop.workplace.store, Gold(frozenset(sample.labels), picture.boxes)
    project = {"id": KEY.id, "title": "shop", "label_config": shop.xml, "created_at": CREATED, "updated_at": CREATED}
    bodies = [
        json.dumps({"action": "ANNOTATION_CREATED", "project": project, "task": task,
                    "annotation": {**annotated(task["id"], gold), "created_at": CREATED, "updated_at": CREATED}})
        for task in shop.tasks(1, EVENTS)
    ]  # fmt: skip
    store.journal.record(events.parse(json.loads(bodies[0])).change)
    before, spent, began = shop.database_bytes(), Spent(), time.perf_counter()
    record = spent.timed("webhook", lambda body: store.journal.record(events.parse(json.loads(body)).change))
    with Locks() as locks:
        for body in bodies[1:]:
            record(body)
    rate = (EVENTS - 1) / (time.perf_counter() - began)
    each = EVENTS - 1
    return spent.ms["webhook"] / each, (shop.database_bytes() - before) / each, locks.ms / each, rate


def nearest_of(width: int) -> dict[str, float]:
    """Return ms for each gold item of an item in a training, and in an answer, for each leader, and row of a search."""
    vectors_ND, spent = made_up(VECTORS), Spent()
    spent.on("nearest", lambda: Neighbours.empty(vectors_ND).add(range(GOLD)))
    labels_GK = torch.zeros(GOLD, 5)
    spent.on(
        "vote",
        lambda: [votes_on_new(vectors_ND[n * 64 : n * 64 + 64], vectors_ND[:GOLD], labels_GK) for n in range(20)],
    )
    wide_LD = torch.nn.functional.normalize(torch.randn(LEADERS, width, generator=torch.Generator().manual_seed(1)))
    known = LookAlikes(wide_LD.half())
    spent.on("leader", lambda: [known.join(wide_LD[at : at + 64]) for at in range(0, 640, 64)])
    half_ND = vectors_ND.half()
    spent.on(
        "search", lambda: [nearest(half_ND, half_ND[n], 10, torch.ones(VECTORS, dtype=torch.bool)) for n in range(20)]
    )
    times = {"nearest": VECTORS * GOLD, "vote": 20 * 64 * GOLD, "leader": 640 * LEADERS, "search": 20 * VECTORS}
    return {what: spent.ms[what] / count for what, count in times.items()}


def services(settings: Settings) -> tuple[float, float, float]:
    """Return the bytes of a waiting job in Redis, and the MiB of a worker that waits and of a backend."""
    with Stack(settings, surroundings(settings)) as stack:
        stack.start_queue()
        own = Settings(home=settings.paths.home, redis_url=stack.environment["REDIS_URL"])
        redis = queue.redis_of(own.work.redis_url)
        queue.wake_encoding(own, str(KEY))
        before = redis.info("memory")["used_memory"]
        for number in range(WAITING):
            queue.wake_encoding(own, f"default/{number + 10}.{KEY.created}")
        job = (redis.info("memory")["used_memory"] - before) / WAITING
        environment = {**os.environ, **surroundings(own), "REDIS_URL": own.work.redis_url}
        told = subprocess.run(
            [sys.executable, "-c", PARENT], env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        with serving(BACKEND, own) as running:
            while not httpx.get(f"{running.url}/health", timeout=60).json().get("ready", True):
                time.sleep(0.1)
            backend = psutil.Process(running.process.pid).memory_info().rss
    return job, int(told.stdout.split()[-1]) / MIB, backend / MIB


def measured(data: Dataset, held: int) -> Measured:
    """Measure all costs with these pictures, in a project that holds so many tasks."""
    spent, disk, locks = Spent(), dict[str, float](), dict[str, float]()
    labels = tuple(data.labels())
    with TemporaryDirectory() as folder:
        os.environ |= {
            "TAGLOOM_HOME": folder, "TAGLOOM_IMAGE_ROOTS": str(data.folder.resolve()), "TAGLOOM_TRAINING_THREADS": "1"
        }  # fmt: skip
        settings = Settings()
        with open_workplace(settings) as workplace:
            shop = Shop(workplace, data.samples, labels, label_config(labels), held)
            workplace.store.projects.ensure(str(KEY), shop.xml)
            click.echo("pictures are read", err=True)
            features = reading(shop, spent)
            worker_mib = psutil.Process().memory_info().rss / MIB
            click.echo("tasks are stored, and found", err=True)
            locks["task"] = holding(shop, spent, disk)
            read_ms = dict(spent.ms)
            click.echo("a version is trained, and answers are kept", err=True)
            kept = keeping(shop, features, spent, disk)
            click.echo("jobs that find nothing, webhooks, searches, services", err=True)
            answer_ms = {step: ms for step, ms in spent.ms.items() if step not in read_ms}
            found = {**looks(shop), "keep answers": kept.look_ms}
            memory = task_memory(shop)
            locks["answer"] = kept.lock_ms
            annotation_ms, annotation_bytes, locks["annotation"], commits = annotating(shop)
            opened = Spent()
            opened.on("opened", lambda: Rows.of(index_of(workplace, str(KEY))))
            width = Embedding.of(features).vectors(features).shape[1]
            each = nearest_of(width)
            job_bytes, idle, backend = services(settings)
    return Measured(
        read=read_ms, answer=answer_ms, looks=found, disk=disk, annotation_ms=annotation_ms,
        annotation_bytes=annotation_bytes, writer_ms=locks, answer_rows=1 + len(labels), leader_ms=each["leader"],
        leader_bytes=2.0 * width + 8, nearest_ms=each["nearest"], vote_ms=each["vote"], search_ms=each["search"],
        opened_ms=opened.ms["opened"] / held, task_memory=memory, commits=commits, job_bytes=job_bytes,
        longest_ms=kept.longest_ms, worker=worker_mib, idle_worker=idle, backend=backend,
        threads=THREADS,
    )  # fmt: skip


@click.command(help=__doc__)
@click.option("--short", is_flag=True, help="Few pictures, few tasks.")
@click.option("--items", type=int, default=None, help="Pictures that are read: 96, or 16.")
@click.option("--held", type=int, default=None, help="Tasks that the project holds: 20,000, or 1,000.")
@click.option("--data", type=click.Path(exists=True, path_type=Path), default=SAMPLES, help="A folder with items.csv.")
def main(*, short: bool, items: int | None, held: int | None, data: Path) -> None:
    items, held = items or (16 if short else 96), held or (1_000 if short else 20_000)
    names = foreseen(Settings(), None).encoders
    machine = {**described(), "encoders": f"{names.image_encoder}, {names.text_encoder}"}
    samples = read(data, None)
    pictured = [one for one in samples.samples if one.picture]
    samples = replace(samples, samples=tuple(pictured[:: max(1, len(pictured) // items)][:items]))
    began, plan = time.monotonic(), Plan()
    found = measured(samples, held)
    print(f"\n**A million new items a day** ({len(samples.samples)} pictures of {data.name}, {held:,} tasks)\n")
    print(tables(found, plan))
    for name, value in others(found, plan).items():
        print(f"\n{name}: {value}")
    print(f"\n({time.monotonic() - began:.0f} s; load at the end {os.getloadavg()[0]:.1f})\n")
    line = {"question": "day", "measured": asdict(found), "plan": asdict(plan), "machine": machine}
    print(json.dumps(line, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
