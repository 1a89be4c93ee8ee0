"""Superset's own database: made or brought up to date, with the dashboards as the project has them.

    python -m bi.prepare

Run before every start. Everything is replaced, nothing is added twice.
"""

from __future__ import annotations

from typing import Any

from bi.app import create
from bi.assets import bundle


def prepare() -> None:
    """Migrate, make roles and the administrator, import the dashboards, let everybody look."""
    app = create()
    with app.app_context():
        from flask_migrate import upgrade
        from superset import security_manager
        from superset.utils.core import override_user

        upgrade()
        app.appbuilder.add_permissions(update_perms=True)
        security_manager.sync_role_definitions()
        admin = _administrator(app.config["ADMIN_PASSWORD"])
        with override_user(admin):
            _import()
        _let_everybody_look()


def export() -> dict[str, str]:
    """Return every dashboard with all it needs, as Superset exports it. Needs an app's context."""
    from superset import security_manager
    from superset.commands.dashboard.export import ExportDashboardsCommand
    from superset.extensions import db
    from superset.models.dashboard import Dashboard
    from superset.utils.core import override_user

    with override_user(security_manager.find_user(username="admin")):
        numbers = [number for (number,) in db.session.query(Dashboard.id)]
        return {path: content() for path, content in ExportDashboardsCommand(numbers).run()}


def _administrator(password: str) -> Any:
    from superset import security_manager

    return security_manager.find_user(username="admin") or security_manager.add_user(
        "admin", "Local", "Administrator", "admin@localhost",
        security_manager.find_role("Admin"), password=password,
    )  # fmt: skip


def _import() -> None:
    from superset.commands.importers.v1.assets import ImportAssetsCommand
    from superset.connectors.sqla.models import SqlaTable
    from superset.extensions import db

    ImportAssetsCommand(bundle()).run()
    for dataset in db.session.query(SqlaTable):
        dataset.fetch_metadata()
    db.session.commit()


def _let_everybody_look() -> None:
    from superset import security_manager
    from superset.extensions import db
    from superset.models.core import Database

    for database in db.session.query(Database):
        grant = security_manager.add_permission_view_menu("database_access", database.perm)
        security_manager.add_permission_role(security_manager.find_role("Public"), grant)


if __name__ == "__main__":
    prepare()
