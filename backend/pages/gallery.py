"""The gallery: the pictures of a project with what was answered and what people said, filtered and page by page."""

import math
from dataclasses import replace
from urllib.parse import urlencode

from fastapi import Response

from backend.pages.cards import answered, cards_of, config_of, overtaken
from backend.pages.frame import Visit
from store.gallery import Order, Place, Verdict, Wanted

MOST = 24  # pictures of a page
LONGEST_ID = 18  # digits of a task's id


def gallery(visit: Visit) -> Response:
    """Return a page of the gallery, by the filters in the address."""
    project, store = visit.project(), visit.pages.service.store
    version, before = answered(visit, project)
    config, wanted = config_of(visit, project), wanted_of(visit)
    places = store.gallery.page(project.key, version, wanted, MOST + 1, after_of(visit))
    more = places[MOST - 1] if len(places) > MOST else None
    shown = [place.task_id for place in places[:MOST]]
    filters = {"id": project.key.partition("/")[2], **asked_of(wanted)}
    return visit.page(
        "gallery.html.jinja",
        project=project,
        title=visit.title(project),
        version=version,
        newer=overtaken(visit, project, version),
        before=before,
        wanted=wanted,
        labels=config.labels if config else (),
        sources=store.gallery.sources(project.key, version),
        cards=cards_of(visit, project, version, shown, before if wanted.changed else ""),
        count=store.gallery.count(project.key, version, wanted),
        verdicts=list(Verdict),
        orders=list(Order),
        first=urlencode(filters) if visit.asked("after") else "",
        more=urlencode({**filters, "after": f"{more.score!r}:{more.task_id}"}) if more else "",
    )


def wanted_of(visit: Visit) -> Wanted:
    """Return what the address asks for; what it does not understand asks for nothing."""
    verdict, order = visit.asked("verdict"), visit.asked("order")
    wanted = Wanted(
        label=visit.asked("label"),
        low=_percent(visit.asked("from"), 0.0) / 100,
        high=_percent(visit.asked("to"), 100.0) / 100,
        source=visit.asked("source"),
        verdict=Verdict(verdict) if verdict in set(Verdict) else None,
        changed=bool(visit.asked("changed")),
    )
    group = visit.asked("alike")
    is_group = group.isascii() and group.isdecimal() and len(group) <= LONGEST_ID
    return replace(
        wanted,
        look_alike=int(group) if is_group else None,
        order=Order(order) if order in set(Order) else Order.LEAST_SURE,
    )


def asked_of(wanted: Wanted) -> dict[str, str]:
    """Return the address's part that asks for this again."""
    fields = {
        "label": wanted.label,
        "from": f"{100 * wanted.low:g}" if wanted.low > 0 else "",
        "to": f"{100 * wanted.high:g}" if wanted.high < 1 else "",
        "source": wanted.source,
        "verdict": wanted.verdict or "",
        "changed": "1" if wanted.changed else "",
        "alike": "" if wanted.look_alike is None else str(wanted.look_alike),
        "order": "" if wanted.order is Order.LEAST_SURE else str(wanted.order),
    }
    return {name: str(value) for name, value in fields.items() if value}


def after_of(visit: Visit) -> Place | None:
    """Return the picture after which the page begins; None for the first page, and for what is no such place."""
    score, _, task = visit.asked("after").partition(":")
    try:
        place = Place(float(score), int(task)) if len(task) <= LONGEST_ID else None
    except ValueError:
        return None
    return place if place and math.isfinite(place.score) else None


def _percent(text: str, otherwise: float) -> float:
    try:
        value = float(text)
    except ValueError:
        return otherwise
    return min(max(value, 0.0), 100.0) if math.isfinite(value) else otherwise
