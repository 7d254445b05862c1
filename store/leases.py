"""Leases with fencing tokens: who may work on what, even when a process stops for a while and comes back.

Each taking of a lease grows its token. Whoever writes under a lease proves in the same transaction that its token is
still the newest, so a process that slept through its lease's end cannot write after its successor has begun
(fencing: Kleppmann, "How to do distributed locking", 2016).
"""

from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from store.database import Database, insert_missing, is_over, now
from store.tables import LEASES

USUAL_S = 60.0  # leases are given for less, or whoever asks about them says for how long


class LeaseLost(Exception):  # noqa: N818 - the field's word
    """The lease ended or somebody else has it: stop, write nothing more."""


@dataclass(frozen=True)
class Lease:
    """The right to work under `name` until it expires, with the token that proves it."""

    name: str
    holder: str
    token: int


class Leases:
    """All leases. A holder is any text that names one process (or one job) among all."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire(self, name: str, holder: str, ttl: float) -> Lease | None:
        """The lease for `ttl` seconds; None while another holder has it."""
        with self._database.write() as connection:
            insert_missing(connection, LEASES, {"name": name, "holder": "", "token": 0, "expires_at": 0.0})
            row = connection.execute(select(LEASES).where(LEASES.c.name == name).with_for_update()).one()
            at = now(connection)
            if row.holder != holder and not is_over(at, row.expires_at, max(ttl, USUAL_S)):
                return None
            lease = Lease(name, holder, row.token + 1)
            values = {"holder": holder, "token": lease.token, "expires_at": at + ttl}
            connection.execute(update(LEASES).where(LEASES.c.name == name).values(values))
            return lease

    def renew(self, lease: Lease, ttl: float) -> None:
        """Hold it for `ttl` seconds from now. LeaseLost when it was given back or went to another.

        After it has expired too, if nobody took it: a database that was locked for a while ends no work.
        """
        with self._database.write() as connection:
            verify(connection, lease)
            until = now(connection) + ttl
            connection.execute(update(LEASES).where(LEASES.c.name == lease.name).values(expires_at=until))

    def release(self, lease: Lease) -> None:
        """Give it back; nothing happens when it is already another's."""
        with self._database.write() as connection:
            connection.execute(
                update(LEASES).where(LEASES.c.name == lease.name, LEASES.c.token == lease.token).values(expires_at=0.0)
            )

    def revoke(self, name: str) -> None:
        """Take it from whoever has it: what that process still writes under it is refused."""
        with self._database.write() as connection:
            revoke(connection, name)

    def held(self, name: str, ttl: float = USUAL_S) -> bool:
        """Whether anybody holds it now; ``ttl`` is the longest that it is given for."""
        with self._database.read() as connection:
            query = select(LEASES.c.expires_at).where(LEASES.c.name == name)
            return not is_over(now(connection), connection.execute(query).scalar() or 0.0, ttl)


def verify(connection: Connection, lease: Lease) -> None:
    """LeaseLost unless `lease` is the newest of its name and held; part of the caller's transaction.

    Its token alone decides: who takes an expired lease grows that, and then what its holder still writes is refused.
    """
    row = connection.execute(select(LEASES).where(LEASES.c.name == lease.name).with_for_update()).first()
    if row is None or row.token != lease.token:
        raise LeaseLost(f"{lease.name}: taken over (token {row.token if row else 0}, ours {lease.token})")
    if not row.expires_at:
        raise LeaseLost(f"{lease.name}: given back")


def revoke(connection: Connection, name: str) -> None:
    """See `Leases.revoke`; part of the caller's transaction."""
    connection.execute(
        update(LEASES).where(LEASES.c.name == name).values(token=LEASES.c.token + 1, holder="", expires_at=0.0)
    )
