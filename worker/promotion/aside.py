"""A process that trains the gate's out-of-fold taggers while the work horse trains the candidate.

Both take folds until none is left, and whoever makes the file ``taken.3`` first has fold 3. So a process that starts
late, or dies, costs time at most. It runs at the lowest priority, so that it takes only what is left of the processors.

The process is started before there is anything to do, since its imports take seconds:

    python -m worker.promotion.aside FOLDER WORK_HORSE THREADS
"""

import logging
import os
import pickle
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import save_file

from model.tensor_files import read
from model.training.folds import FoldAnswers, Folds, OutOfFold
from tagloom_base.files import replaced
from worker.training.beside import LOOK_S, end_with, start

LOG = logging.getLogger(__name__)

# It gets a hundredth of a processor that others want too.
NICENESS = 19
FOLDS = "folds"


class Aside:
    """The process, and the folder in which it finds its work. ``process`` is None where the work horse is alone."""

    def __init__(self, folder: Path, process: "Popen[bytes] | None") -> None:
        self._folder, self._process = folder, process

    def begin(self, folds: Folds) -> None:
        """Let the process take folds from now on."""
        if self._process is not None:
            with replaced(self._folder / FOLDS) as beside:
                # Read by the own process alone, in a folder that nobody else can read.
                beside.write_bytes(pickle.dumps(folds))

    def answers(self, folds: Folds, between: Callable[[], None]) -> OutOfFold:
        """Take the folds that are left, and return the answers to all of them.

        ``between`` is called after each epoch and while the process is waited for; what it raises ends the work.
        """
        answers: dict[int, FoldAnswers] = {}
        # The process begins with the first fold.
        for fold in reversed(range(len(folds.rows))):
            if _take(self._folder, fold):
                answers[fold] = folds.answers(fold, lambda _: between())
        for fold in set(range(len(folds.rows))) - set(answers):
            answers[fold] = self._awaited(fold, between) or folds.answers(fold, lambda _: between())
        return folds.joined(answers)

    def _awaited(self, fold: int, between: Callable[[], None]) -> FoldAnswers | None:
        """Return what the process answers; None if it has ended without an answer."""
        file = self._folder / f"answers.{fold}"
        while not file.exists():
            between()
            if self._process is None or self._process.poll() is not None:
                LOG.warning("the process that judges aside has ended: this one goes on alone")
                return None
            time.sleep(LOOK_S)
        tensors, _ = read(file)
        return FoldAnswers(tensors["probability_FK"], tensors["given_FK"])


@contextmanager
def judging_aside(folder: Path, threads: int) -> Iterator[Aside]:
    """Start the process with so many threads, and end it afterwards. With 0 threads there is none.

    Its files are in a folder below ``folder``; if a kill leaves it behind, `RunState.of` deletes it.
    """
    with TemporaryDirectory(dir=folder, prefix="aside-") as own:
        process = start("worker.promotion.aside", own, str(os.getpid()), str(threads)) if threads else None
        try:
            yield Aside(Path(own), process)
        finally:
            if process is not None:
                process.kill()
                process.wait()


def _take(folder: Path, fold: int) -> bool:
    """Return whether the fold is this process's."""
    try:
        (folder / f"taken.{fold}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def main() -> None:
    """Answer the folds that are left for the work horse that started this process."""
    folder, threads = Path(sys.argv[1]), int(sys.argv[3])
    end_with(int(sys.argv[2]))
    os.nice(NICENESS)
    torch.set_num_threads(threads)
    while not (folder / FOLDS).exists():
        time.sleep(LOOK_S)
    folds: Folds = pickle.loads((folder / FOLDS).read_bytes())
    for fold in range(len(folds.rows)):
        if _take(folder, fold):
            found = folds.answers(fold)
            tensors = {"probability_FK": found.probability_FK.contiguous(), "given_FK": found.given_FK.contiguous()}
            with replaced(folder / f"answers.{fold}") as beside:
                save_file(tensors, beside)


if __name__ == "__main__":
    main()
