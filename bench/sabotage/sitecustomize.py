"""Switch parts of Tagloom off in the fault suite's processes, to show that it notices (TAGLOOMTEST_SABOTAGE)."""

import os

if os.environ.get("TAGLOOMTEST_SABOTAGE") == "journal":
    from store.journal import Journal

    setattr(Journal, "record", lambda *_args, **_options: None)  # noqa: B010 - a method cannot be assigned
elif os.environ.get("TAGLOOMTEST_SABOTAGE") == "fencing":
    import store.leases
    import store.projects
    import store.versions

    def nothing(*_args: object) -> None:
        """In place of `store.leases.verify`."""

    for module in (store.leases, store.projects, store.versions):
        setattr(module, "verify", nothing)  # noqa: B010
