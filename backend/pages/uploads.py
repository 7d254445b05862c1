"""Picture files that people send to the pages: taken out of a form, encoded, and kept for a while by their session."""

import secrets
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser

import structlog
from starlette.requests import Request

from backend.engine import Engine
from labelstudio.decoding import ImageUnavailableError, decode
from labelstudio.kept import Kept
from model.features.item import ItemFeatures
from model.items import Item
from tagloom_base.errors import UserError

LOG = structlog.stdlib.get_logger(__name__)
MOST = 200
"""Pictures that are kept, those used last."""
DRAINED = 4
"""A body that is too large is read on up to so many times its limit, so that the browser gets to see the answer."""


class TooLarge(Exception):  # noqa: N818 - it says what happened
    """A form with a file is larger than allowed."""


@dataclass(frozen=True)
class Upload:
    """A picture that was sent, by its features. They can be compared with items of the same space."""

    features: ItemFeatures
    space: str


class Uploads:
    """Pictures by a name that nobody can guess, for the session that sent them."""

    def __init__(self) -> None:
        self._kept: Kept[tuple[str, str], Upload] = Kept(MOST, MOST)

    def add(self, session: str, engine: Engine, content: bytes, max_pixels: int) -> str:
        """Encode a picture, keep it, and return its name. Raises UserError for what is no picture that can be read."""
        try:
            shown = decode(content, max_pixels)
        except ImageUnavailableError as broken:
            raise UserError(f"the picture cannot be read: {broken}") from broken
        (features,) = engine.inference.extract("", [Item(shown.image, "", (), {}, shown.size, shown.notes)])
        name = secrets.token_urlsafe(16)
        self._kept.put((session, name), Upload(features, engine.extractor.space), 1)
        return name

    def get(self, session: str, engine: Engine, name: str) -> ItemFeatures | None:
        """Return the features of a picture; None if it is not kept any more, or is of other encoders."""
        upload = self._kept.get((session, name))
        return upload.features if upload and upload.space == engine.extractor.space else None


async def form_with_files(request: Request, limit: int) -> tuple[dict[str, str], dict[str, bytes]]:
    """Return the fields and the files of a form of the type ``multipart/form-data`` (RFC 7578).

    Fields without a file name are texts. Raises TooLarge for more than ``limit`` bytes, and ValueError for a body of
    another form.
    """
    body, size = bytearray(), 0
    async for part in request.stream():
        size += len(part)
        if size <= limit:
            body += part
        elif size > DRAINED * limit:
            break
    if size > limit:
        raise TooLarge
    kind = Message()
    kind["content-type"] = request.headers.get("content-type", "")
    boundary = kind.get_param("boundary")
    if kind.get_content_type() != "multipart/form-data" or not isinstance(boundary, str) or not boundary:
        raise ValueError("this is no form with files")
    fields, files = {}, {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:-1]:
        head, mark, content = part.partition(b"\r\n\r\n")
        about = HeaderParser().parsestr(head.decode().lstrip("\r\n"))
        name = about.get_param("name", header="content-disposition")
        if not mark or not isinstance(name, str):
            raise ValueError("a part of the form has no name")
        if about.get_param("filename", header="content-disposition") is None:
            fields[name] = content.decode()
        else:
            files[name] = bytes(content)
    return fields, files
