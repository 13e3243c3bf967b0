from collections.abc import Callable

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect

from app.extensions import db
from services.upkeep.schema import migrations_behind
from tests.conftest import SERVER


def test_models_and_migrations_agree(app: Flask) -> None:
    with app.app_context(), db.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), db.metadata) == []


def test_every_migration_can_be_undone_and_done_again(
    make_app: Callable[..., Flask], request: pytest.FixtureRequest, tmp_path: object
) -> None:
    url = f"sqlite:///{tmp_path}/updown.db"
    if "postgresql" in request.node.callspec.id:
        with psycopg.connect(SERVER, autocommit=True) as server:
            server.execute("DROP DATABASE IF EXISTS pokea_test_updown")
            server.execute("CREATE DATABASE pokea_test_updown")
        url = SERVER.rpartition("/")[0].replace("postgresql://", "postgresql+psycopg://") + "/pokea_test_updown"
    app = make_app(database_url=url)
    with app.app_context():
        assert migrations_behind() == 6
        upgrade()
        assert migrations_behind() == 0
        made = set(inspect(db.engine).get_table_names())
        downgrade(revision="base")
        assert set(inspect(db.engine).get_table_names()) == {"alembic_version"}
        upgrade()
        assert set(inspect(db.engine).get_table_names()) == made >= {"callbacks", "ussd_sessions", "api_keys", "invocations", "recipients"}
        db.engine.dispose()
    if "postgresql" in request.node.callspec.id:
        with psycopg.connect(SERVER, autocommit=True) as server:
            server.execute("DROP DATABASE pokea_test_updown WITH (FORCE)")
