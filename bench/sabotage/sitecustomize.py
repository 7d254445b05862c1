"""Switches parts of Tagloom off in the fault suite's processes, to show that the suite notices (TAGLOOM_SABOTAGE)."""

import os

if os.environ.get("TAGLOOM_SABOTAGE") == "journal":
    from store.journal import Journal

    setattr(Journal, "record", lambda *_args, **_options: None)  # noqa: B010 - a method cannot be assigned
elif os.environ.get("TAGLOOM_SABOTAGE") == "fencing":
    import store.leases
    import store.versions

    def nothing(*_args: object) -> None:
        """In place of `store.leases.verify`."""

    setattr(store.leases, "verify", nothing)  # noqa: B010
    setattr(store.versions, "verify", nothing)  # noqa: B010
