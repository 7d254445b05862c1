"""Leases with fencing tokens: exclusive rights to a piece of work that expire when their holder stops renewing them.

Each acquisition of a lease increases its token. A holder that writes under a lease verifies in the same transaction
that its token is still the newest. Thus a process that was suspended past the end of its lease cannot write after the
next holder has begun (fencing: Kleppmann, "How to do distributed locking", 2016).
"""

from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from store.database import Database, insert_missing, is_over, now
from store.tables import LEASES

USUAL_S = 60.0  # the longest duration of a lease, unless a caller names a longer one


class LeaseLost(Exception):  # noqa: N818 - the field's word
    """The lease was released or another holder has it. The former holder must stop and write nothing more."""


@dataclass(frozen=True)
class Lease:
    """The right to work under `name` until it expires, with the token that proves it."""

    name: str
    holder: str
    token: int


class Leases:
    """The table of leases. A holder is any text that identifies one process or one job."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire(self, name: str, holder: str, ttl: float) -> Lease | None:
        """Acquire a lease for `ttl` seconds; return None while another holder has it."""
        with self._database.write() as connection:
            # The row must exist before it can be locked; the lock keeps two callers from acquiring the lease at once.
            insert_missing(connection, LEASES, {"name": name, "holder": "", "token": 0, "expires_at": 0.0})
            row = connection.execute(select(LEASES).where(LEASES.c.name == name).with_for_update()).one()
            at = now(connection)
            if row.holder != holder and not is_over(at, row.expires_at, max(ttl, USUAL_S)):
                return None
            # The token increases even if the same holder acquires the lease again, so its older leases are void.
            lease = Lease(name, holder, row.token + 1)
            values = {"holder": holder, "token": lease.token, "expires_at": at + ttl}
            connection.execute(update(LEASES).where(LEASES.c.name == name).values(values))
            return lease

    def renew(self, lease: Lease, ttl: float) -> None:
        """Extend a lease to `ttl` seconds from now. Raises LeaseLost if it was released or another holder has it.

        An expired lease that no other holder has taken can be renewed too, so that a database that was locked for a
        while does not interrupt the work.
        """
        with self._database.write() as connection:
            verify(connection, lease)
            until = now(connection) + ttl
            connection.execute(update(LEASES).where(LEASES.c.name == lease.name).values(expires_at=until))

    def release(self, lease: Lease) -> None:
        """Release a lease; a lease that another holder has taken meanwhile stays as it is."""
        with self._database.write() as connection:
            connection.execute(
                update(LEASES).where(LEASES.c.name == lease.name, LEASES.c.token == lease.token).values(expires_at=0.0)
            )

    def revoke(self, name: str) -> None:
        """Take a lease away from its holder, whose further writes under the lease are refused."""
        with self._database.write() as connection:
            revoke(connection, name)

    def held(self, name: str, ttl: float = USUAL_S) -> bool:
        """Return whether a lease is held now; ``ttl`` is the longest duration for which it is acquired."""
        with self._database.read() as connection:
            query = select(LEASES.c.expires_at).where(LEASES.c.name == name)
            return not is_over(now(connection), connection.execute(query).scalar() or 0.0, ttl)


def lease_name(work: str, project_key: object) -> str:
    """Return the name of the lease under which a kind of work is done on one project."""
    return f"{work}:{project_key}"


def verify(connection: Connection, lease: Lease) -> None:
    """Raise LeaseLost unless `lease` has the newest token of its name and is not released.

    Runs in the caller's transaction and locks the lease's row until its end. The time does not matter: while no other
    holder has taken an expired lease, its token is still the newest.
    """
    row = connection.execute(select(LEASES).where(LEASES.c.name == lease.name).with_for_update()).first()
    if row is None or row.token != lease.token:
        raise LeaseLost(f"{lease.name}: taken over (token {row.token if row else 0}, ours {lease.token})")
    # A released lease keeps its token and has expired at 0.
    if not row.expires_at:
        raise LeaseLost(f"{lease.name}: given back")


def revoke(connection: Connection, name: str) -> None:
    """Do the same as `Leases.revoke`, in the caller's transaction."""
    connection.execute(
        update(LEASES).where(LEASES.c.name == name).values(token=LEASES.c.token + 1, holder="", expires_at=0.0)
    )
