"""Run an encoder's network by the way that is fastest on this machine, chosen by a short measurement that is kept.

Until another way is ready, and where none is both faster and right, PyTorch runs the network in single precision.
Measuring and compiling happen in a thread beside, so no answer waits for them.

Shape suffixes: N rows of a batch, M vectors, C width.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from model.encoders.kept import PLACES, Choice, Ways
from model.encoders.machine import free_memory, this_machine
from model.encoders.ways import EAGER, WAYS, Frozen, Run, Way, eager

LOG = logging.getLogger(__name__)

# Rows that are encoded before anything is measured, so that a handful of pictures is not disturbed by it.
HANDFUL = 32
# Batches that a way is compared on, and rows of each.
SAMPLES = 4
SAMPLE_ROWS = 8
# The least cosine between a vector of a way and the same in single precision.
AGREEMENT = 0.999
# Turns of a measurement; the fastest counts, as other work disturbs the rest.
TURNS = 3
# A way must be so many times as fast as PyTorch in single precision, or the change is not worth it.
WORTH = 1.1
# Free memory that a way needs: a multiple of the network's weights, and what compilers take.
COPIES = 4
COMPILER_BYTES = 200 * 2**20

Vectors = Callable[[tuple[Tensor, ...], Tensor], Tensor]
"""From a batch's inputs and output to all vectors (M, C) that an encoder takes from it."""
# One measurement at a time, so that they do not disturb each other.
_MEASURING = threading.Lock()


@dataclass(frozen=True)
class Sample:
    """A real batch, and what PyTorch in single precision makes of it."""

    inputs: tuple[Tensor, ...]
    output: Tensor

    @property
    def rows(self) -> int:
        return len(self.output)


class Runtime:
    """A frozen network on the CPU that is called with tensors of N rows; safe to call from several threads.

    ``vectors`` gives what must agree between two ways. ``fingerprint`` and ``description`` are the encoder's. Nothing
    is measured unless a folder for choices is open (`kept.PLACES`).

        runtime = Runtime(network, fingerprint, "my network", lambda inputs, output: output.flatten(1))
        output = runtime(pixels_N3HW)
    """

    def __init__(
        self, network: nn.Module, fingerprint: str, description: str, vectors: Vectors, ways: Sequence[Way] = WAYS
    ) -> None:
        self._network, self.vectors = network, vectors
        self._fingerprint, self._description = fingerprint, description
        self._ways = {way.name: way for way in ways}
        self._eager = eager(network)
        # The way that is used now; it changes once at most, and back where it fails.
        self._run, self.way = self._eager, EAGER
        self._samples: list[Sample] = []
        self._seen = 0
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Return the network's output in single precision."""
        run = self._run
        if run is self._eager:
            output = run(*inputs)
            self._note(inputs, output)
            return output
        try:
            return run(*inputs)
        except Exception as error:
            LOG.warning("%s: %s fails (%s), PyTorch goes on in single precision", self._description, self.way, error)
            self._run, self.way = self._eager, EAGER
            return self._eager(*inputs)

    def settled(self, seconds: float | None = None) -> bool:
        """Wait until no way is being measured or compiled, and return whether that is so by then."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return thread is None or not thread.is_alive()

    def _note(self, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Keep the last batches as samples, and begin to choose when there is enough to go by."""
        ways = PLACES.ways
        if ways is None:
            return
        with self._lock:
            if self._thread is not None:
                return
            self._seen += len(output)
            kept = Sample(tuple(each[:SAMPLE_ROWS].clone() for each in inputs), output[:SAMPLE_ROWS].clone())
            self._samples = [*self._samples[1 - SAMPLES :], kept]
            if self._seen < HANDFUL and ways.get(self._fingerprint) is None:
                return
            samples, self._samples = self._samples, []
            # Python waits for it at the end, since it may not be cut off inside a library; it ends at its next step.
            self._thread = threading.Thread(target=self._choose, args=(ways, samples), name="ways of encoding")
            self._thread.start()

    def _choose(self, ways: Ways, samples: Sequence[Sample]) -> None:
        try:
            with _MEASURING:
                self._take(ways, samples)
        except _EndError:
            LOG.debug("%s: the process ends before a way was chosen", self._description)
        except Exception as error:
            LOG.warning("%s: no faster way was found (%s)", self._description, error)

    def _take(self, ways: Ways, samples: Sequence[Sample]) -> None:
        """Use the way that is kept, or measure which one is the fastest."""
        largest = max(samples, key=lambda sample: sample.rows)
        frozen = Frozen(self._network, tuple(each[:1] for each in largest.inputs), ways.model_file(self._fingerprint))
        kept = ways.get(self._fingerprint)
        if kept is not None and kept.way == EAGER:
            return
        needed = COPIES * sum(each.nbytes for each in self._network.state_dict().values()) + COMPILER_BYTES
        if free_memory() < needed:
            LOG.warning(
                "%s: PyTorch runs it in single precision, as a faster way needs %.0f MB of free memory",
                self._description, needed / 1e6,
            )  # fmt: skip
            return
        if kept is not None:
            run, reason, _ = self._tried(kept.way, frozen, samples)
            if run is not None:
                self._use(kept.way, run)
                return
            LOG.warning("%s: %s, which was kept, is not used (%s)", self._description, kept.way, reason)
            # It may be the reason.
            frozen.model_file.unlink(missing_ok=True)
        runs: dict[str, Run] = {EAGER: self._eager}
        refused, agreement = dict[str, str](), {EAGER: 1.0}
        for name in self._ways:
            run, reason, agrees = self._tried(name, frozen, samples)
            if run is None:
                refused[name] = reason
            else:
                runs[name], agreement[name] = run, agrees
        seconds = _measured(runs, largest.inputs)
        fastest = min(seconds, key=lambda name: seconds[name])
        chosen = fastest if seconds[fastest] * WORTH <= seconds[EAGER] else EAGER
        choice = Choice(
            encoder=self._description,
            way=chosen,
            rows_per_second={name: round(largest.rows / each, 2) for name, each in seconds.items()},
            agreement=round(agreement[chosen], 6),
            refused=refused,
            processor=this_machine().processor,
            threads=torch.get_num_threads(),
            date=f"{datetime.now(UTC):%Y-%m-%d}",
        )
        self._use(chosen, runs[chosen])
        LOG.info("way of encoding chosen: %s; not used: %s", choice.told(EAGER), refused or "none")
        ways.keep(self._fingerprint, choice)

    def _tried(self, name: str, frozen: Frozen, samples: Sequence[Sample]) -> tuple[Run | None, str, float]:
        """Return a way that is ready and right, else None and why; and the least cosine with single precision."""
        _go_on()
        if name not in self._ways:
            return None, "there is no such way any more", 0.0
        needs = self._ways[name].needs
        if needs and not needs & set(this_machine().instructions):
            return None, f"the processor has none of {', '.join(sorted(needs))}", 0.0
        try:
            run = self._ways[name].prepare(frozen)
            _go_on()
            agrees = min(self._agreement(run, sample) for sample in samples)
        except _EndError:
            raise
        # Compilers raise errors of many kinds where a machine or a network lacks what they need.
        except Exception as error:
            return None, str(error).partition("\n")[0][:200] or type(error).__name__, 0.0
        if not agrees >= AGREEMENT:
            return None, f"agrees to a cosine of {agrees:.4f} only", agrees
        return run, "", agrees

    def _agreement(self, run: Run, sample: Sample) -> float:
        """Return the least cosine between a vector of this way and the same in single precision."""
        found_MC = self.vectors(sample.inputs, run(*sample.inputs))
        expected_MC = self.vectors(sample.inputs, sample.output)
        cosine_M = cosine_similarity(found_MC, expected_MC, dim=-1)
        # A vector of zeros has no direction; it must be zeros in both.
        cosine_M[~found_MC.any(-1) & ~expected_MC.any(-1)] = 1.0
        return float(cosine_M.min())

    def _use(self, name: str, run: Run) -> None:
        self._run, self.way = run, name


class _EndError(Exception):
    """The process ends."""


def _go_on() -> None:
    """Raise where the process has begun to end."""
    if not threading.main_thread().is_alive():
        raise _EndError


def _measured(runs: dict[str, Run], inputs: tuple[Tensor, ...]) -> dict[str, float]:
    """Return the seconds of the fastest turn by way. The ways take turns, so that other work disturbs all alike."""
    seconds = dict.fromkeys(runs, float("inf"))
    for _ in range(TURNS):
        for name, run in runs.items():
            _go_on()
            began = time.perf_counter()
            run(*inputs)
            seconds[name] = min(seconds[name], time.perf_counter() - began)
    return seconds
