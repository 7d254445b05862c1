"""Load the models in a thread of their own, and load them anew when the home's encoders have been changed.

The old models serve until the new ones are loaded, and a request that they have begun is answered by them.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import SQLAlchemyError

from backend.engine import Engine
from backend.service import Service
from backend.ties import Dependencies
from labelstudio.sites import Sites
from tagloom_base.errors import UserError
from tagloom_base.groups import EncoderSettings
from tagloom_base.settings import Settings
from worker.encoders import settled
from worker.shared_settings import with_encoders
from worker.timer import Timer

LOG = structlog.stdlib.get_logger(__name__)

# Seconds between two looks at the encoders that the home keeps.
LOOK_S = 3.0


@dataclass
class Loading:
    """The thread that gives a service its models. ``settings`` are those of the environment, with ``auto``.

    ``settle`` is called before the first models are given to the service: what it does would delay answers afterwards.
    """

    settings: Settings
    service: Service
    timer: Timer
    sites: Sites
    dependencies: Dependencies
    settle: Callable[[], object]
    _stop: threading.Event = field(default_factory=threading.Event)
    # The encoders that were loaded last, or could not be loaded.
    _tried: EncoderSettings | None = None

    def __enter__(self) -> None:
        self._thread = threading.Thread(target=self._run, name="loading", daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self.service.engine.exception() is None:
            self.service.engine.result().close()

    def _run(self) -> None:
        first = self.service.engine
        try:
            engine = self._loaded(settled(self.settings, self.service.store.encoders))
            self.settle()
            first.set_result(engine)
        except Exception as error:
            # /health reports it; the operator has to change the encoders, or the settings and restart.
            LOG.error("the models cannot be loaded: no predictions until this is put right", error=str(error))
            first.set_exception(error)
        while not self._stop.wait(LOOK_S):
            self._look()

    def _loaded(self, settings: Settings) -> Engine:
        """Load the encoders of these settings, which are settled."""
        self._tried = settings.encoders
        engine = Engine(settings, self.service.store, self.sites, self.service.metrics, self.dependencies)
        self.service.shared = self.timer.shared = with_encoders(self.service.shared, settings)
        return engine

    def _look(self) -> None:
        """Load the home's encoders if they are others than those that were tried last."""
        try:
            settings = settled(self.settings, self.service.store.encoders)
        except (SQLAlchemyError, UserError):
            # The database is away or takes nothing now: the next look comes soon.
            return
        if settings.encoders == self._tried:
            return
        try:
            engine = self._loaded(settings)
        except Exception as error:
            LOG.error("the changed encoders cannot be loaded, the old ones serve on", error=str(error))
            return
        old, new = self.service.engine, Future[Engine]()
        new.set_result(engine)
        self.service.engine = new
        LOG.info("the home's encoders were changed: all pictures are read and encoded anew")
        if old.exception() is None:
            self._stop.wait(self.settings.serving.predict_budget)
            old.result().close()
