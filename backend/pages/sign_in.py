"""Signing in with one's own token of Label Studio, and signing out."""

import secrets

import structlog
from fastapi import Response

from backend.pages.accounts import Refused
from backend.pages.frame import SignedOut, Visit
from backend.pages.sessions import COOKIE, FORM_COOKIE, SECONDS, begun, form_token
from labelstudio.api import LabelStudioError

LOG = structlog.stdlib.get_logger(__name__)

# The longest token that is tried; personal access tokens have some 300 characters.
LONGEST = 4_000
REASONS = ("expired", "refused")


def form(visit: Visit) -> Response:
    """Return the sign-in page; lead a person who is signed in to the overview."""
    if visit.session is not None:
        return visit.lead("./")
    why = visit.request.query_params.get("why", "")
    return _form(visit, f"why_{why}" if why in REASONS else "")


def sign_in(visit: Visit) -> Response:
    """Begin a session for whoever sends a valid token, and lead to the overview."""
    visit.require_form(visit.form_cookie)
    # A token that was copied often has white space around it.
    connection, token = visit.form.get("connection", ""), visit.form.get("token", "").strip()
    pages = visit.pages
    if connection not in pages.accounts.connections:
        return _form(visit, "choose_a_studio", 422)
    if not 0 < len(token) <= LONGEST:
        return _form(visit, "wrong_token", 422)
    if not pages.failures.begin(visit.client):
        LOG.warning("too many failed attempts to sign in", client=visit.client)
        return _form(visit, "too_often", 429)
    try:
        person = pages.accounts.person(connection, token)
    except Refused:
        LOG.warning("a person failed to sign in", client=visit.client, connection=connection)
        return _form(visit, "wrong_token", 403)
    except LabelStudioError as error:
        pages.failures.take_back(visit.client)
        return _form(visit, "studio_away", 503, str(error))
    pages.failures.succeed(visit.client)
    session = begun(pages.service.store.sessions, connection, person, token)
    LOG.info("a person signed in", person=person, connection=connection)
    response = visit.lead("./")
    visit.keep(response, COOKIE, session.id, SECONDS)
    visit.drop(response, FORM_COOKIE)
    return response


def sign_out(visit: Visit) -> Response:
    """End the session, and lead to the sign-in page."""
    if visit.session is None:
        raise SignedOut
    visit.require_form(visit.session.id)
    visit.pages.service.store.sessions.end(visit.session.hash)
    visit.pages.accounts.forget(visit.session)
    response = visit.lead("sign-in")
    visit.drop(response, COOKIE)
    return response


def _form(visit: Visit, why: str, status: int = 200, detail: str = "") -> Response:
    cookie = visit.form_cookie or secrets.token_urlsafe(32)
    # The secret in the address names a connection, which is then the likely choice.
    likely = visit.request.state.connection
    response = visit.page(
        "sign_in.html.jinja",
        status,
        form_token=form_token(cookie),
        connections=list(visit.pages.accounts.connections),
        likely=visit.form.get("connection") or likely,
        why=why,
        detail=detail,
    )
    visit.keep(response, FORM_COOKIE, cookie)
    return response
