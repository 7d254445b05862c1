"""The commands of the code, and what programs may rely on in their documents."""

from collections.abc import Iterator

import click

KEYS: dict[str, set[str]] = {
    "status": {
        "backend", "ready", "database", "encoders", "better_encoders", "settings", "sources", "projects",
    },
    "versions": {"projects"},
    "promote": {"project", "serving"},
    "forget": {"project", "title", "refused", "rows", "files", "forgotten"},
    "backup": {"folder", "parts"},
    "encoders": {"home", "uses", "known", "better"},
    "train": {"project", "queued", "workers", "done"},
    "reconcile": {"project", "queued", "workers", "done"},
    "export": {
        "project", "format", "out", "tasks", "gold", "predicted", "unread", "boxes", "without_size",
    },
    "columns": {"project", "tasks", "values", "requests", "foreign"},
    "down": {"ended"},
    "knowledge show": {"project", "facts", "contradictions"},
    "knowledge export": {"project", "out", "learned", "said"},
    "knowledge import": {"project", "said", "changed", "taken_back"},
}  # fmt: skip
"""The keys that programs may rely on; docs/cli.md has them, too."""


def commands(group: click.Group, *words: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        yield " ".join((*words, name)), command
        if isinstance(command, click.Group):
            yield from commands(command, *words, name)
