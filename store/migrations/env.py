"""Alembic's entry point: runs on the connection and in the transaction that `store.database` hands over."""

from alembic import context

from store.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
