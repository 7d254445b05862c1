"""What came of a job: its words are the job's result in Redis."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Done:
    """The job has done what there was to do. ``words`` say what that was."""

    words: str

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True)
class Postponed(Done):
    """The job did nothing, because it is not its time yet; the store knows when that is."""


@dataclass(frozen=True)
class Unfinished:
    """The job ended before its work was done; what is done is kept, and another job goes on from there."""

    reason: str

    def __str__(self) -> str:
        return f"ended early: {self.reason}"


Outcome = Done | Unfinished
