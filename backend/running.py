"""Start and end a service. Store and connections open at once; the models load in another thread."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import structlog
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from backend.loading import Loading
from backend.metrics import Metrics
from backend.service import Service
from backend.ties import Dependencies
from labelstudio.sites import Sites, connections_of
from model.boxes.described import RECENT
from model.encoders.kept import PLACES
from store.store import Store
from tagloom_base import logs
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings
from worker.asking.opening import leaving
from worker.encoders import settled
from worker.lexicon import read_lexicon
from worker.queue import require_redis
from worker.timer import Timer
from worker.webhooks import WebhookWatch

LOG = structlog.stdlib.get_logger(__name__)

# Seconds that a request waits for a locked database. Then it is answered, and its writes are made later.
PATIENCE_S = 0.5


def require_startable(settings: Settings) -> None:
    """Raise UserError when `running` would fail: where a server is starting, that would become a traceback."""
    read_lexicon(settings.training.lexicon)
    Sites(settings.studios, settings.pictures).close()
    store = Store.open(settings.paths.database, PATIENCE_S)
    try:
        store.require_writable()
    except OperationalError as error:
        # The disk is full or the database is locked: answers are given all the same.
        LOG.warning("the database takes nothing for now", error=str(error.orig))
    finally:
        store.close()


def warn_of_missing(settings: Settings) -> None:
    """Log what a backend can start without, and what will not work until it is there."""
    if not any(connection.url for connection in connections_of(settings.studios).values()):
        LOG.warning(
            "no Label Studio is configured: set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY, or its pictures and the "
            "labels of lost webhooks can't be fetched"
        )
    if sentence := leaving(settings.sources):
        LOG.warning(sentence)
    try:
        require_redis(settings.work.redis_url)
    except UserError as away:
        LOG.warning("nothing is read ahead or trained until the queue answers", reason=str(away))


@contextmanager
def running(
    settings: Settings, dependencies: Dependencies, metrics: Metrics, settle: Callable[[], object] = lambda: None
) -> Iterator[Service]:
    """Yield the service. When the block ends, do the work that still waits and close everything.

    ``settle`` is called when the models are loaded, before the service uses them.
    Raises UserError for a lexicon that cannot be used.
    """
    logs.guard(settings.secrets)
    # The result is unused: a wrong lexicon must be reported before anything starts.
    read_lexicon(settings.training.lexicon)
    store = Store.open(settings.paths.database, PATIENCE_S)
    named = settings
    try:
        named = settled(settings, store.encoders)
        # Webhooks may have been lost while no backend ran.
        for project in store.projects.all():
            if not project.gone_at:
                store.projects.request_reconcile(project.key)
        # A setting may have been changed that kept pictures from being read.
        store.pictures.hasten()
    except (SQLAlchemyError, UserError) as error:
        # The disk is full or the database is locked. The backend starts all the same, because answers write nothing.
        LOG.error("the database takes nothing; comparing with Label Studio waits for its time", error=str(error))
    sites = Sites(settings.studios, settings.pictures)
    webhooks = WebhookWatch(named, store, sites)
    service, timer = Service(named, store, sites, metrics, dependencies, webhooks), Timer(named, store)
    loading = Loading(settings, service, timer, sites, dependencies, settle)
    try:
        with (
            loading, closing(service), timer, webhooks,
            RECENT.kept_in(settings.paths.descriptions), PLACES.kept_in(settings.paths.ways),
        ):  # fmt: skip
            yield service
    finally:
        sites.close()
        store.close()
