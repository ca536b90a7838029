"""Alembic's entry: migrations run as the owner of the database, in one transaction."""

from alembic import context
from sqlalchemy import create_engine, pool

from schema.tables import metadata

url = context.config.attributes["url"]
engine = create_engine(url, poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
