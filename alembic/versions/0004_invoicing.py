"""Invoices and their lines, gapless counters, closes that were parked. Issued invoices cannot be changed.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, ExcludeConstraint

from metering.parties.row_security import ANALYST, PARTY, WORKER, protect

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_FUNCTIONS = (
    """
    CREATE FUNCTION invoice_frozen() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
    DECLARE lines bigint;
    BEGIN
        IF OLD.status IN ('issued', 'void') THEN
            RAISE EXCEPTION 'invoice % is % and stays as it is: correct it by a record of its own', OLD.id, OLD.status
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        IF NEW.status = 'issued' THEN
            SELECT coalesce(sum(amount_minor), 0) INTO lines FROM invoice_line WHERE invoice_id = NEW.id;
            IF lines <> NEW.net_minor THEN
                RAISE EXCEPTION 'invoice % says net % but its lines sum to %', NEW.id, NEW.net_minor, lines
                    USING ERRCODE = 'check_violation';
            END IF;
        END IF;
        RETURN NEW;
    END
    $$
    """,
    """
    CREATE FUNCTION invoice_line_frozen() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
    DECLARE changed uuid := CASE WHEN TG_OP = 'INSERT' THEN NEW.invoice_id ELSE OLD.invoice_id END;
    BEGIN
        IF EXISTS (SELECT FROM invoice WHERE id = changed AND status IN ('issued', 'void')) THEN
            RAISE EXCEPTION 'the lines of invoice % stay as they are: it is issued or void', changed
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        RETURN NEW;
    END
    $$
    """,
)
_TRIGGERS = (
    "CREATE TRIGGER frozen BEFORE UPDATE OR DELETE ON invoice FOR EACH ROW EXECUTE FUNCTION invoice_frozen()",
    "CREATE TRIGGER frozen BEFORE INSERT OR UPDATE OR DELETE ON invoice_line "
    "FOR EACH ROW EXECUTE FUNCTION invoice_line_frozen()",
)


def upgrade() -> None:
    _create_invoice()
    _create_line()
    op.create_table(
        "invoice_counter",
        sa.Column("owner_id", sa.Uuid(), sa.ForeignKey("organisation.id"), primary_key=True),
        sa.Column("series", sa.Text(), primary_key=True),
        sa.Column("year", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("last", sa.Integer(), nullable=False),
    )
    op.create_table(
        "parked_close",
        sa.Column("lease_id", sa.Uuid(), sa.ForeignKey("lease.id"), primary_key=True),
        sa.Column("period_start", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("period_end", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("lessor_id", sa.Uuid(), sa.ForeignKey("organisation.id"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "due_close",
        sa.Column("period_start", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("period_end", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
    )
    for statement in (*_FUNCTIONS, *_TRIGGERS, *_protection()):
        op.execute(statement)


def downgrade() -> None:
    for table in ("due_close", "parked_close", "invoice_counter", "invoice_line", "invoice"):
        op.drop_table(table)
    op.execute("DROP FUNCTION invoice_line_frozen()")
    op.execute("DROP FUNCTION invoice_frozen()")


def _create_invoice() -> None:
    op.create_table(
        "invoice",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("lease_id", sa.Uuid(), sa.ForeignKey("lease.id"), nullable=False),
        sa.Column("lessor_id", sa.Uuid(), sa.ForeignKey("organisation.id"), nullable=False),
        sa.Column("lessee_id", sa.Uuid(), sa.ForeignKey("organisation.id"), nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("number", sa.Text()),
        sa.Column("reference", sa.Text()),
        sa.Column("invoice_date", sa.Date()),
        sa.Column("due_date", sa.Date()),
        sa.Column("currency", sa.CHAR(3), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("net_minor", "tax_minor", "total_minor")),
        *(sa.Column(name, JSONB(), nullable=False) for name in ("seller", "buyer", "terms")),
        sa.Column("replayed", sa.Boolean(), nullable=False),
        sa.Column("held", sa.Text()),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True)),
        sa.Column("known_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("lease_id", "period_start", "period_end", "ordinal", name="invoice_natural_key"),
        sa.UniqueConstraint("lessor_id", "number", name="invoice_number_once"),
        sa.CheckConstraint("status IN ('draft', 'review', 'issued', 'void')", name="invoice_status"),
        sa.CheckConstraint("total_minor = net_minor + tax_minor", name="invoice_adds_up"),
        sa.CheckConstraint(
            "status <> 'issued' OR (number IS NOT NULL AND invoice_date IS NOT NULL AND due_date IS NOT NULL"
            " AND issued_at IS NOT NULL AND held IS NULL)",
            name="invoice_issued_whole",
        ),
        ExcludeConstraint(
            ("lease_id", "="),
            (sa.text("tstzrange(period_start, period_end)"), "&&"),
            where="ordinal = 0 AND status <> 'void'",
            using="gist",
            name="invoice_no_overlap",
        ),
    )
    op.create_index("invoice_status_period", "invoice", ["status", "period_start"])
    op.create_index("invoice_reference", "invoice", ["reference"])
    op.create_index("invoice_lessee", "invoice", ["lessee_id"])


def _create_line() -> None:
    op.create_table(
        "invoice_line",
        sa.Column("invoice_id", sa.Uuid(), sa.ForeignKey("invoice.id"), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("lessor_id", sa.Uuid(), sa.ForeignKey("organisation.id"), nullable=False),
        sa.Column("lessee_id", sa.Uuid(), sa.ForeignKey("organisation.id"), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("code", "description", "category")),
        sa.Column("quantity", sa.Numeric()),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("price", sa.Numeric()),
        sa.Column("precise", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("vat_category", sa.Text(), nullable=False),
        sa.Column("vat_rate", sa.Numeric(), nullable=False),
        sa.Column("working", JSONB(), nullable=False),
        sa.Column("evidence", JSONB(), nullable=False),
    )


def _protection() -> list[str]:
    """Both parties see an invoice, only the lessor changes it; drafts' lines are replaced, so they may be deleted."""
    statements = [
        *protect("invoice", ["lessor_id", "lessee_id"]),
        *protect("invoice_line", ["lessor_id", "lessee_id"]),
        *protect("invoice_counter", ["owner_id"]),
        *protect("parked_close", ["lessor_id"]),
        "REVOKE ALL ON due_close FROM spindleshare_app",
        "ALTER TABLE due_close ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE due_close FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY worker ON due_close TO {WORKER} USING (true) WITH CHECK (true)",
        f"CREATE POLICY analyst ON due_close FOR SELECT TO {ANALYST} USING (true)",
        "GRANT DELETE ON invoice_line, parked_close TO spindleshare_app, spindleshare_worker",
    ]
    mine = f"lessor_id = {PARTY}"
    for table in ("invoice", "invoice_line"):
        for verb, clause in (("INSERT", "WITH CHECK"), ("UPDATE", "USING"), ("DELETE", "USING")):
            statements.append(
                f"CREATE POLICY lessor_{verb.lower()} ON {table} AS RESTRICTIVE FOR {verb} TO spindleshare_app "
                f"{clause} ({mine})"
            )
    return statements
