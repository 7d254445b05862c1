"""The outcome of a job; as text it is the job's result in Redis."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Done:
    """The job has done all its work. ``words`` say what it has done."""

    words: str

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True)
class Postponed(Done):
    """The job did nothing, because its work is postponed. The store records until when."""


@dataclass(frozen=True)
class Unfinished:
    """The job ended before its work was done. Its results are kept, and a later job continues from there."""

    reason: str

    def __str__(self) -> str:
        return f"ended early: {self.reason}"


Outcome = Done | Unfinished
