"""The training of one project, from the gold in the store to a version that serves."""

import json
import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from labelstudio.project import file_name
from model import checkpoint
from model.knowledge.facts import People
from model.lexicon.lexicon import Lexicon
from model.tagger import Tagger
from model.training.boxes import learn_boxes
from model.training.config import TrainConfig
from model.training.progressive import EpochReport, fit
from store.leases import Lease
from store.projects import Project
from store.versions import Current
from tagloom_base.files import replaced
from worker import knowledge
from worker.cold_start import ColdStart, ensure_cold_start
from worker.corpus.corpus import Corpus, assemble
from worker.corpus.gold import mark_misread, note_gold
from worker.pictures import MOST, counted
from worker.promotion.aside import judging_aside
from worker.promotion.classes import class_figures
from worker.promotion.gate import Booleans, JudgedAnswers, Verdict, judge
from worker.promotion.parts import FoldPart
from worker.promotion.pruning import EVIDENCE
from worker.promotion.publication import Publisher, promote_due
from worker.promotion.referee import Answer, Referee
from worker.training.companions import Order, training_together
from worker.training.doubtful import doubtful
from worker.training.index import kept_index
from worker.training.inheritance import parent_for_new_labels, with_draw_seconds, with_lexicon
from worker.training.recovery import readable
from worker.watch import Ends
from worker.workplace import Workplace, threads_aside

LOG = logging.getLogger(__name__)

# The longest wait for gold to settle, in multiples of settle_seconds.
LONGEST_SETTLE = 5

Progress = Callable[[Mapping[str, Any]], None]


def train(workplace: Workplace, project_key: str, lease: Lease, watch: Ends, progress: Progress) -> str:
    """Bring the project's model up to date with its gold; return one line about the result.

    Raises Interrupted when the job must end. Finished epochs are kept, and the next run continues after the last one.
    """
    settings, store = workplace.settings, workplace.store
    checkpoints = settings.paths.checkpoints
    promote_due(store, project_key, lease, settings.versions.promotion_seconds)
    progress({"stage": "waiting for more gold"})
    project = _settled(workplace, project_key, watch)
    store.projects.begin_attempt(project_key)
    config = workplace.config_of(project)
    mark_misread(store, project, config)

    # The served version. If none fits labels and encoders: a new cold start. If it cannot be read: an earlier version.
    space, encoders = workplace.extractor.space, workplace.extractor.describe()
    wanted = replace(ColdStart.of(project_key, config, space, settings), encoders=encoders)
    cold_start = partial(ensure_cold_start, store, checkpoints, project_key, wanted)
    current = readable(checkpoints, store, project_key, lease, cold_start(), lambda old: cold_start(instead_of=old))

    progress({"stage": "reading features"})
    corpus = assemble(workplace, project, config, watch)
    note_gold(store, project, config, lease, corpus.gold)
    if (use := settings.training.shop_knowledge) != "off":
        said = knowledge.said_by_people(store.knowledge.of(project_key))
        people = People(said, corpus.task_ids, speaks=use == "all")
        corpus = replace(corpus, problem=replace(corpus.problem, people=people))
    for note, count in corpus.notes.items():
        LOG.warning("%s: in %d tasks with gold: %s", project_key, count, note)
    finish = partial(store.projects.finish_training, project_key, project.gold_revision, lease)
    finish = partial(finish, unread=corpus.unread, notes=corpus.notes)
    gold_count = len(corpus.problem.gold)
    without = f", the pictures of {corpus.unread} cannot be read" if corpus.unread else ""
    if without:
        reasons = "; ".join(list(store.pictures.reasons(project_key))[:MOST])
        LOG.warning("%s: %s with gold without picture: %s", project_key, counted(corpus.unread), reasons)
    if not corpus.problem.trainable:
        failure = f"nothing to train on: {counted(corpus.unread)} with gold, but without picture" if without else ""
        finish(failure=failure)
        return f"{gold_count} gold labels, none to train on yet{without}"

    counts = {"gold_count": gold_count, "weak_count": len(corpus.problem.pool) - gold_count}
    promotion_seconds = settings.versions.promotion_seconds
    publisher = Publisher(checkpoints, promotion_seconds, store, project, lease, current, encoders, counts)
    run = _Run(workplace, publisher, corpus, wanted.lexicon, watch, progress)
    trained = run.work()
    progress({"stage": "looking for doubtful gold"})
    store.doubts.replace(project.key, doubtful(corpus, trained, run.problem, run.out_of_fold), lease)
    knowledge.grow(store.knowledge, project_key, corpus, config.labels, wanted.lexicon, lease)
    finish()
    # Deleted last: a training that is killed before this continues from this state.
    run.state.clear()
    return f"{gold_count} gold labels{without}; promoted {', '.join(publisher.promoted) or 'nothing'}"


class _Run:
    """The training on one corpus, and the judging of the versions that it makes.

    ``out_of_fold`` are the gate's out-of-fold probabilities by task id, where it needed some.
    """

    def __init__(
        self,
        workplace: Workplace,
        publisher: Publisher,
        corpus: Corpus,
        lexicon: Lexicon,
        watch: Ends,
        progress: Progress,
    ) -> None:
        self._settings = workplace.settings
        self._publisher = publisher
        self._corpus = corpus
        self._watch = watch
        self._progress = progress
        self._config = TrainConfig(seed=workplace.settings.training.seed, device=workplace.settings.encoders.device)
        self.state = RunState.of(workplace.settings.paths.runs, publisher.project)
        checkpoints = workplace.settings.paths.checkpoints
        self._parent = self.state.parent(checkpoints, publisher.current)
        # A cold start has no network, but a version for other labels may have one.
        if self._parent.network is None:
            self._parent = parent_for_new_labels(checkpoints, workplace.store, publisher.project.key, self._parent)
        self._parent = with_lexicon(self._parent, lexicon)
        self._parent = with_draw_seconds(self._parent, corpus.draw.seconds)
        self._served = checkpoint.load(checkpoints / publisher.current.folder)
        evidence = checkpoints / publisher.project.key / EVIDENCE
        self._referee = Referee(corpus, self._served, self._config, evidence)
        self._index_file = workplace.settings.paths.neighbours / f"{self.state.file.parent.name}.safetensors"
        self.problem = corpus.problem
        self.out_of_fold: Mapping[int, Sequence[float]] = {}
        # The note of a version is a warning: it learned from misread gold.
        self._is_misled = bool(publisher.current.note)
        self._served_on_pool: Callable[[], Booleans]
        self._begun = False
        self._last_phase = self._config.continuation[-1].name

    def work(self) -> Tagger:
        """Train through all phases and judge the tagger of each; return the tagger of the last phase."""
        index = kept_index(self._index_file, self._publisher.current.space, self._corpus)
        self._progress({"stage": "learning boxes"})
        problem = replace(self._corpus.problem, index=index)
        # If an earlier run was killed after it had published, only the steps after the publishing are left.
        is_judged = self.state.is_offered
        threads = 0 if is_judged else threads_aside(self._settings)
        with judging_aside(self.state.file.parent, threads, self._settings.paths.descriptions) as aside:
            look = {"pool": self._referee.pool_part()}
            aside.give(look)
            self._served_on_pool = cache(lambda: aside.results(look, self._watch.check)["pool"]["given_NK"].numpy())
            boxes = learn_boxes(self._parent, problem, seed=self._config.seed, between=self._watch.check)
            self.problem = replace(problem, boxes=boxes)
            self._watch.check()
            folds = None
            if not is_judged and not self._referee.can_judge_early:
                folds = self._referee.folds(self._parent, self.problem)
                aside.give(parts := {f"fold {fold}": FoldPart(folds, fold) for fold in range(len(folds.rows))})

            order = Order(
                self._parent,
                self.problem,
                self._config,
                self._corpus.keys,
                self.state.file,
                self._settings.paths.features,
                self._settings.training.training_processes,
            )
            with training_together(order, self._watch):
                tagger = fit(
                    self._parent,
                    self.problem,
                    self._config,
                    on_epoch=self._on_epoch,
                    on_phase=self._on_phase if self._referee.can_judge_early else None,
                    resume=self.state.file,
                )

            if not is_judged:
                self._progress({"stage": "judging"})
                answers: Mapping[int, Answer] = {}
                if folds:
                    done = aside.results(parts, self._watch.check)
                    found = folds.joined([(done[name]["probability_FK"], done[name]["given_FK"]) for name in parts])
                    answers = self._referee.answers_of(found)
                    self.out_of_fold = {task: answer.probability for task, answer in answers.items()}
                self._offer(tagger, answers)
        return tagger

    def _offer(self, tagger: Tagger, answers: Mapping[int, Answer]) -> None:
        """Judge the tagger of the last phase and publish it."""
        self._watch.check()
        evidence = self._referee.evidence(tagger, answers)
        verdict = self._judged(tagger, evidence, must_gain=False)
        if broken := self._referee.looks_broken(tagger, evidence):
            verdict = Verdict(False, broken, verdict.metrics)
        self._publish(self._last_phase, tagger, verdict, answers)
        self.state.set_offered()

    def _on_epoch(self, report: EpochReport) -> None:
        if not self._begun and report.epoch > 1:
            LOG.info("%s: goes on after epoch %d", self._publisher.project.key, report.epoch - 1)
        self._begun = True
        self._progress({"stage": report.phase, "epoch": report.epoch, "epochs": report.epochs})
        self._watch.check()

    def _on_phase(self, phase: str, tagger: Tagger) -> None:
        """Judge the tagger of an early phase; publish it only if it is better and can be promoted at once."""
        if phase == self._last_phase or not self._publisher.may_promote():
            return
        verdict = self._judged(tagger, self._referee.evidence(tagger, {}), must_gain=True)
        if verdict.accepted:
            self._publish(phase, tagger, verdict, {})
        else:
            LOG.info("%s of %s is not published: %s", phase, self._publisher.project.key, verdict.reason)

    def _judged(self, tagger: Tagger, evidence: JudgedAnswers, *, must_gain: bool) -> Verdict:
        """Return the gate's verdict, but refuse a tagger that gives a label far more or less often without reason."""
        verdict = judge(evidence, must_gain=must_gain)
        classes = class_figures(evidence, tagger, self._corpus.problem.table(tagger.labels).labels_NK)
        verdict = replace(verdict, metrics={**verdict.metrics, "classes": classes})
        # A served version that learned from misread gold is no measure of how often a label should be given.
        if not verdict.accepted or self._is_misled:
            return verdict
        # A version that was promoted in this training serves by now.
        served_NK = None if self._publisher.promoted else self._served_on_pool()
        collapse = self._referee.collapse(tagger, self.problem.boxes, served_NK)
        return Verdict(False, collapse, verdict.metrics) if collapse else verdict

    def _publish(self, phase: str, tagger: Tagger, verdict: Verdict, answers: Mapping[int, Answer]) -> None:
        """Write the tagger as a version, with what `tagloom versions` shows of it besides the gate's figures."""
        self._watch.check()
        corpus = self._corpus
        gold = corpus.problem.table(tagger.labels).without(corpus.problem.held_out)
        missing = gold.unlearnable(tagger.labels)
        for label, reason in missing.items():
            LOG.info("%s: %s cannot be learned yet: %s", self._publisher.project.key, label, reason)
        learned: dict[str, Any] = {
            "unlearnable": missing,
            "source_accuracy": tagger.label_model.accuracies(tagger.labels),
            "gold_notes": dict(corpus.notes),
            "draw_seconds": corpus.draw.told(),
            # Kept here, since the version's own reason changes when a person chooses it.
            "verdict": verdict.reason,
        }
        if self.problem.boxes is not None and self.problem.boxes.mean_ap is not None:
            learned["mean_ap"] = self.problem.boxes.mean_ap
        verdict = replace(verdict, metrics={**verdict.metrics, **learned})
        version = self._publisher.publish(phase, tagger, verdict, partial(self._referee.keep, answers)).version
        # Later phases are compared with this version if it was promoted.
        if self._publisher.current.version == version:
            self._referee.served_by(tagger.named(version))


class RunState:
    """The files from which a killed training continues.

    ``file`` holds the training's state after the last epoch. A second file names the parent, and records whether the
    trained tagger has been judged and published.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._about = file.with_suffix(".json")

    @classmethod
    def of(cls, folder: Path, project: Project) -> "RunState":
        """Return the state for the newest gold of a project, and delete the states for older gold.

        Each revision of the gold has separate files, since an older training may still be saving its last epoch.
        """
        own = folder / file_name(project.key)
        own.mkdir(parents=True, exist_ok=True)
        for older in [path for path in own.iterdir() if path.stem != str(project.gold_revision)]:
            # A folder was left by processes that trained together and were killed.
            if older.is_dir():
                shutil.rmtree(older, ignore_errors=True)
            else:
                older.unlink(missing_ok=True)
        return cls(own / f"{project.gold_revision}.safetensors")

    def parent(self, checkpoints: Path, current: Current) -> Tagger:
        """Load the parent: the one of the killed training, or else the served version, whose name is then stored."""
        try:
            return checkpoint.load(checkpoints / str(self._read()["parent"]), space=current.space)
        except (KeyError, ValueError):
            self.clear()
        self._write({"parent": current.folder})
        return checkpoint.load(checkpoints / current.folder, space=current.space)

    @property
    def is_offered(self) -> bool:
        """Whether the trained tagger has been judged and published already."""
        return self._read().get("offered") is True

    def set_offered(self) -> None:
        """Record that the trained tagger has been judged and published."""
        self._write({**self._read(), "offered": True})

    def clear(self) -> None:
        """Delete the files, because the training is finished or its parent cannot be read."""
        self.file.unlink(missing_ok=True)
        self._about.unlink(missing_ok=True)

    def _write(self, about: Mapping[str, Any]) -> None:
        with replaced(self._about) as beside:
            beside.write_text(json.dumps(about))

    def _read(self) -> dict[str, Any]:
        try:
            about = json.loads(self._about.read_text())
        except (OSError, ValueError):
            return {}
        return about if isinstance(about, dict) else {}


def _settled(workplace: Workplace, project_key: str, watch: Ends) -> Project:
    """Return the project once no gold has arrived for settle_seconds: a burst of webhooks makes one training."""
    pause, projects = workplace.settings.training.settle_seconds, workplace.store.projects
    project = _present(projects.get(project_key))
    end = time.monotonic() + LONGEST_SETTLE * pause
    while time.monotonic() < end:
        time.sleep(pause)
        watch.check()
        newer = _present(projects.get(project_key))
        if newer.gold_revision == project.gold_revision:
            return newer
        project = newer
    return project


def _present(project: Project | None) -> Project:
    if project is None:
        raise ValueError("the project is not in the store")
    return project
