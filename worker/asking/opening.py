"""The sources of others as these settings name them: opened for a round, and told of in log and store."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from sqlalchemy.exc import SQLAlchemyError

from labelstudio.reachability import trusted
from model.weak_supervision.sources import RESERVED
from sources.answers import Asked, Kind
from sources.answers import SourceTrouble as Trouble
from sources.places import places
from sources.process import Limits, SourceProcess, loaded
from sources.vision import Budget, Endpoint, VisionSource
from store.database import Database
from store.source_opinions import SourceOpinions
from store.sources import Sources
from tagloom_base import redaction
from tagloom_base.groups import SourceSettings
from tagloom_base.settings import Settings, is_setting

LOG = logging.getLogger(__name__)

# Seconds between two checks while a source waits for its turn.
POLL_S = 0.2


def are_configured(settings: SourceSettings) -> bool:
    """Return whether there is any source of others; nothing is imported for that."""
    return bool(settings.vision_url) or bool(places(settings.sources))


def leaving(settings: SourceSettings) -> str:
    """Return what leaves the house and to where, as a sentence; empty if nothing does."""
    if not settings.vision_url:
        return ""
    return (
        f"pictures, titles and industries of all projects are sent to {settings.vision_url} (TAGLOOM_VISION_URL), for "
        f"the opinion of {settings.vision_model}"
    )


def make_ready(settings: Settings) -> None:
    """Make a round due in every project, or silence sources that are not configured any more: a worker starts.

    No connection stays open, since RQ's worker forks afterwards. Raises UserError for a database that cannot be opened.
    """
    if sentence := leaving(settings.sources):
        LOG.warning("%s", sentence)
    database = Database(settings.paths.database)
    try:
        if are_configured(settings.sources):
            SourceOpinions(database).make_due()
        else:
            Sources(database).note_all({})
    except SQLAlchemyError as error:
        LOG.warning("the sources are asked later: %s", error)
    finally:
        database.close()


@contextmanager
def opened_sources(settings: Settings, noted: Sources, check: Callable[[], None]) -> Iterator[list[Asked]]:
    """Yield the sources, which end with the block. One that cannot be loaded is told of and left out.

    ``check`` is called several times a second while a source is waited for; what it raises ends the wait.
    """
    own = settings.sources
    found: list[Asked] = []
    broken: set[str] = set()
    with ExitStack() as stack:
        if own.vision_url:
            endpoint = VisionSource(_endpoint(own), noted, wait=_waiting(check), trust=trusted())
            stack.callback(endpoint.close)
            found.append(endpoint)
        for place in places(own.sources):
            process = SourceProcess(place, limits_of(own), check)
            stack.callback(process.close)
            try:
                found += loaded(process, place, frozenset({*RESERVED, *(one.name for one in found)}))
            except Trouble as trouble:
                broken.add(place.shown)
                tell(noted, place.shown, trouble.kind, trouble.text)
        noted.note_all({one.name: (one.version, one.about) for one in found}, broken)
        yield found


def limits_of(settings: SourceSettings) -> Limits:
    """Return what a source's process may use, and which variables it must not see: those of settings, with secrets."""
    hidden = frozenset(name for name in os.environ if is_setting(name))
    return Limits(settings.source_seconds, settings.source_memory_mb * 1_000_000, hidden)


def tell(noted: Sources, source: str, kind: Kind, text: str) -> None:
    """Count a trouble with a source, and log it if it is the first of its kind."""
    text = redaction.redacted(text)
    if noted.trouble(source, str(kind), text):
        LOG.warning("source %s %s: %s (said once; /status counts it)", source, kind, text)


def _endpoint(settings: SourceSettings) -> Endpoint:
    budget = Budget(
        settings.vision_requests,
        settings.vision_tokens,
        settings.vision_money,
        settings.vision_input_price,
        settings.vision_output_price,
    )
    return Endpoint(
        settings.vision_url,
        settings.vision_model,
        settings.vision_key.get_secret_value(),
        budget,
        settings.vision_requests_per_minute,
        settings.vision_seconds,
        settings.vision_side,
    )


def _waiting(check: Callable[[], None]) -> Callable[[float], None]:
    def wait(seconds: float) -> None:
        end = time.monotonic() + seconds
        check()
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, POLL_S))
            check()

    return wait
