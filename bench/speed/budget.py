"""From what one item costs to what a day costs, and to the numbers at which the product's limits lie. Nothing is
measured here: `bench.speed.day` measures."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

DAY_MS = 86_400_000.0
FOLDERS = 256
"""Folders over which the files of features are spread, and those of descriptions: two digits of a hash."""
SLICE_MS = 15_000.0
"""After so long a job gives way to others that wait (`worker.watch.SLICE_S`)."""
RECONCILE_MS = 600_000.0
"""How often a project is compared with Label Studio (`TAGLOOM_RECONCILE_MINUTES`)."""
WEBHOOK_MS = 800.0
"""After so long a webhook whose event is not stored is answered with 503."""
LOOK_MEMORY = 4e9
"""Bytes that a look at all tasks of a project may take, in a worker of 5 GB."""
MANY_CORES = (2, 8, math.inf)
"""The machines on which one project is read."""


@dataclass(frozen=True)
class Plan:
    """What a day brings.

    Args:
        items: new items a day.
        answers: how many versions answer each item in its first day, each with a kept answer.
        labelled: annotations for each new item.
        gold: labelled items that a project already has.
        held: tasks that a project holds.
    """

    items: int = 1_000_000
    answers: int = 2
    labelled: float = 0.01
    gold: int = 2_000
    held: int = 1_000_000


@dataclass(frozen=True)
class Measured:
    """Costs on one machine, in milliseconds of one thread's processor time and in bytes, unless it says otherwise.

    Args:
        read: what an item costs until it is read: step → ms. Steps in ``threads`` run on all cores, the others of a
            project's job one after the other.
        answer: what one version's kept answer costs: step → ms.
        looks: what a job costs for each task that a project holds, if it finds nothing to do: job → ms.
        disk: what an item leaves on the disk: what → bytes.
        annotation_ms, annotation_bytes: one annotation that a webhook brings.
        writer_ms: milliseconds on the clock that the database's write lock is held, for an item and ``annotation``.
        answer_rows: rows in the database of a kept answer.
        leader_ms, leader_bytes: comparing an answer with one leader of look-alikes, and the leader itself.
        nearest_ms, vote_ms: finding an item's nearest gold in a training, and its votes in an answer, for each gold.
        search_ms, opened_ms: one row looked through by a search, and read again because the index has changed.
        longest_ms: milliseconds on the clock, for each task of the project, of the longest transaction that writes in a
            job that keeps answers and finds nothing to do.
        task_memory: bytes of a task in the memory of a job that looks at all of them.
        commits: transactions a second that one writer makes, each durable.
        job_bytes: memory of Redis for a job that waits.
        worker, idle_worker, backend: resident memory in MiB.
    """

    read: Mapping[str, float]
    answer: Mapping[str, float]
    looks: Mapping[str, float]
    disk: Mapping[str, float]
    annotation_ms: float
    annotation_bytes: float
    writer_ms: Mapping[str, float]
    answer_rows: int
    leader_ms: float
    leader_bytes: float
    nearest_ms: float
    vote_ms: float
    search_ms: float
    opened_ms: float
    longest_ms: float
    task_memory: float
    commits: float
    job_bytes: float
    worker: float
    idle_worker: float
    backend: float
    threads: Sequence[str] = field(default=())


@dataclass(frozen=True)
class Cost:
    """A line of the table: milliseconds for one, how many a day, and the cores that are busy with it all day."""

    what: str
    ms: float
    a_day: float

    @property
    def cores(self) -> float:
        return self.ms * self.a_day / DAY_MS


@dataclass(frozen=True)
class Limit:
    """The number ``at`` which something breaks, or stops being good, in ``unit``."""

    what: str
    at: float
    unit: str


def costs(found: Measured, plan: Plan) -> list[Cost]:
    """Return what a day's items cost, step by step."""
    lines = [Cost(step, ms, plan.items) for step, ms in found.read.items()]
    lines += [Cost(step, ms, plan.items * plan.answers) for step, ms in found.answer.items()]
    votes = found.vote_ms * plan.gold
    lines.append(Cost(f"votes of {plan.gold:,} gold items in an answer", votes, plan.items * plan.answers))
    lines.append(Cost("webhook of an annotation", found.annotation_ms, plan.items * plan.labelled))
    return lines


def disk(found: Measured, plan: Plan) -> dict[str, float]:
    """Return the bytes that an item leaves, by what they are; annotations count by their share."""
    return {**found.disk, "annotations and events": found.annotation_bytes * plan.labelled}


def writer(found: Measured, plan: Plan) -> float:
    """Return the milliseconds on the clock that an item holds the database's write lock."""
    each = {"answer": plan.answers, "annotation": plan.labelled}
    return sum(ms * each.get(what, 1) for what, ms in found.writer_ms.items())


def answered(found: Measured, plan: Plan) -> float:
    """Return the milliseconds of one kept answer, without the comparison with the leaders of look-alikes."""
    return sum(found.answer.values()) + found.vote_ms * plan.gold


def of_one_project(found: Measured, cores: float) -> float:
    """Return the items a day that one project's encode job reads on a machine of so many cores."""
    spread = sum(ms for step, ms in found.read.items() if step in found.threads)
    return DAY_MS / (sum(found.read.values()) - spread + spread / cores)


def limits(found: Measured, plan: Plan) -> list[Limit]:
    """Return where the limits lie, the lowest number of each kind first."""
    one = answered(found, plan)
    reads = [
        Limit(f"one project, read on a machine of {cores} cores" if cores < math.inf else
              "one project, read on a machine of any number of cores", of_one_project(found, cores), "items a day")
        for cores in MANY_CORES
    ]  # fmt: skip
    folder, of = plan.items / FOLDERS, "tasks of a project"
    return [
        *reads,
        Limit("one project's kept answers, one thread", DAY_MS / (one * plan.answers), "items a day"),
        Limit("SQLite's one writer", DAY_MS / writer(found, plan), "items a day"),
        Limit("comparing look-alikes takes as long as the rest of an answer", one / found.leader_ms, "groups"),
        Limit("answering all tasks takes a day of one core", _in_a_day(one, found.leader_ms), of),
        Limit(
            "an encode job that finds nothing takes 15 s", SLICE_MS / found.looks["encode"], of
        ),
        Limit(
            "a comparison with Label Studio takes its 10 minutes",
            RECONCILE_MS / found.looks["reconcile"],
            of,
        ),
        Limit("a job holds the lock for as long as a webhook waits, .8 s", WEBHOOK_MS / found.longest_ms, of),
        Limit("a look at all tasks takes 4 GB", LOOK_MEMORY / found.task_memory, of),
        Limit("a search opens a changed index for 1 s", 1000 / found.opened_ms, of),
        Limit("an exact search takes 1 s", 1000 / found.search_ms, of),
        Limit("files in each folder of features grow by", folder, "files a day"),
    ]  # fmt: skip


def _in_a_day(one: float, leader: float) -> float:
    """Return how many tasks are answered in a day of one core, if each leads a group: it is compared with all before.

    That is the n with n (one + leader n / 2) = DAY_MS.
    """
    return (math.sqrt(one**2 + 2 * leader * DAY_MS) - one) / leader


def tables(found: Measured, plan: Plan) -> str:
    """Return the tables of a day in Markdown."""
    lines = [f"| what an item needs | ms of one thread | how often a day | cores, for {plan.items:,} items a day |",
             "|---|---:|---:|---:|"]  # fmt: skip
    listed = costs(found, plan)
    lines += [f"| {one.what} | {one.ms:.3g} | {one.a_day:,.0f} | {one.cores:.2f} |" for one in listed]
    lines.append(f"| **all** | | | **{sum(one.cores for one in listed):.1f}** |")
    kept = disk(found, plan)
    lines += ["", "| what stays of an item | bytes | GB a day |", "|---|---:|---:|"]
    lines += [f"| {what} | {each:,.0f} | {each * plan.items / 1e9:.2f} |" for what, each in kept.items()]
    whole = sum(kept.values())
    lines.append(f"| **all** | **{whole:,.0f}** | **{whole * plan.items / 1e9:.1f}** |")
    lines += ["", f"| a job that finds nothing | ms a task | s for {plan.held:,} tasks |", "|---|---:|---:|"]
    lines += [f"| {job} | {ms:.3g} | {ms * plan.held / 1000:,.0f} |" for job, ms in found.looks.items()]
    lines += ["", "| where it ends | at |", "|---|---:|"]
    lines += [f"| {one.what} | {rounded(one.at):,} {one.unit} |" for one in limits(found, plan)]
    return "\n".join(lines)


def others(found: Measured, plan: Plan) -> dict[str, object]:
    """Return the figures that are in no table."""
    rows = 1 + plan.answers * found.answer_rows + plan.labelled * 2
    return {
        "database rows a day": round(rows * plan.items),
        "write lock held, of a day": f"{writer(found, plan) * plan.items / DAY_MS:.0%}",
        "durable transactions a second of one writer": round(found.commits),
        "annotations a second": round(plan.items * plan.labelled * 1000 / DAY_MS, 2),
        "MiB of a worker at work, waiting, of the backend": [
            round(each) for each in (found.worker, found.idle_worker, found.backend)
        ],
        "bytes of a waiting job in Redis": round(found.job_bytes),
        "look-alikes of all tasks, if each leads a group, GB": round(found.leader_bytes * plan.held / 1e9, 2),
        "ms of comparing one answer with them": round(found.leader_ms * plan.held, 1),
        "s of one core to find the nearest gold of all tasks": round(found.nearest_ms * plan.gold * plan.held / 1000),
        "GB of a look at all tasks": round(found.task_memory * plan.held / 1e9, 2),
    }


def rounded(number: float) -> int:
    """Return a number with two digits that count."""
    return int(float(f"{number:.2g}"))
