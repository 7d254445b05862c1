"""Handle each kind of request without HTTP, for the ASGI server and for label-studio-ml's server alike."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from backend.answers import Answered, Question
from backend.engine import Engine
from backend.industry_keys import AskedKeys
from backend.known_projects import KnownProjects
from backend.learning import Learner
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
from model.lexicon import names
from store.projects import Project
from store.store import Store
from tagloom_base.settings import Settings
from worker import labels
from worker.lexicon import read_lexicon
from worker.operating import note_training
from worker.pictures import note_unread, picture_lines
from worker.shared_settings import shared
from worker.webhooks import WebhookWatch

LOG = structlog.stdlib.get_logger(__name__)

SETUP_SECONDS = 2.0  # Label Studio waits three seconds for /setup
JOURNAL_SECONDS = 0.8  # Label Studio waits one second for a webhook
NO_VERSION = "none"
# Labels of a project whose meaning is logged; /status has all of them.
LABELS_LOGGED = 50
# Most characters of all labelling configs that are kept parsed.
CONFIG_CHARACTERS = 10_000_000
# This share of the time budget goes to pictures and boxes. In the rest the tasks without them get tags from texts.
READING_SHARE = 0.8


@dataclass(frozen=True)
class PredictCall:
    """A /predict that arrived at ``began``, a time of ``time.monotonic()``.

    ``context`` holds the regions of an interactive request, None for an ordinary one.
    """

    project: ProjectKey
    label_config: str
    tasks: Sequence[TaskIn]
    context: Sequence[Region] | None
    began: float


class Service:
    """Answers Label Studio's requests. ``engine`` is a future, because the models load while requests arrive.

    When the home's encoders change, ``engine`` and ``shared`` are replaced (``backend.loading``).
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        sites: Sites,
        metrics: Metrics,
        dependencies: Dependencies,
        webhooks: WebhookWatch,
    ) -> None:
        self.settings = settings
        self.store = store
        self.metrics = metrics
        self.webhooks = webhooks
        self.engine: Future[Engine] = Future()
        self.lexicon = read_lexicon(settings.training.lexicon)
        # As they are now: the lexicon's file may change, but what was read of it stays.
        self.shared = shared(settings)
        self.sites = sites
        self._dependencies = dependencies
        self._known = KnownProjects(store.projects)
        self._asked_keys = AskedKeys()
        self._configs: Kept[tuple[str, tuple[str, ...]], LabelConfig] = Kept(1_000, CONFIG_CHARACTERS)
        self._waker = Waker()
        self._learner = Learner(store.tasks, self._waker)
        self._presence = Presence(store, sites)
        self._training = TrainingRequests(settings.access.training_requests_per_minute)
        # Projects whose missing pictures this process has told of.
        self._told: set[str] = set()

    def close(self) -> None:
        self._presence.close()
        self._waker.close()

    def setup(self, project: ProjectKey, xml: str, token: str | None = None, extra_params: object = None) -> str | None:
        """Store the project and its labelling config, and return the version that serves it.

        Returns None while the encoders are still loading and the project has no version yet. Raises ConfigError, which
        says what to change in the labelling config or in the connection's extra params.
        """
        industry_keys = industry_keys_of(extra_params)
        known = self._known.get(str(project))
        held = known.industry_keys if known else industry_keys
        industry_keys = self._asked_keys.chosen(str(project), held, industry_keys)
        config = self.config(xml, industry_keys)
        # While the models load, this check would have to load the SDK, which takes too long for a request.
        if self.engine.done():
            check_readable(config)
        if token:
            self.sites.client(project.connection).offer_token(token)
        changed = self._learn_project(project, config, industry_keys, known)
        if str(project) not in self._told:
            self._told.add(str(project))
            self._waker.ask("tell", str(project), partial(self._tell, str(project)))
        engine = self._wait(SETUP_SECONDS)
        if engine is not None:
            if changed:
                engine.adopt(project, config)
            return engine.served(project, config).version
        current = self.store.versions.current(str(project))
        return current.version if current else None

    def predict(self, call: PredictCall) -> tuple[list[TaskPrediction], str]:
        """Return one answer per task, in order, and their version. No content of the request makes this raise."""
        engine = self._wait(max(self._deadline(call) - time.monotonic(), 0.0))
        if engine is None:
            return self._empty(call.tasks, "the encoders are not loaded"), NO_VERSION
        # Without a version in memory the project may have been forgotten, and begins anew.
        recent = self._recent(str(call.project)) if engine.in_memory(call.project) else None
        known = recent or self._known.get(str(call.project))
        try:
            config = self._config_of(call, known)
        except ConfigError as error:
            return self._empty(call.tasks, str(error)), NO_VERSION
        if known is None:
            self._learn_project(call.project, config, (), known)
        served = engine.served(call.project, config)
        question = self._question(call, config)
        answered = engine.answers.answer(question, served)
        self._follow_answers(question, answered, engine)
        return answered.results, served.version

    def predict_written(self, call: PredictCall) -> tuple[list[bytes], str] | None:
        """Return the JSON of each answer, and their version, if all were given before by the version that serves.

        Returns None for everything else. Reads no file and no database, so that the event loop may call it.
        """
        engine = self._wait(0.0)
        served = engine.in_memory(call.project) if engine else None
        known = self._recent(str(call.project))
        if engine is None or served is None or known is None:
            return None
        keys = known.industry_keys or self.settings.tasks.industry_keys
        config = self._configs.get((call.label_config or known.label_config, keys))
        if config is None:
            return None
        question = self._question(call, config)
        found = engine.answers.written(question, served)
        if found is None:
            return None
        answers, item_keys = found
        self._follow_answers(question, Answered([], item_keys, unfinished=False), engine)
        return answers, served.version

    def predict_kept(self, call: PredictCall) -> tuple[list[TaskPrediction], str] | None:
        """Return the same as ``predict`` if model, project and features are in memory or cached; else None, at once."""
        engine = self._wait(0.0)
        served = engine.in_memory(call.project) if engine else None
        if engine is None or served is None:
            return None
        known = self._recent(str(call.project)) or self._known.get(str(call.project))
        if known is None:
            return None
        try:
            config = self._config_of(call, known)
        except ConfigError:
            return None
        question = self._question(call, config)
        answered = engine.answers.kept(question, served)
        if answered is None:
            return None
        self._follow_answers(question, answered, engine)
        return answered.results, served.version

    def webhook(self, body: Mapping[str, Any], connection: str) -> str | None:
        """Make an event durable, then wake the worker for what the event makes necessary.

        Returns the job's name for a training request, else None. Raises BadEventError for a body that is no webhook,
        and JournalError when the event could not be made durable.
        """
        event = events.parse(body, connection)
        self.metrics.events.labels(event.action or "unknown").inc()
        try:
            self.store.journal.record(event.change, timeout=JOURNAL_SECONDS)
        finally:
            # Also after an error: the journal may still store the event, and its work must not wait for the timer.
            job = self._follow_event(event.action, event.project)
        return job

    def degraded(self, connection: str) -> list[str]:
        """Return why labels of one Label Studio may be late, without names: /health asks for no credentials here."""
        late = Counter(
            trouble.name for key, trouble in self.webhooks.troubles.items() if key.startswith(f"{connection}/")
        )
        return [f"webhooks of {count} projects: {name} (/status says which)" for name, count in sorted(late.items())]

    def versions(self, connection: str) -> list[str]:
        """Return all versions of all projects of a connection: Label Studio's request names no project."""
        keys = [entry.key for entry in self.store.projects.all() if entry.key.startswith(f"{connection}/")]
        return list(dict.fromkeys(entry.version for key in keys for entry in self.store.versions.list(key)))

    def config(self, xml: str, industry_keys: tuple[str, ...] = ()) -> LabelConfig:
        """Return the parsed labelling config, with the project's industry keys, else with those of the settings.

        Raises ConfigError, which says what to change.
        """
        keys = industry_keys or self.settings.tasks.industry_keys
        return self._configs.made((xml, keys), len(xml), lambda: LabelConfig.parse(xml, keys))

    def _recent(self, key: str) -> Project | None:
        """Return the project as it was read a moment ago, and have it read again in time; None if it was not read."""
        if self._known.is_due(key):
            self._waker.ask("read the project", key, partial(self._known.get, key))
        return self._known.recent(key)

    def _config_of(self, call: PredictCall, known: Project | None) -> LabelConfig:
        xml = call.label_config or (known.label_config if known else "")
        return self.config(xml, known.industry_keys if known else ())

    def _question(self, call: PredictCall, config: LabelConfig) -> Question:
        end = call.began + self.settings.serving.predict_budget
        return Question(call.project, config, call.tasks, self._deadline(call), end, call.context)

    def _deadline(self, call: PredictCall) -> float:
        return call.began + self.settings.serving.predict_budget * READING_SHARE

    def _follow_answers(self, question: Question, answered: Answered, engine: Engine) -> None:
        """Store the tasks in another thread, and wake the worker for pictures that are still unread."""
        if question.context is None:
            key = str(question.project)
            engine.remember(question, answered)
            self._learner.learn(key, [task.payload() for task in question.tasks])
            if answered.unread:
                errand = f"unread {sorted(answered.unread)}"
                self._waker.ask(errand, key, partial(note_unread, self.store, key, answered.unread))
            if answered.unfinished:
                self._wake(question.project, "encode", self._dependencies.encode)

    def _wait(self, seconds: float) -> Engine | None:
        """Return the engine, or None if it is not loaded within ``seconds`` or has failed to load."""
        try:
            return self.engine.result(seconds)
        except NotYet:
            return None
        except Exception:
            # The loading thread has logged the reason once; it is not repeated for each request.
            return None

    def _empty(self, tasks: Sequence[TaskIn], reason: str) -> list[TaskPrediction]:
        LOG.error("tasks answered empty", tasks=len(tasks), reason=reason)
        self.metrics.tasks.labels("empty").inc(len(tasks))
        return [TaskPrediction(result=[], score=0.0, model_version=NO_VERSION) for _ in tasks]

    def _learn_project(
        self, project: ProjectKey, config: LabelConfig, industry_keys: tuple[str, ...], known: Project | None
    ) -> bool:
        """Store the project and wake the worker. Return whether project, labelling config or industry keys are new.

        ``known`` is the project as the caller has read it: each further look at a locked database takes half a second.
        Returns False also while the database is away: Label Studio calls /setup before every task, so a later call
        stores them.
        """
        key, xml = str(project), config.xml
        if known is not None and (known.label_config, known.industry_keys) == (xml, industry_keys):
            return False
        try:
            self.store.projects.ensure(key, xml)
            self.store.projects.set_industry_keys(key, industry_keys)
        except SQLAlchemyError as error:
            LOG.error("the labelling config cannot be noted yet", project=key, error=str(error))
            return False
        # This keeps the project in memory for times when the database is away.
        self._known.get(key)
        if known is None:
            LOG.info("a new project", project=key)
            self._wake(project, "reconcile", self._dependencies.reconcile)
        else:
            LOG.info("a new labelling config", project=key)
            self._wake(project, "train", self._dependencies.train)
        told = dict(islice(self.labels_told(key, config).items(), LABELS_LOGGED))
        LOG.info("what the labels are taken for", project=key, labels=told)
        if config.left_out:
            LOG.warning("controls are left to the annotator", project=key, controls=list(config.left_out))
        self._wake(project, "encode", self._dependencies.encode)
        return True

    def labels_told(self, key: str, config: LabelConfig) -> dict[str, str]:
        """Return for people what each of a project's labels is taken for, and by what."""
        guesses = labels.guesses(self.settings.paths.checkpoints, key, self.lexicon, config.names)
        return names.told(self.lexicon, config.names, guesses)

    def webhook_told(self, key: str) -> tuple[str, float]:
        """Return what is wrong with a project's webhook, in words, and when it was last switched on again, or 0."""
        trouble, state = self.webhooks.troubles.get(key), self.webhooks.states.get(key)
        return trouble.words if trouble else "", state.switched_on_at if state else 0.0

    def _tell(self, key: str) -> None:
        """Log what is known about a project's pictures that are missing."""
        project = self.store.projects.get(key)
        for line in picture_lines(self.store, project) if project else ():
            LOG.warning("pictures", project=key, reason=line)

    def _follow_event(self, action: Action | None, project: ProjectKey) -> str | None:
        """Wake the worker for an event. Return the job's name for a training request, else None."""
        if action is Action.START_TRAINING:
            return self._start_training(project)
        if action is not None and action.changes_gold:
            self._wake(project, "train", self._dependencies.train)
        elif action is Action.TASKS_CREATED:
            # A reconcile is due too. The journal has recorded that, and the timer wakes the worker for it.
            self._wake(project, "encode", self._dependencies.encode)
        elif action is Action.PROJECT_UPDATED:
            self._wake(project, "train if due", self._train_if_due)
        return None

    def _wake(
        self, project: ProjectKey, errand: str, run: Callable[[str], object], *, is_certain: bool = False
    ) -> None:
        """Run an errand in another thread if Label Studio has the project; see ``Presence.when_there``."""
        key = str(project)
        then = partial(self._waker.ask, errand, key, partial(run, key))
        self._presence.when_there(project, errand, then, is_certain=is_certain)

    def _start_training(self, project: ProjectKey) -> str:
        """Request a training, and return the job's name, or "" when the database cannot note it.

        A project that has requested too many trainings in a minute gets a reconcile only, which starts a training if it
        finds new gold labels.
        """
        key = str(project)
        allowed = self._training.allow(key)
        try:
            if allowed:
                note_training(self.store, key)
            else:
                self.store.projects.request_reconcile(key)
        except SQLAlchemyError as error:
            # The journal could not store the event either, so /webhook answers with an error.
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
        """Wake the worker for a training if the project has gold labels that no training has used."""
        project = self.store.projects.get(key)
        if project is not None and project.has_new_gold:
            self._dependencies.train(key)
            self._dependencies.encode(key)
