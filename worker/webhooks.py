"""The backend's watch over webhooks: one that is off is switched on, and what else keeps labels away is told.

Label Studio switches a webhook off by itself after 50 failures in a row, and then no label arrives. Nobody can see who
switched it off, so a rule decides (docs/decisions/0057-observability.md): the first time it is switched on; off again
within LEAVE_S it was meant, and it is left.
"""

import logging
import math
import os
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from labelstudio.api import LabelStudioClient, LabelStudioError
from labelstudio.project import ProjectKey
from labelstudio.sites import Sites
from labelstudio.webhooks import bearer_of, fault, has_secret, place_of, secrets_of, target_of
from store.database import is_over
from store.projects import Project
from store.store import Store
from store.webhooks import WebhookState
from tagloom_base import clock
from tagloom_base.settings import Settings
from worker import queue
from worker.measures import SWITCHED_ON, count

LOG = logging.getLogger(__name__)

# Seconds between two looks. A look is one request to each Label Studio, however many projects it has.
EVERY_S = 15.0
# Seconds for which the URLs of a project's ML backends are remembered: Label Studio asks each backend to list them. If
# no webhook leads there, they are looked up again after AGAIN_S.
REMEMBERED_S, AGAIN_S = 600.0, 60.0
# Most projects whose URLs one look asks for.
ASKED = 10
# Seconds for which a Label Studio that did not answer is not asked.
AWAY_S = 45.0
# A webhook that is off again so many seconds after it was switched on is left off.
LEAVE_S = 3600.0

OFF, LEFT_OFF, MISSING, INCOMPLETE, SILENT, COMPARING = (
    "off",
    "left off",
    "missing",
    "incomplete",
    "silent",
    "comparing",
)
TROUBLES = (OFF, LEFT_OFF, MISSING, INCOMPLETE, SILENT, COMPARING)
"""What may be wrong with a project's webhook; the values of a metric's label."""

_PLACE = "in its Settings → Webhooks"
_WORDS = {
    LEFT_OFF: "its webhook was off again within an hour of being switched on, so it is left off: switch it on "
    f"{_PLACE}, or disconnect the model if no label shall come",
    MISSING: f"it has no webhook to this backend: add its URL with /webhook at the end {_PLACE}",
}


class Trouble(NamedTuple):
    """What keeps a project's labels away: one of TROUBLES, and words for people."""

    name: str
    words: str


def trouble_of(state: WebhookState, started: float) -> Trouble | None:
    """Return what is wrong with a webhook, as far as a backend can say that runs since ``started``; None if nothing."""
    if state.trouble:
        return Trouble(state.trouble, state.words)
    # What was missed while no backend ran says nothing about webhooks now.
    if state.missed and state.missed_until > started:
        return Trouble(
            SILENT,
            f"{state.missed} labels came that no webhook told, and no webhook has come since: see that Label Studio "
            f"reaches this backend (its log says why not), and correct the URL {_PLACE}",
        )
    if not state.is_compared:
        return Trouble(COMPARING, "its webhook was off and was switched on; missed labels are being fetched")
    return None


@dataclass
class _Remembered:
    """The URLs to which a project's own webhooks lead, and the `clock.monotonic` at which they were looked up."""

    targets: frozenset[str]
    at: float

    def own(self, hooks: Sequence[Mapping[str, Any]], project: int) -> list[Mapping[str, Any]]:
        """Return the webhooks that lead there. One without a project sends the events of all projects."""
        return [hook for hook in hooks if place_of(hook) in self.targets and hook.get("project") in (project, None)]


@dataclass
class WebhookWatch:
    """A thread that looks every EVERY_S seconds while the block runs. Every backend has one, and one of them acts.

    ``troubles`` maps each project to what is wrong with its webhook, for answers that must not wait for the database.
    """

    settings: Settings
    store: Store
    sites: Sites
    troubles: Mapping[str, Trouble] = field(default_factory=dict)
    states: Mapping[str, WebhookState] = field(default_factory=dict)
    _holder: str = field(default_factory=lambda: f"{os.uname().nodename}:{os.getpid()}:{uuid.uuid4().hex}")
    _targets: dict[str, _Remembered] = field(default_factory=dict)
    _away: dict[str, float] = field(default_factory=dict)
    # Connection → why it could not be looked at last; each reason is logged once.
    _told: dict[str, str] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "WebhookWatch":
        self._started = self.store.now()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            self.look()

    def look(self) -> None:
        """Look at all webhooks once, if no other backend does, and learn what is wrong. Errors are logged."""
        try:
            # Not released: it expires shortly before the next look.
            if self.store.leases.acquire("webhooks", self._holder, EVERY_S * 0.9):
                self._look_at_all()
            self.states = self.store.webhooks.all()
            found = {key: trouble_of(state, self._started) for key, state in self.states.items()}
        # No error may end the thread: without it, a webhook that is off would stay off.
        except Exception:
            LOG.exception("webhooks: this look failed, the next one follows")
            return
        now = {key: trouble for key, trouble in found.items() if trouble}
        for key, trouble in now.items():
            # That it was switched on is logged where that is done.
            if self.troubles.get(key) != trouble and trouble.name != COMPARING:
                LOG.warning("webhook of %s: %s", key, trouble.words, extra={"project": key})
        for key in self.troubles.keys() - now.keys():
            LOG.info("webhook of %s: all is well again", key, extra={"project": key})
        self.troubles = now

    def _look_at_all(self) -> None:
        projects: dict[str, list[Project]] = {}
        for project in self.store.projects.all():
            if not project.gone_at:
                projects.setdefault(ProjectKey.parse(project.key).connection, []).append(project)
        states = self.store.webhooks.all()
        asked = 0
        for connection, together in projects.items():
            if self._stop.is_set() or clock.monotonic() < self._away.get(connection, 0.0):
                continue
            # Of a Label Studio that is not configured (any more) nothing can be seen.
            if connection not in self.sites.names or not (client := self.sites.client(connection)).connection.url:
                continue
            try:
                hooks = client.webhooks()
                for project in together:
                    if self._stop.is_set():
                        return
                    known = self._targets.get(project.key)
                    own = known.own(hooks, ProjectKey.parse(project.key).id) if known else []
                    age = clock.monotonic() - known.at if known else math.inf
                    if age >= (REMEMBERED_S if own else AGAIN_S) and asked < ASKED:
                        asked += 1
                        known = _Remembered(self._own_targets(client, project), clock.monotonic())
                        self._targets[project.key] = known
                        own = known.own(hooks, ProjectKey.parse(project.key).id)
                    if known is not None:
                        state = states.get(project.key, WebhookState())
                        # A project without targets is not connected to this backend (any more).
                        found = self._judged(client, project, own, state) if known.targets else Trouble("", "")
                        if (state.trouble, state.words) != found:
                            self.store.webhooks.note(project.key, *found)
            except LabelStudioError as error:
                self._away[connection] = clock.monotonic() + AWAY_S
                if self._told.get(connection) != str(error):
                    LOG.warning("webhooks of %s cannot be looked up: %s", connection, error)
                self._told[connection] = str(error)
            else:
                self._told.pop(connection, None)

    def _own_targets(self, client: LabelStudioClient, project: Project) -> frozenset[str]:
        """Return the URLs of the webhooks that belong to the project's connections to this backend.

        Without a URL secret, an ML backend is this one if Label Studio has one of this project's versions from it.
        """
        key = ProjectKey.parse(project.key)
        secrets = secrets_of(self.settings.access, self.settings.studios, key.connection)
        try:
            backends = client.backends(key.id)
        except LabelStudioError as error:
            if error.is_away:
                raise
            # The project was deleted, or the token may not see it: reconcile says so.
            return frozenset()
        versions = {entry.version for entry in self.store.versions.list(project.key)}
        return frozenset(
            target_of(one)
            for one in backends
            if (has_secret(one, secrets) if secrets else str(one.get("model_version")).partition("+")[0] in versions)
        )

    def _judged(
        self, client: LabelStudioClient, project: Project, own: Sequence[Mapping[str, Any]], state: WebhookState
    ) -> Trouble:
        """Return what is wrong with a connected project's own webhooks, after one that is off was switched on."""
        if not own:
            return Trouble(MISSING, _WORDS[MISSING])
        if active := [hook for hook in own if hook.get("is_active", True)]:
            connection = ProjectKey.parse(project.key).connection
            header = bearer_of(self.settings.access, self.settings.studios, connection)
            faults = [fault(hook, header) for hook in active]
            return Trouble("", "") if "" in faults else Trouble(INCOMPLETE, f"it {faults[0]}")
        was_recent = not is_over(self.store.now(), state.switched_on_at + LEAVE_S, LEAVE_S)
        if state.trouble == LEFT_OFF or was_recent:
            return Trouble(LEFT_OFF, _WORDS[LEFT_OFF])
        return self._switch_on(client, project, own[0])

    def _switch_on(self, client: LabelStudioClient, project: Project, hook: Mapping[str, Any]) -> Trouble:
        """Switch a webhook on, and begin a reconcile, which finds what was missed."""
        try:
            client.switch_on_webhook(hook)
        except LabelStudioError as error:
            if error.is_away:
                raise
            return Trouble(OFF, f"its webhook is off and cannot be switched on ({error}): switch it on {_PLACE}")
        self.store.webhooks.note_switched_on(project.key)
        self.store.projects.request_reconcile(project.key, urgent=True)
        count(self.store, SWITCHED_ON)
        LOG.warning(
            "webhook of %s was off and is switched on: Label Studio switches one off after many failures; missed "
            "labels are fetched now",
            project.key,
            extra={"project": project.key},
        )
        queue.wake_reconcile(self.settings, project.key)
        return Trouble("", "")
