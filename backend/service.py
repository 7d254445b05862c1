"""What each request means, without HTTP: the same for the server and for label-studio-ml."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from backend.answers import Answered, Question
from backend.engine import Engine
from backend.industry_keys import AskedKeys
from backend.known_projects import KnownProjects
from backend.metrics import Metrics
from backend.presence import Presence
from backend.schemas import TaskIn, TaskPrediction
from backend.ties import Dependencies
from backend.training_requests import TrainingRequests
from backend.waker import Waker
from labelstudio import events
from labelstudio.config import ConfigError, LabelConfig
from labelstudio.events import Action
from labelstudio.extra_params import industry_keys_of
from labelstudio.kept import Kept
from labelstudio.project import ProjectKey
from labelstudio.regions import Region
from labelstudio.results import check_readable
from labelstudio.sites import Sites
from store.changes import Change
from store.projects import Project
from store.store import Store
from tagloom_base.settings import Settings

LOG = structlog.stdlib.get_logger(__name__)

SETUP_SECONDS = 2.0  # Label Studio gives /setup three
JOURNAL_SECONDS = 0.8  # ... and a webhook one
NO_VERSION = "none"
CONFIG_CHARACTERS = 10_000_000  # of all labelling configs that are kept parsed
READING_SHARE = 0.8  # of the budget goes to pictures and boxes; the rest is for answering what they left over


@dataclass(frozen=True)
class Asked:
    """A /predict as it came at ``began``, a ``time.monotonic()`` moment.

    ``context`` are the regions of an interactive request, None for an ordinary one.
    """

    project: ProjectKey
    label_config: str
    tasks: Sequence[TaskIn]
    context: Sequence[Region] | None
    began: float


class Service:
    """Answers Label Studio's requests. ``engine`` is the future of the loaded models."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        sites: Sites,
        metrics: Metrics,
        dependencies: Dependencies,
        engine: "Future[Engine]",
    ) -> None:
        self.settings = settings
        self.store = store
        self.metrics = metrics
        self.engine = engine
        self._sites = sites
        self._dependencies = dependencies
        self._known = KnownProjects(store.projects)
        self._asked_keys = AskedKeys()
        self._configs: Kept[tuple[str, tuple[str, ...]], LabelConfig] = Kept(1_000, CONFIG_CHARACTERS)
        self._waker = Waker()
        self._presence = Presence(store, sites)
        self._training = TrainingRequests(settings.access.training_requests_per_minute)

    def close(self) -> None:
        self._presence.close()
        self._waker.close()

    def setup(self, project: ProjectKey, xml: str, token: str | None = None, extra_params: object = None) -> str | None:
        """The version that serves the project.

        None while the encoders are still loading and the project has no version yet. Raises ConfigError with what to
        change in the labelling config or in the connection's extra params.
        """
        industry_keys = industry_keys_of(extra_params)
        known = self._known.get(str(project))
        held = known.industry_keys if known else industry_keys
        industry_keys = self._asked_keys.chosen(str(project), held, industry_keys)
        config = self.config(xml, industry_keys)
        if self.engine.done():  # before, the reader would have to be loaded in this request
            check_readable(config)
        if token:
            self._sites.client(project.connection).offer_token(token)
        changed = self._learn_project(project, xml, industry_keys)
        engine = self._wait(SETUP_SECONDS)
        if engine is not None:
            if changed:
                engine.adopt(project, config)
            return engine.served(project, config).version
        current = self.store.versions.current(str(project))
        return current.version if current else None

    def predict(self, asked: Asked) -> tuple[list[TaskPrediction], str]:
        """One answer per task, in order, and the version that gave them. Never raises for what Label Studio sends."""
        engine = self._wait(max(self._deadline(asked) - time.monotonic(), 0.0))
        if engine is None:
            return self._empty(asked.tasks, "the encoders are not loaded"), NO_VERSION
        known = self._known.get(str(asked.project))
        try:
            config = self._config_of(asked, known)
        except ConfigError as error:
            return self._empty(asked.tasks, str(error)), NO_VERSION
        if known is None:
            self._learn_project(asked.project, config.xml, ())
        served = engine.served(asked.project, config)
        question = self._question(asked, config)
        return self._told(question, engine.answers.answer(question, served), engine), served.version

    def predict_kept(self, asked: Asked) -> tuple[list[TaskPrediction], str] | None:
        """The same where everything for it is there already, else None: nothing is read, loaded or waited for."""
        engine = self._wait(0.0)
        served = engine.in_memory(asked.project) if engine else None
        if engine is None or served is None or (known := self._known.get(str(asked.project))) is None:
            return None
        try:
            config = self._config_of(asked, known)
        except ConfigError:
            return None
        question = self._question(asked, config)
        answered = engine.answers.kept(question, served)
        return None if answered is None else (self._told(question, answered, engine), served.version)

    def webhook(self, body: Mapping[str, Any], connection: str) -> str | None:
        """Make an event durable, then wake who has work. Returns the job's name for a training request.

        Raises BadEventError for what is no webhook, JournalError when it could not be made durable.
        """
        event = events.parse(body, connection)
        key = str(event.project)
        try:
            change = Change.of_webhook(key, body)
        except (ValueError, OverflowError) as error:
            raise events.BadEventError(str(error)) from error
        self.metrics.events.labels(event.action or "unknown").inc()
        try:
            self.store.journal.record(change, timeout=JOURNAL_SECONDS)
        finally:  # an event that was too slow may still arrive: its work is not to wait for the timer
            job = self._follow_up(event.action, event.project)
        return job

    def versions(self, connection: str) -> list[str]:
        """All versions of all projects of a connection: Label Studio does not say which project it means."""
        keys = [entry.key for entry in self.store.projects.all() if entry.key.startswith(f"{connection}/")]
        return list(dict.fromkeys(entry.version for key in keys for entry in self.store.versions.list(key)))

    def config(self, xml: str, industry_keys: tuple[str, ...] = ()) -> LabelConfig:
        """A parsed labelling config, with a project's own industry keys if it has any; ConfigError: what to change."""
        keys = industry_keys or self.settings.tasks.industry_keys
        return self._configs.made((xml, keys), len(xml), lambda: LabelConfig.parse(xml, keys))

    def _config_of(self, asked: Asked, known: Project | None) -> LabelConfig:
        xml = asked.label_config or (known.label_config if known else "")
        return self.config(xml, known.industry_keys if known else ())

    def _question(self, asked: Asked, config: LabelConfig) -> Question:
        end = asked.began + self.settings.serving.predict_budget
        return Question(asked.project, config, asked.tasks, self._deadline(asked), end, asked.context)

    def _deadline(self, asked: Asked) -> float:
        return asked.began + self.settings.serving.predict_budget * READING_SHARE

    def _told(self, question: Question, answered: Answered, engine: Engine) -> list[TaskPrediction]:
        """The answers. Behind them the store learns tasks that it may not know, the worker what is still to be read."""
        if question.context is None:
            key = str(question.project)
            payloads = [task.payload() for task in question.tasks]
            engine.remember(question.project, answered.features)
            errand = f"learn {[(task.id, task.updated_at) for task in question.tasks]}"
            self._waker.ask(errand, key, lambda: self.store.tasks.upsert(key, payloads))
            if answered.unfinished:
                self._wake(question.project, "encode", self._dependencies.encode)
        return answered.results

    def _wait(self, seconds: float) -> Engine | None:
        try:
            return self.engine.result(seconds)
        except NotYet:
            return None
        except Exception:  # it could not be loaded: the log has said why, once, and not for each request
            return None

    def _empty(self, tasks: Sequence[TaskIn], reason: str) -> list[TaskPrediction]:
        LOG.error("tasks answered empty", tasks=len(tasks), reason=reason)
        self.metrics.tasks.labels("empty").inc(len(tasks))
        return [TaskPrediction(result=[], score=0.0, model_version=NO_VERSION) for _ in tasks]

    def _learn_project(self, project: ProjectKey, xml: str, industry_keys: tuple[str, ...]) -> bool:
        """Whether the project, its labelling config or its industry keys are new.

        False also while the database is away: Label Studio asks /setup before every task, so it is learned later.
        """
        key = str(project)
        known = self._known.get(key)
        if known is not None and (known.label_config, known.industry_keys) == (xml, industry_keys):
            return False
        try:
            self.store.projects.ensure(key, xml)
            self.store.projects.set_industry_keys(key, industry_keys)
        except SQLAlchemyError as error:
            LOG.error("the labelling config cannot be noted yet", project=key, error=str(error))
            return False
        self._known.get(key)  # for as long as the database is away
        if known is None:
            LOG.info("a new project", project=key)
            self._wake(project, "reconcile", self._dependencies.reconcile)
        else:
            LOG.info("a new labelling config", project=key)
            self._wake(project, "train", self._dependencies.train)
        self._wake(project, "encode", self._dependencies.encode)
        return True

    def _follow_up(self, action: Action | None, project: ProjectKey) -> str | None:
        if action is Action.START_TRAINING:
            return self._start_training(project)
        if action is not None and action.changes_gold:
            self._wake(project, "train", self._dependencies.train)
        elif action is Action.TASKS_CREATED:
            # A reconcile is due too: the journal has asked for it, and the timer wakes it in its time.
            self._wake(project, "encode", self._dependencies.encode)
        elif action is Action.PROJECT_UPDATED:
            self._wake(project, "train if due", self._train_if_due)
        return None

    def _wake(
        self, project: ProjectKey, errand: str, run: Callable[[str], object], *, is_certain: bool = False
    ) -> None:
        """Have an errand run behind the answer, if Label Studio has the project."""
        key = str(project)
        then = partial(self._waker.ask, errand, key, partial(run, key))
        self._presence.when_there(project, errand, then, is_certain=is_certain)

    def _start_training(self, project: ProjectKey) -> str:
        """Ask for a training; beyond the cap only for comparing with Label Studio, which trains if that finds gold."""
        key = str(project)
        allowed = self._training.allow(key)
        try:
            self.store.projects.request_reconcile(key, urgent=allowed)
            if allowed:
                self.store.projects.request_training(key)
        except SQLAlchemyError as error:  # the event itself was not taken either: the answer says so
            LOG.error("a training that was asked for cannot be noted", project=key, error=str(error))
            return ""
        if allowed:
            self._wake(project, "reconcile", self._dependencies.reconcile, is_certain=True)
            self._wake(project, "train", self._dependencies.train, is_certain=True)
        else:
            LOG.warning(
                "training was asked for too often: only what a comparison with Label Studio finds will be trained on",
                project=key,
                most_per_minute=self.settings.access.training_requests_per_minute,
            )
        return "train-" + key.replace("/", "-").replace(".", "-")

    def _train_if_due(self, key: str) -> None:
        project = self.store.projects.get(key)
        if project is not None and project.has_new_gold:
            self._dependencies.train(key)
            self._dependencies.encode(key)
