"""Which way runs an encoder's network fastest on this machine, kept in a file beside OpenVINO's form of the network."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from threading import Lock

import torch

from model.encoders import fingerprints
from model.encoders.machine import this_machine
from tagloom_base.files import replaced

LOG = logging.getLogger(__name__)
# The packages that run networks: with another version another way may be the fastest.
PACKAGES = ("torch", "openvino", "transformers")


@dataclass(frozen=True)
class Choice:
    """The way that was chosen, by name, and what was measured.

    ``rows_per_second`` are pictures or texts in a second by way; ``refused`` says why a way was not measured.
    ``agreement`` is the least cosine between a vector of the chosen way and the same of PyTorch in single precision.
    ``processor`` and ``threads`` are those of the measurement, ``date`` its day.
    """

    encoder: str
    way: str
    rows_per_second: dict[str, float]
    agreement: float
    refused: dict[str, str]
    processor: str
    threads: int
    date: str

    def told(self, eager: str) -> str:
        """Return the choice in plain words."""
        times = self.rows_per_second[self.way] / self.rows_per_second[eager]
        return (
            f"{self.encoder}: {self.way}, {self.rows_per_second[self.way]:.1f}/s in {self.threads} threads, "
            f"{times:.1f} x {eager} (measured {self.date})"
        )


class Ways:
    """The choices in a folder, one file for each encoder, machine, number of threads and versions of the packages.

    Another machine, another number of threads and another version have another name, so they are measured anew.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def model_file(self, fingerprint: str) -> Path:
        """Return where OpenVINO's form of an encoder's network is kept."""
        return self._folder / f"{fingerprint}-{fingerprints.of_words(*_versions())}.xml"

    def get(self, fingerprint: str) -> Choice | None:
        """Return what is kept for this encoder on this machine; None where it has to be measured."""
        return _read(self._file(fingerprint))

    def keep(self, fingerprint: str, choice: Choice) -> None:
        """Keep a choice, and remove the encoder's forms of other versions. Raises OSError where that fails."""
        with replaced(self._file(fingerprint)) as part:
            part.write_text(json.dumps(asdict(choice), ensure_ascii=False, indent=1), "utf-8")
        form = self.model_file(fingerprint)
        for old in self._folder.glob(f"{fingerprint}-*"):
            if old.suffix in (".xml", ".bin") and old.stem != form.stem:
                old.unlink(missing_ok=True)

    def all(self) -> list[Choice]:
        """Return the choices of all encoders on this processor, for people."""
        found = map(_read, sorted(self._folder.glob("*.json")))
        return [each for each in found if each and each.processor == this_machine().processor]

    def _file(self, fingerprint: str) -> Path:
        machine = this_machine()
        facts = (machine.processor, machine.instructions, machine.cores, torch.get_num_threads(), *_versions())
        return self._folder / f"{fingerprint}-{fingerprints.of_words(*facts)}.json"


class Places:
    """The folder in which this process keeps its choices, if any."""

    def __init__(self) -> None:
        self._open: list[Ways] = []
        self._lock = Lock()

    @contextmanager
    def kept_in(self, folder: Path) -> Iterator[None]:
        """Let encoders choose their ways while the context is open, and keep the choices in this folder."""
        ways = Ways(folder)
        with self._lock:
            self._open.append(ways)
        try:
            yield
        finally:
            with self._lock:
                self._open.remove(ways)

    @property
    def ways(self) -> Ways | None:
        """Those of the folder that was opened last; None where no folder is open."""
        with self._lock:
            return self._open[-1] if self._open else None


PLACES = Places()


def _versions() -> tuple[str, ...]:
    return tuple(version(package) for package in PACKAGES)


def _read(file: Path) -> Choice | None:
    with suppress(OSError, ValueError, TypeError, KeyError):
        read: Mapping[str, object] = json.loads(file.read_text("utf-8"))
        return Choice(**read)  # type: ignore[arg-type]  # a file of another form is measured anew
    return None
