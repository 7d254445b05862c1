"""The addresses of the pages, all in one folder: links between them are relative, so they work below any prefix."""

import asyncio
from collections.abc import Callable
from functools import partial
from urllib.parse import parse_qsl

from fastapi import APIRouter, HTTPException, Request, Response
from starlette.requests import ClientDisconnect

from backend.access import PAGES
from backend.bodies import received
from backend.pages import frame, sign_in
from backend.pages.done import (
    ask_to_remove,
    ask_to_take_back,
    continue_batch,
    done_now,
    done_page,
    remove_predictions,
    take_back,
)
from backend.pages.doubts import dismiss, doubts
from backend.pages.frame import FILES, Pages, Visit, Waits
from backend.pages.gallery import gallery
from backend.pages.now import now_of
from backend.pages.overview import overview
from backend.pages.picture import picture
from backend.pages.project import choose, project_page, question, version_page
from backend.pages.review import accept, review_page, strips
from backend.pages.sessions import COOKIE
from backend.pages.similar import find, similar_page, too_large
from backend.pages.task import task_page
from backend.pages.uploads import TooLarge, form_with_files

ROUTER = APIRouter(prefix=PAGES, include_in_schema=False)

# Bytes of a form, and the number of its fields.
FORM_BYTES, FIELDS = 16_000, 40


@ROUTER.get("")
async def show_overview(request: Request) -> Response:
    if not request.state.slash:
        # Relative links need the slash.
        return Visit(request.app.state.pages, request).lead(f"{PAGES.lstrip('/')}/")
    return await _answered(request, overview)


@ROUTER.get("/now")
async def show_now(request: Request) -> Response:
    return await _answered(request, _now)


@ROUTER.get("/project")
async def show_project(request: Request) -> Response:
    return await _answered(request, project_page)


@ROUTER.get("/version")
async def show_version(request: Request) -> Response:
    return await _answered(request, version_page)


@ROUTER.get("/similar")
async def show_similar(request: Request) -> Response:
    return await _answered(request, similar_page)


@ROUTER.post("/similar")
async def find_by_form(request: Request) -> Response:
    """Take the form of the page, with a picture or without. Only those who are signed in may send large ones."""
    pages: Pages = request.app.state.pages
    most = pages.service.settings.pictures.image_max_bytes
    try:
        limit = most + FORM_BYTES if request.cookies.get(COOKIE) else FORM_BYTES
        visit = Visit(pages, request, *await form_with_files(request, limit))
    except TooLarge:
        return await _made(Visit(pages, request), partial(too_large, most=most), "pages")
    except ClientDisconnect:
        raise HTTPException(400, "The request ended before its body was over.") from None
    except ValueError:
        raise HTTPException(422, "This is no form of the pages.") from None
    # A thread that may wait: reading and encoding a picture takes half a second.
    return await _made(visit, find, "pictures")


@ROUTER.get("/choose")
async def ask_to_choose(request: Request) -> Response:
    return await _answered(request, question)


@ROUTER.post("/choose")
async def choose_version(request: Request) -> Response:
    return await _answered(request, choose)


@ROUTER.get("/review")
async def show_review(request: Request) -> Response:
    return await _answered(request, review_page)


@ROUTER.post("/review")
async def do_accept(request: Request) -> Response:
    return await _answered(request, accept)


@ROUTER.get("/review-now")
async def show_strips(request: Request) -> Response:
    return await _answered(request, strips)


@ROUTER.get("/done")
async def show_done(request: Request) -> Response:
    return await _answered(request, done_page)


@ROUTER.get("/done-now")
async def show_done_now(request: Request) -> Response:
    return await _answered(request, done_now)


@ROUTER.post("/continue-batch")
async def do_continue(request: Request) -> Response:
    return await _answered(request, continue_batch)


@ROUTER.get("/take-back")
async def ask_take_back(request: Request) -> Response:
    return await _answered(request, ask_to_take_back)


@ROUTER.post("/take-back")
async def do_take_back(request: Request) -> Response:
    return await _answered(request, take_back)


@ROUTER.get("/remove-predictions")
async def ask_remove_predictions(request: Request) -> Response:
    return await _answered(request, ask_to_remove)


@ROUTER.post("/remove-predictions")
async def do_remove_predictions(request: Request) -> Response:
    return await _answered(request, remove_predictions)


@ROUTER.get("/gallery")
async def show_gallery(request: Request) -> Response:
    return await _answered(request, gallery)


@ROUTER.get("/task")
async def show_task(request: Request) -> Response:
    return await _answered(request, task_page)


@ROUTER.get("/doubts")
async def show_doubts(request: Request) -> Response:
    return await _answered(request, doubts)


@ROUTER.post("/dismiss")
async def dismiss_doubt(request: Request) -> Response:
    return await _answered(request, dismiss)


@ROUTER.get("/picture")
async def show_picture(request: Request) -> Response:
    try:
        return await _answered(request, picture)
    except Waits:
        return await _answered(request, partial(picture, may_wait=True), "pictures")


@ROUTER.get("/sign-in")
async def show_sign_in(request: Request) -> Response:
    return await _answered(request, sign_in.form)


@ROUTER.post("/sign-in")
async def do_sign_in(request: Request) -> Response:
    return await _answered(request, sign_in.sign_in)


@ROUTER.post("/sign-out")
async def do_sign_out(request: Request) -> Response:
    return await _answered(request, sign_in.sign_out)


@ROUTER.get("/{name}")
async def show_file(request: Request, name: str) -> Response:
    """Return the style or the script; for every other name, the page that says that it is not there."""
    if name not in FILES:
        return await _answered(request, _nothing)
    # The address holds the content's hash.
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
    return Response(frame.content_of(name), media_type=FILES[name], headers=headers)


def _now(visit: Visit) -> Response:
    """Return the part that renews itself, for one project or for all; 401 without a session, since a script asks."""
    if visit.session is None:
        return Response(status_code=401)
    project = visit.project() if visit.asked("id") else None
    now = now_of(visit, [project] if project else visit.projects())
    return visit.page("now.html.jinja", now=now, project=project)


def _nothing(_: Visit) -> Response:
    raise frame.NotThere


async def _answered(request: Request, work: Callable[[Visit], Response], pool: str = "pages") -> Response:
    """Read the form, if one was sent, and make the page in one of the pool's threads. Raises Waits as ``work``."""
    form = await _form(request) if request.method == "POST" else {}
    return await _made(Visit(request.app.state.pages, request, form), work, pool)


async def _made(visit: Visit, work: Callable[[Visit], Response], pool: str) -> Response:
    """Make the page in one of the pool's threads. Raises Waits as ``work``."""
    future = visit.request.app.state.pools[pool].submit(visit.turn, lambda: visit.pages.answer(visit, work))
    response: Response = await asyncio.wrap_future(future)
    return response


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of a form. Raises HTTPException for one that is too large or cut off."""
    body = await received(request, FORM_BYTES, f"The form is larger than {FORM_BYTES:,} bytes.")
    try:
        return dict(parse_qsl(body.decode(), max_num_fields=FIELDS))
    except ValueError:
        raise HTTPException(422, "This is no form of the pages.") from None
