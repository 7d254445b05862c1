"""RQ's settings module of the tests' workers: the real one, with encoders that need no weights."""

import worker.workplace
from tests.worker.shop import StubExtractor
from worker.rq_settings import QUEUES, REDIS_URL

__all__ = ["QUEUES", "REDIS_URL"]

setattr(worker.workplace, "open_extractor", StubExtractor)  # noqa: B010 - a type cannot be assigned
