"""Settings module for stock RQ: `RQ_CONFIG=worker.rq_settings rq worker -S json tagloom`.

RQ forks a work horse for each job. What its parent has imported costs the horse nothing, so that a training begins at
once and not after the seconds that torch takes to import. Only modules are imported here: no thread and no connection
may be open when RQ forks.
"""

import sys

from tagloom_base import logs, memory, redaction
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings

_IS_WORKER = any(word.startswith("worker") for word in sys.argv[1:2])  # `rq info` and the like need no torch

try:
    _SETTINGS = Settings()
    logs.guard(_SETTINGS.secrets)
    if _IS_WORKER:
        from worker.lexicon import read_lexicon
        from worker.queue import require_place

        read_lexicon(_SETTINGS.training.lexicon)
        require_place(_SETTINGS)
except UserError as wrong:
    sys.exit(redaction.redacted(f"tagloom: {wrong}"))

REDIS_URL = _SETTINGS.work.redis_url
QUEUES = [_SETTINGS.work.queue]

if _IS_WORKER:
    import torch._dynamo  # noqa: F401 - the first optimizer would import it: 3 s

    import worker.jobs  # noqa: F401

    memory.give_back()  # work horses inherit it
