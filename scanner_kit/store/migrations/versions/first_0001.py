"""The first tables: triggers, boards, versions of settings, audit and progress."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    json = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "triggers",
        sa.Column("id", number, primary_key=True),
        sa.Column("identity", sa.String(16), nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("k", sa.SmallInteger, nullable=False),
        sa.Column("moment", sa.BigInteger, nullable=False),
        sa.Column("session", sa.String(8), nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("scanner", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("side", sa.SmallInteger, nullable=False),
        sa.Column("price", sa.Double),
        sa.Column("level", sa.Double),
        sa.Column("score", sa.Double),
        sa.Column("severity", sa.Double, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("stop", sa.Double),
        sa.Column("distance", sa.Double),
        sa.Column("shares", sa.Double),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("intrabar", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer),
        sa.Column("late", sa.Double, nullable=False),
        sa.Column("entry", sa.Text, nullable=False),
        sa.Column("metrics", json, nullable=False),
    )
    op.create_index("triggers_identity", "triggers", ["identity"], unique=True)
    for name, columns in (
        ("time", ["day", "moment", "id", "severity", "scanner", "kind", "symbol"]),
        ("symbol", ["symbol", "day", "moment", "id", "severity", "scanner", "kind"]),
        ("scanner", ["scanner", "day", "moment", "id", "severity", "kind", "symbol"]),
        ("severity", ["severity", "day", "moment", "id", "scanner", "kind", "symbol"]),
    ):
        op.create_index(f"triggers_by_{name}", "triggers", columns)
    op.create_table(
        "tallies",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("scanner", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("triggers", sa.Integer, nullable=False),
    )
    op.create_table(
        "boards",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("k", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("moment", sa.BigInteger, nullable=False),
        sa.Column("entry", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "versions",
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("moment", sa.BigInteger, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("base", sa.Integer, nullable=False),
        sa.Column("of_file", sa.Boolean, nullable=False),
        sa.Column("content", sa.String(64), nullable=False),
        sa.Column("thresholds", json, nullable=False),
        sa.Column("changes", json, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("id", number, primary_key=True),
        sa.Column("moment", sa.BigInteger, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("detail", json, nullable=False),
    )
    op.create_index("audit_by_who", "audit", ["who", "id"])
    op.create_index("audit_by_what", "audit", ["what", "id"])
    op.create_table(
        "progress",
        sa.Column("consumer", sa.Text, primary_key=True),
        sa.Column("stream", sa.Text, primary_key=True),
        sa.Column("last_id", sa.Text, nullable=False),
        sa.Column("moment", sa.BigInteger, nullable=False),
    )
