"""The frame of all pages: who asks, in which language, what is rendered, and the headers that guard it."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

import structlog
from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy.exc import SQLAlchemyError

from backend.pages.accounts import Account, Accounts, Refused
from backend.pages.failures import Failures
from backend.pages.pictures import Pictures
from backend.pages.review_writing import Writer
from backend.pages.sessions import COOKIE, FORM_COOKIE, Session, form_token, hash_of, opened
from backend.pages.texts import Texts, language_of
from backend.pages.times import Times
from backend.pages.uploads import Uploads
from labelstudio.api import LabelStudioError
from labelstudio.sites import connections_of
from store.projects import Project
from store.tasks import Task

if TYPE_CHECKING:
    from backend.service import Service

LOG = structlog.stdlib.get_logger(__name__)

FILES = {"style.css": "text/css", "script.js": "text/javascript", "review.js": "text/javascript"}
"""What the pages load besides themselves → its type."""
LONGEST_ID = 18  # digits of a task's id
HEADERS = {
    # No inline script or style, nothing from other hosts, no page inside another site's.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    # The address may hold the URL's secret.
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class NotThere(Exception):  # noqa: N818 - it says what happened
    """What the address names does not exist, or is not for this account; nobody can tell which."""


class Waits(Exception):  # noqa: N818 - it says what happens
    """The answer has to wait for others. It is asked for again in threads that may wait, so that no page waits too."""


class SignedOut(Exception):  # noqa: N818 - it says what happened
    """The page needs a person, and nobody is signed in. ``why`` names a text of the sign-in page."""

    def __init__(self, why: str = "") -> None:
        super().__init__(why)
        self.why = why


class OldForm(Exception):  # noqa: N818 - it says what happened
    """A form came without the right token: it was opened before the session, or comes from another site."""


@dataclass(frozen=True)
class Pages:
    """What the pages of one backend share."""

    service: "Service"
    accounts: Accounts
    pictures: Pictures
    writer: Writer
    failures: Failures = field(default_factory=Failures)
    uploads: Uploads = field(default_factory=Uploads)

    @classmethod
    def of(cls, service: "Service") -> "Pages":
        """Return the pages of a service."""
        accounts = Accounts(connections_of(service.settings.studios))
        return cls(service, accounts, Pictures(service.sites), Writer(service.store, accounts))

    def close(self) -> None:
        """End what still writes."""
        self.writer.close()

    def answer(self, visit: "Visit", work: "Callable[[Visit], Response]") -> Response:
        """Return the page that ``work`` makes, or one that says why there is none, with the headers that guard it.

        Raises Waits where ``work`` does.
        """
        try:
            response = work(visit)
        except Waits:
            raise
        except SignedOut as out:
            response = visit.lead(f"sign-in?why={out.why}" if out.why else "sign-in")
        except NotThere:
            response = visit.problem(404, "not_there", "not_there_advice")
        except OldForm:
            response = visit.problem(403, "old_form", "old_form_advice")
        except LabelStudioError as error:
            LOG.warning("a page needs Label Studio, which does not answer", reason=str(error))
            response = visit.problem(503, "studio_away", "studio_away_advice", str(error))
        except SQLAlchemyError as error:
            LOG.error("a page needs the database, which is away or locked", error=str(error))
            # Nobody can be recognised without it.
            vars(visit)["session"] = None
            response = visit.problem(503, "database_away", "database_away_advice")
        except Exception as error:
            LOG.error("a page failed", path=visit.request.url.path, error=repr(error), exc_info=error)
            response = visit.problem(500, "failed", "failed_advice")
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response


@dataclass(frozen=True)
class Visit:
    """One request to the pages: what it asks for, and the form that it sent, if any, with its files."""

    pages: Pages
    request: Request
    form: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)

    @cached_property
    def text(self) -> Texts:
        """The texts in the language of the browser."""
        return Texts(language_of(self.request.headers.get("accept-language", "")))

    @cached_property
    def session(self) -> Session | None:
        """The session of the person who asks; None if nobody is signed in."""
        return opened(self.pages.service.store.sessions, self.cookie)

    @property
    def cookie(self) -> str:
        """The session's cookie, valid or not."""
        return self.request.cookies.get(COOKIE, "")

    @property
    def client(self) -> str:
        """The address that asks."""
        return self.request.client.host if self.request.client else ""

    @property
    def is_secure(self) -> bool:
        """Whether the request came by https, to this server or to a proxy before it."""
        return self.request.url.scheme == "https"

    @property
    def turn(self) -> str:
        """Whose turn this request takes at the threads: a session's, or that of an address without one."""
        return hash_of(self.cookie) if self.cookie else self.client

    @cached_property
    def person(self) -> Session:
        """The session of the person who asks. Raises SignedOut if nobody is signed in."""
        if self.session is None:
            raise SignedOut("expired" if self.cookie else "")
        return self.session

    @cached_property
    def account(self) -> Account:
        """What the person's account sees. Raises SignedOut where its token is not valid any more."""
        try:
            return self.pages.accounts.of(self.person)
        except Refused:
            self.pages.service.store.sessions.end(self.person.hash)
            raise SignedOut("refused") from None

    def projects(self) -> list[Project]:
        """Return the projects of the store that the account sees."""
        seen = self.account.projects
        return [project for project in self.pages.service.store.projects.all() if project.key in seen]

    def project(self) -> Project:
        """Return the project that the address or the form names. Raises NotThere."""
        key = f"{self.person.connection}/{self.asked('id')}"
        project = self.pages.service.store.projects.get(key) if key in self.account.projects else None
        if project is None:
            raise NotThere
        return project

    def task(self, project: Project) -> Task:
        """Return the task of a project that the address or the form names. Raises NotThere."""
        asked = self.asked("task")
        number = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) <= LONGEST_ID else 0
        task = self.pages.service.store.tasks.some(project.key, [number]).get(number)
        if task is None:
            raise NotThere
        return task

    def title(self, project: Project) -> str:
        """Return a project's title, as Label Studio has it now."""
        return self.account.projects.get(project.key) or project.title or project.key

    def asked(self, name: str) -> str:
        """Return a value of the form, else of the address; empty if there is none."""
        return self.form.get(name) or self.request.query_params.get(name, "")

    def require_form(self, cookie: str) -> None:
        """Raise OldForm unless the form holds the token that belongs to a cookie."""
        sent = self.form.get("form_token", "").encode("utf-8", "surrogateescape")
        if not cookie or not hmac.compare_digest(sent, form_token(cookie).encode()):
            raise OldForm

    def page(self, template: str, status: int = 200, **values: object) -> Response:
        """Return a page of `rendered`."""
        return HTMLResponse(self.rendered(template, **values), status)

    def rendered(self, template: str, **values: object) -> str:
        """Return a filled template, which gets the visit, the texts, and these values."""
        names = {
            "visit": self,
            "t": self.text,
            "when": Times(self.text.language, self.pages.service.store.now),
            "stamps": _stamps(),
            **values,
        }
        if self.session:
            names["form_token"] = form_token(self.session.id)
        return _environment().get_template(template).render(names)

    def problem(self, status: int, title: str, advice: str, detail: str = "") -> Response:
        """Return a page that says what is wrong, and what to do."""
        return self.page("problem.html.jinja", status, title=self.text(title), advice=self.text(advice), detail=detail)

    def lead(self, place: str) -> Response:
        """Lead the browser to another page, by an address that is relative: it keeps host, prefix and secret."""
        return RedirectResponse(place, 303)

    def keep(self, response: Response, name: str, value: str, seconds: int | None = None) -> None:
        """Set a cookie for the folder of this page. Without ``seconds`` it ends with the browser."""
        response.set_cookie(
            name, value, max_age=seconds, path=None, secure=self.is_secure, httponly=True, samesite="strict"
        )

    def drop(self, response: Response, name: str) -> None:
        """Let the browser forget a cookie."""
        response.set_cookie(name, "", max_age=0, path=None, secure=self.is_secure, httponly=True, samesite="strict")

    @property
    def form_cookie(self) -> str:
        """The cookie that ties the sign-in form to the browser; empty before the first visit."""
        return self.request.cookies.get(FORM_COOKIE, "")


def content_of(name: str) -> bytes:
    """Return a file of `FILES`."""
    return files("backend.pages").joinpath(name).read_bytes()


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("backend.pages", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@lru_cache(maxsize=1)
def _stamps() -> dict[str, str]:
    """Return a short hash of each file, which makes browsers load a new one."""
    return {name: hashlib.sha256(content_of(name)).hexdigest()[:8] for name in FILES}
