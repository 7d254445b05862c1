"""A person's choice of the version that serves, whatever the gate decided: by command, or on a page."""

import logging

from store.store import Store
from store.versions import State, Version
from tagloom_base.errors import UserError

LOG = logging.getLogger(__name__)


def promote(store: Store, project_key: str, version: str, chosen_by: str = "the operator") -> str:
    """Make a version serve, even if promotion refused it, and return its name, of which the beginning is enough.

    Who chose it is logged and kept. Raises UserError when it cannot serve, and with the candidates when several
    versions begin so.
    """
    names = [entry.version for entry in store.versions.list(project_key)]
    begun = [name for name in names if name.startswith(version)]
    if version not in names and len(begun) > 1:
        raise UserError(f"{version!r} may be each of {', '.join(begun)}: write more of it")
    wanted = begun[0] if len(begun) == 1 else version
    try:
        serving = store.versions.override(project_key, wanted, chosen_by).version
    except ValueError as refused:
        raise UserError(str(refused)) from refused
    LOG.info("%s %s serves: chosen by %s", project_key, serving, chosen_by)
    return serving


def roll_back(store: Store, project_key: str, chosen_by: str = "the operator") -> str:
    """Make the version serve that served before the present one, and return its name. UserError when none did."""
    before = served_before(store.versions.list(project_key))
    if before is None:
        raise UserError(f"{project_key} has no earlier version to go back to: `tagloom versions` lists them")
    return promote(store, project_key, before.version, chosen_by)


def served_before(versions: list[Version]) -> Version | None:
    """Return the version that served before the present one and can still serve; None if there is none."""
    served = [version for version in versions if version.state is State.SUPERSEDED]
    return max(served, key=lambda version: version.promoted_at, default=None)
