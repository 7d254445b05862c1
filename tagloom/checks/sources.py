"""Checks of the sources that others wrote: that they can be loaded, what went wrong with them, and what they cost."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx

from tagloom.checks.finding import Finding, good, wrong
from tagloom.checks.projects import looked_up
from tagloom_base.groups import SourceSettings
from tagloom_base.redaction import redacted
from tagloom_base.settings import Settings

if TYPE_CHECKING:
    from store.sources import Noted

SECONDS = 5.0
# What to do about each kind of trouble that the workers have noted. The others say it themselves.
_MENDING = {
    "raises": "mend it and raise its version, and its items are shown to it again",
    "takes too long": "make it faster, or raise TAGLOOM_SOURCE_SECONDS; then raise its version",
    "ends its process": "mend it, or raise TAGLOOM_SOURCE_MEMORY_MB; then raise its version",
    "rests": "mend what its other lines name",
}
# Troubles of single answers, of which the rest is used.
_PARTIAL = ("answers nonsense", "answers for other labels", "answers odd boxes", "refuses", "lacks a picture")


def sources(settings: Settings) -> Iterator[Finding]:
    """Load the sources in child processes, ask the vision model's server for its models, and tell what was noted."""
    from sources.answers import SourceTrouble
    from sources.places import places
    from sources.process import SourceProcess, loaded
    from worker.asking.opening import are_configured, leaving, limits_of

    own = settings.sources
    if not are_configured(own):
        yield good("none of others")
        return
    for place in places(own.sources):
        process = SourceProcess(place, limits_of(own))
        try:
            found = loaded(process, place, frozenset())
            yield good(f"{place.shown}: {', '.join(f'{one.name} (version {one.version})' for one in found)}")
        except SourceTrouble as trouble:
            yield wrong(f"{place.shown} {trouble.kind} ({trouble.text}): mend it, or take it away")
        finally:
            process.close()
    if own.vision_url:
        yield good(leaving(own))
        yield _server(own)
    with looked_up(settings) as store:
        noted = store.sources.all()
    for one in noted:
        if one.version:
            yield good(f"{one.name}: {_used(one)}")
        for kind, text in one.troubles.items():
            if kind != "cannot be loaded":
                mending = f": {_MENDING[kind]}" if kind in _MENDING else ""
                line = f"{one.name} {kind} ({redacted(text)}; {one.times[kind]} times){mending}"
                yield Finding(kind in _PARTIAL, line)


def _server(own: SourceSettings) -> Finding:
    """Ask the server for its list of models, which costs nothing."""
    key = own.vision_key.get_secret_value()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx.get(f"{own.vision_url}/models", headers=headers, timeout=SECONDS)
    except httpx.HTTPError as error:
        return wrong(
            f"{own.vision_url} does not answer ({type(error).__name__}): start it, or correct TAGLOOM_VISION_URL"
        )
    if answer.status_code in (401, 403):
        return wrong(f"{own.vision_url} refuses the key ({answer.status_code}): correct TAGLOOM_VISION_KEY")
    return good(f"{own.vision_url} answers")


def _used(one: "Noted") -> str:
    """Return where a source comes from, and what it has used of how much."""
    used = {"requests": one.spent.requests, "tokens": one.spent.tokens, "money": round(one.spent.money, 4)}
    parts = [f"{count:g} of {one.about.get(what, 'any')} {what}" for what, count in used.items()]
    return f"from {one.about['from']}" + (f"; used {', '.join(parts)}" if one.spent.requests else "")
