"""A ref says which model its vectors are of and which is being made; vectors are int8 codes."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

COLUMNS = ("embedding", "embedding_model", "pending", "progress")


def upgrade() -> None:
    for name in COLUMNS:
        op.add_column("refs", sa.Column(name, sa.Text))
    op.execute("DELETE FROM vectors")  # float32 vectors of texts that are now made up otherwise


def downgrade() -> None:
    op.execute("DELETE FROM vectors")
    for name in COLUMNS:
        op.drop_column("refs", name)
