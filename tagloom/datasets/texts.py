"""Read text files that people made, in whichever encoding their program wrote."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path

from charset_normalizer import from_bytes

UTF_8 = "UTF-8"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8", UTF_8),
    # This comes before UTF-16, whose mark is the first half of this one.
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
# The first bytes of zip files (such as .xlsx) and of old Excel files.
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
# Encodings that a file other than UTF-8 may have. GB18030 alone proves nothing: it decodes most texts of the other
# encodings without an error, to wrong characters.
_RIVALS = ["gb18030", "big5", "cp949", "euc_jp", "shift_jis", "cp1251", "cp1252"]
_SAVE = "save it again as UTF-8 (in Excel: CSV UTF-8)"


@dataclass(frozen=True)
class Text:
    """The content of a text file, and the name of its encoding."""

    content: str
    encoding: str

    def notes(self, path: Path) -> tuple[str, ...]:
        """Return notes for the user on how the file was read."""
        return () if self.encoding == UTF_8 else (f"{path.name} is no UTF-8: it is read as {self.encoding}",)


def text_of(path: Path) -> Text:
    """Read UTF-8, UTF-16, UTF-32 or GB18030 (with GBK and GB2312). Raises ValueError with file and remedy."""
    content = content_of(path)
    if content.startswith(_WORKBOOKS):
        raise ValueError(f"{path} is a workbook or an archive: save its table as CSV UTF-8, or unpack it")
    mark, codec, name = next((known for known in _MARKS if content.startswith(known[0])), (b"", "utf-8", UTF_8))
    # UTF-16 without a mark: the first character is a Latin one.
    if not mark and b"\0" in content[:2]:
        codec, name = ("utf-16-be" if content[0] == 0 else "utf-16-le"), "UTF-16"
    try:
        text = content[len(mark) :].decode(codec)
    except UnicodeDecodeError as broken:
        if mark or codec != "utf-8" or not _is_chinese(content):
            line = content[: broken.start].count(b"\n") + 1
            raise ValueError(f"{path}, line {line}: this is no {name} text: {_SAVE}") from broken
        text, name = content.decode("gb18030"), "GB18030 (GBK)"
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise ValueError(f"{path}, line {line}: there is a NUL character, which no text has: {_SAVE}")
    return Text(text, name)


def content_of(path: Path) -> bytes:
    """Return the bytes of a file. Raises ValueError with file and remedy when it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError as missing:
        raise ValueError(f"{path} is not there: put the file there or name another one") from missing
    except IsADirectoryError as folder:
        raise ValueError(f"{path} is a folder: name a file") from folder
    except OSError as refused:
        raise ValueError(
            f"{path} cannot be read ({refused.strerror}): name another file, or let this user read it"
        ) from refused


def _is_chinese(content: bytes) -> bool:
    """Return whether a text is GB18030 according to its characters' frequencies, and decodes without an error."""
    best = from_bytes(content, cp_isolation=_RIVALS).best()
    try:
        content.decode("gb18030")
    except UnicodeDecodeError:
        return False
    return best is not None and best.encoding == "gb18030"
