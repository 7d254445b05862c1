"""Compare the settings that backend and workers must share, and name each one that differs.

A worker that may not read the backend's folders or hosts trains on less than the backend shows, and says nothing of it.
Each process keeps these settings in the store, as they may be shown: no tokens, and no passwords.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from store.processes import BACKEND, WORKER, Process
from store.store import Store
from tagloom_base.groups import GROUPS
from tagloom_base.settings import Settings, variable_of
from tagloom_base.values import without_password
from worker import queue

SHARED = (
    "label_studio_url", "label_studio_token", "label_studio_names", "connections", "industry_keys", "image_hosts",
    "image_roots", "image_max_bytes", "image_max_pixels", "image_seconds", "image_encoder", "text_encoder",
    "joint_encoder", "lexicon", "seed", "draw_seconds", "promotion_seconds", "refresh_predictions",
    "uncertainty_sampling", "columns",
)  # fmt: skip
"""The fields of the settings that backend and workers both use. Folder, database and queue: see ``worker.place``."""

# Seconds after which a backend without a sign of life counts as ended.
BACKEND_S = 60.0
# The same for a worker while Redis, which knows better, does not answer.
WORKER_S = 600.0


def shared(settings: Settings) -> dict[str, str]:
    """Return the shared settings by variable, in a form without secrets that may be stored and shown.

    To be compared, they must have the names of the home's encoders (`worker.encoders.settled`).
    """
    groups = {field: name for name, group in GROUPS.items() for field in group.model_fields}
    values = {field: getattr(getattr(settings, groups[field]), field) for field in SHARED}
    return {variable_of(field): _shown(field, value) for field, value in values.items()}


def with_encoders(shown: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """Return shared settings with the names of these settings' encoders."""
    fields = [field for field in SHARED if field.endswith("_encoder")]
    return {**shown, **{variable_of(field): _shown(field, getattr(settings.encoders, field)) for field in fields}}


def backend_of(store: Store) -> Process | None:
    """Return the backend that gave a sign of life last; None when none runs."""
    running = store.processes.of_role(BACKEND, BACKEND_S)
    return max(running, key=lambda process: process.seen_at, default=None)


def workers_apart(settings: Settings, store: Store, backend: Mapping[str, str]) -> list[Process]:
    """Return the workers that run, have done a job, and differ from the backend's shared settings."""
    apart = [process for process in store.processes.of_role(WORKER) if differences(backend, process)]
    alive = queue.alive(settings, [process.name for process in apart]) if apart else set()
    if alive is None:
        recent = {process.name for process in store.processes.of_role(WORKER, WORKER_S)}
        return [process for process in apart if process.name in recent]
    return [process for process in apart if process.name in alive]


def differences(backend: Mapping[str, str], worker: Process, *, values: bool = True) -> list[str]:
    """Return a sentence for each shared setting in which a worker differs from the backend, with both values or not."""
    lines = []
    for variable, value in backend.items():
        # A worker of an earlier release may not know the setting.
        given = worker.settings.get(variable, value)
        if given != value:
            both = f" ({value or 'not set'}, {given or 'not set'})" if values else ""
            lines.append(
                f"{variable} differs between the backend and worker {worker.name}{both}: give both the same and start "
                "them again"
            )
    return lines


def _shown(field: str, value: Any) -> str:
    if field == "label_studio_token":
        return "set" if value.get_secret_value() else ""
    if field == "connections":
        urls = {name: map(without_password, (entry.url, *entry.names)) for name, entry in value.items()}
        return ", ".join(f"{name} at {' or '.join(urls[name])}" for name in sorted(urls))
    if field == "lexicon" and value is not None:
        # The file may lie elsewhere on another machine.
        return f"{value.name} ({hashlib.sha256(Path(value).read_bytes()).hexdigest()[:8]})"
    if field.endswith("_encoder"):
        # So may weights, therefore their folder does not count.
        return re.sub(r"[^:@]*/", "", value)
    if isinstance(value, tuple):
        return ",".join(sorted(without_password(str(part)) for part in value))
    return "" if value is None else without_password(str(value))
