"""Settings module for stock RQ: `RQ_CONFIG=worker.rq_settings rq worker -S json tagloom`.

RQ forks a work horse for each job. The work horse inherits the modules that its parent has imported, so a training need
not wait 5 to 10 s for the import of torch. This module only imports: when RQ forks, no thread may run and no
connection may be open.
"""

import sys

from tagloom_base import logs, memory, redaction
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings

# `rq info` and other commands do not need torch.
_IS_WORKER = any(word.startswith("worker") for word in sys.argv[1:2])

try:
    _SETTINGS = Settings()
    logs.guard(_SETTINGS.secrets)
    if _IS_WORKER:
        from model.encoders.device import require_device_of_forks
        from worker.asking.opening import make_ready
        from worker.encoders import require_at_start
        from worker.lexicon import read_lexicon
        from worker.pictures import try_again_soon
        from worker.queue import require_place

        require_device_of_forks(_SETTINGS.encoders.device)
        read_lexicon(_SETTINGS.training.lexicon)
        require_place(_SETTINGS)
        require_at_start(_SETTINGS)
        try_again_soon(_SETTINGS.paths.database)
        make_ready(_SETTINGS)
except UserError as wrong:
    sys.exit(redaction.redacted(f"tagloom: {wrong}"))

REDIS_URL = _SETTINGS.work.redis_url
QUEUES = [_SETTINGS.work.queue]

if _IS_WORKER:
    # The first optimizer would import this module, which takes 3 s.
    import torch._dynamo  # noqa: F401

    import worker.jobs  # noqa: F401

    # Every work horse inherits the memory of this process.
    memory.give_back()
