"""The ledger: append-only entries that sum to zero at commit, and the record of closed periods.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

from metering.parties.row_security import protect

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_CHART = (
    ("cash", "1000", "asset", "money at the bank, as its statements show it"),
    ("clearing", "1050", "asset", "card money that the payment provider holds until it pays out"),
    ("receivable", "1100", "asset", "what lessees owe on issued invoices"),
    ("deposits", "2100", "liability", "deposits taken, owed back until forfeited"),
    ("prepaid", "2200", "liability", "money received that no invoice claims yet"),
    ("vat_output", "2300", "liability", "value added tax charged, owed to the tax office"),
    ("revenue.lease_fixed", "4000", "revenue", "fixed lease payments: base fee, minimum"),
    ("revenue.lease_variable", "4010", "revenue", "lease payments that depend on use: runtime, wear, travel"),
    ("revenue.service", "4100", "revenue", "services beside the lease"),
    ("revenue.energy", "4200", "revenue", "energy passed on"),
    ("revenue.penalty", "4300", "revenue", "late cancellation, no-show, damage"),
    ("fees", "6000", "expense", "what payment providers and banks keep"),
    ("write_off", "6100", "expense", "receivables given up"),
)
# Checked at commit, when an entry and all its postings are there. An entry without postings is refused as well, and so
# is a posting added later, since the sum is then no longer zero.
_BALANCED = """
    CREATE FUNCTION entry_balanced() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
    DECLARE entry uuid; wrong text;
    BEGIN
        IF TG_TABLE_NAME = 'posting' THEN entry := NEW.entry_id; ELSE entry := NEW.id; END IF;
        IF NOT EXISTS (SELECT FROM posting WHERE entry_id = entry) THEN
            RAISE EXCEPTION 'entry % has no postings', entry USING ERRCODE = 'check_violation';
        END IF;
        SELECT string_agg(format('%s %s', left_over, currency), ', ') INTO wrong FROM (
            SELECT currency, sum(amount_minor) AS left_over FROM posting WHERE entry_id = entry GROUP BY currency
        ) AS sums WHERE left_over <> 0;
        IF wrong IS NOT NULL THEN
            RAISE EXCEPTION 'entry % does not sum to zero: % minor units are left', entry, wrong
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END
    $$
"""
_APPEND_ONLY = """
    CREATE FUNCTION ledger_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the ledger is append-only: % of % is refused, book a reversal', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END
    $$
"""
_TABLES = ("journal_entry", "posting", "period_close")


def upgrade() -> None:
    op.create_table(
        "ledger_account",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("number", sa.Text(), nullable=False, unique=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("meaning", sa.Text(), nullable=False),
    )
    _create_entries()
    op.create_table(
        "period_close",
        sa.Column("owner_id", sa.Uuid(), sa.ForeignKey("organisation.id"), primary_key=True),
        sa.Column("first_day", sa.Date(), primary_key=True),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
    )
    columns = [sa.column(name, sa.Text()) for name in ("name", "number", "kind", "meaning")]
    op.bulk_insert(
        sa.table("ledger_account", *columns),
        [dict(zip(("name", "number", "kind", "meaning"), account, strict=True)) for account in _CHART],
    )
    for statement in (_BALANCED, _APPEND_ONLY, *_guards()):
        op.execute(statement)


def downgrade() -> None:
    for table in ("period_close", "posting", "journal_entry", "ledger_account"):
        op.drop_table(table)
    op.execute("DROP FUNCTION ledger_append_only()")
    op.execute("DROP FUNCTION entry_balanced()")


def _create_entries() -> None:
    op.create_table(
        "journal_entry",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("owner_id", sa.Uuid(), sa.ForeignKey("organisation.id"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.UniqueConstraint("source", "source_id", name="journal_entry_source"),
    )
    op.create_index("journal_entry_booked", "journal_entry", ["owner_id", "booked_on"])
    op.create_table(
        "posting",
        sa.Column("entry_id", sa.Uuid(), sa.ForeignKey("journal_entry.id"), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("owner_id", sa.Uuid(), sa.ForeignKey("organisation.id"), nullable=False),
        sa.Column("account", sa.Text(), sa.ForeignKey("ledger_account.name"), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.CHAR(3), nullable=False),
        sa.Column("counterparty_id", sa.Uuid(), sa.ForeignKey("organisation.id")),
    )
    op.create_index("posting_account", "posting", ["owner_id", "account"])
    op.create_index("posting_counterparty", "posting", ["counterparty_id"])


def _guards() -> list[str]:
    statements = [
        "REVOKE INSERT, UPDATE ON ledger_account FROM spindleshare_app, spindleshare_worker",
        "ALTER TABLE ledger_account ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY everybody ON ledger_account FOR SELECT USING (true)",
    ]
    for table in _TABLES:
        statements += protect(table, ["owner_id"])
        statements.append(f"REVOKE UPDATE ON {table} FROM spindleshare_app, spindleshare_worker")
        statements.append(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()"
        )
    for table in ("journal_entry", "posting"):
        statements.append(
            f"CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION entry_balanced()"
        )
    return statements
