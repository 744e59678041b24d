"""How the tables of a store came to be, step by step; run under a lock, for several processes begin at once."""

from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from scanner_kit.store.connection import Database
from scanner_kit.store.faults import StoreError


def migrate(database: Database) -> None:
    """Bring the tables of a store to what this version needs; nothing is done where they are so already."""
    script = _script()
    with database.reading() as connection:
        if revision_of(connection) == script.get_current_head():
            return
    with database.writing() as connection:
        _check_known(database, script, revision_of(connection))
        _upgrade(connection, script)


def check(database: Database) -> None:
    """`StoreError` where the tables of a store are not what this version needs."""
    script = _script()
    with database.reading() as connection:
        found = revision_of(connection)
    _check_known(database, script, found)
    if found != script.get_current_head():
        raise StoreError(
            f"The store {database.url} has tables of {found or 'none'}, and this version needs "
            f"{script.get_current_head()}. Run scanner-kit store migrate."
        )


def revision_of(connection: Connection) -> str | None:
    """The last step that was made; None of an empty store."""
    return MigrationContext.configure(connection).get_current_revision()


def _script() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def _check_known(database: Database, script: ScriptDirectory, found: str | None) -> None:
    known = {step.revision for step in script.walk_revisions()}
    if found is not None and found not in known:
        raise StoreError(
            f"The store {database.url} has tables of {found}, which this version does not know: a later one made them. "
            "Install that one, or name another store."
        )


def _upgrade(connection: Connection, script: ScriptDirectory) -> None:
    def steps(found: Any, _: Any) -> Any:
        return script._upgrade_revs("heads", found)

    config = Config()
    with EnvironmentContext(config, script, fn=steps, destination_rev="heads") as environment:
        environment.configure(connection=connection, render_as_batch=connection.dialect.name == "sqlite")
        environment.run_migrations()
