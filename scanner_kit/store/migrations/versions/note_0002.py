"""What a scheduled scanner said of a trigger."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column."""
    op.add_column("triggers", sa.Column("note", sa.Text))
