"""A process that does parts of a training's judging while the work horse trains the candidate.

Parts depend on each other in nothing. Both processes take parts until none is left, and whoever makes the file
``taken`` of a part first does it. So a process that starts late, or dies, costs time at most. It runs at the lowest
priority, so that it takes only what is left of the processors.

The process is started before there is anything to do, since its imports take seconds:

    python -m worker.promotion.aside FOLDER WORK_HORSE THREADS DESCRIPTIONS
"""

import logging
import os
import pickle
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import torch
from safetensors.torch import save_file
from torch import Tensor

from model.boxes.described import RECENT
from model.tensor_files import read
from tagloom_base.files import replaced
from worker.beside import LOOK_S, end_with, start

LOG = logging.getLogger(__name__)

# It gets a hundredth of a processor that others want too.
NICENESS = 19
GIVEN, TAKEN, DONE = "given", "taken", "done"


class Part(Protocol):
    """Work that any process can do. It is handed over by pickle."""

    def do(self, between: Callable[[], None]) -> dict[str, Tensor]:
        """Do it; ``between`` is called now and then, and what it raises ends the work."""


Parts = Mapping[str, Part]


class Aside:
    """The process, and the folder in which it finds its work. ``process`` is None where the work horse is alone.

    aside.give(parts)                       # the process takes the first ones
    results = aside.results(parts, watch.check)
    """

    def __init__(self, folder: Path, process: "Popen[bytes] | None") -> None:
        self._folder, self._process = folder, process

    def give(self, parts: Parts) -> None:
        """Let the process take these parts from now on, in their order."""
        if self._process is not None:
            # Read by the own process alone, in a folder that nobody else can read.
            with replaced(self._folder / f"{GIVEN}.{time.monotonic_ns()}") as beside, beside.open("wb") as file:
                _Pickler(file).dump(parts)

    def results(self, parts: Parts, between: Callable[[], None]) -> dict[str, dict[str, Tensor]]:
        """Do the parts that are left, and return the results of all of them.

        ``between`` is called while work goes on and while the process is waited for; what it raises ends the work.
        """
        results: dict[str, dict[str, Tensor]] = {}
        # The process begins with the first one.
        for name in reversed(list(parts)):
            if _take(self._folder, name):
                results[name] = parts[name].do(between)
        for name in parts.keys() - results.keys():
            results[name] = self._awaited(name, between) or parts[name].do(between)
        return results

    def _awaited(self, name: str, between: Callable[[], None]) -> dict[str, Tensor] | None:
        """Return the process's result; None if it has ended without one."""
        file = self._folder / f"{DONE}.{name}"
        while not file.exists():
            between()
            if self._process is None or self._process.poll() is not None:
                LOG.warning("the process that judges aside has ended: this one goes on alone")
                return None
            time.sleep(LOOK_S)
        return read(file)[0]


class _Pickler(pickle.Pickler):
    """Pickles tensors as arrays: torch packs each into an archive of its own, which takes three times as long."""

    def reducer_override(self, one: Any) -> Any:
        if type(one) is Tensor and not one.requires_grad and one.device.type == "cpu" and one.dtype != torch.bfloat16:
            return torch.from_numpy, (one.numpy(),)
        return NotImplemented


@contextmanager
def judging_aside(folder: Path, threads: int, descriptions: Path) -> Iterator[Aside]:
    """Start the process with so many threads, and end it afterwards. With 0 threads there is none.

    It finds in ``descriptions`` which boxes pictures may have, and so need not look for them again.

    Its files are in a folder below ``folder``; if a kill leaves it behind, `RunState.of` deletes it.
    """
    with TemporaryDirectory(dir=folder, prefix="aside-") as own:
        arguments = own, str(os.getpid()), str(threads), str(descriptions)
        process = start("worker.promotion.aside", *arguments) if threads else None
        try:
            yield Aside(Path(own), process)
        finally:
            if process is not None:
                process.kill()
                process.wait()


def _take(folder: Path, name: str) -> bool:
    """Return whether the part is this process's."""
    try:
        (folder / f"{TAKEN}.{name}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def main() -> None:
    """Do what is given by the work horse that started this process, until that ends this one."""
    folder, threads = Path(sys.argv[1]), int(sys.argv[3])
    end_with(int(sys.argv[2]))
    os.nice(NICENESS)
    torch.set_num_threads(threads)
    done: set[Path] = set()
    with RECENT.kept_in(Path(sys.argv[4])):
        while True:
            for file in sorted(set(folder.glob(f"{GIVEN}.*")) - done):
                parts: Parts = pickle.loads(file.read_bytes())
                for name, part in parts.items():
                    if _take(folder, name):
                        found = {key: tensor.contiguous() for key, tensor in part.do(lambda: None).items()}
                        with replaced(folder / f"{DONE}.{name}") as beside:
                            save_file(found, beside)
                done.add(file)
            time.sleep(LOOK_S)


if __name__ == "__main__":
    main()
