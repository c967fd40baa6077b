"""Payments: card links and events, bank statements, payments and their allocation to invoices.

Revision ID: 0006
Revises: 0005
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from metering.parties.row_security import APP, PARTY, protect

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Checked at commit: what is allocated stays within the payment, and within what the invoice asks for.
_WITHIN = """
    CREATE FUNCTION allocation_within() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
    BEGIN
        IF (SELECT coalesce(sum(amount_minor), 0) FROM allocation
            WHERE payment_id = NEW.payment_id AND undone_at IS NULL)
           > (SELECT amount_minor FROM payment WHERE id = NEW.payment_id) THEN
            RAISE EXCEPTION 'more is allocated than payment % brought', NEW.payment_id
                USING ERRCODE = 'check_violation';
        END IF;
        IF (SELECT coalesce(sum(amount_minor), 0) FROM allocation
            WHERE invoice_id = NEW.invoice_id AND undone_at IS NULL)
           > (SELECT total_minor FROM invoice WHERE id = NEW.invoice_id) THEN
            RAISE EXCEPTION 'more is allocated to invoice % than it asks for', NEW.invoice_id
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END
    $$
"""
_TABLES = ("allocation", "payment", "bank_transaction", "bank_statement", "stripe_event", "stripe_link")
# A lessee sees how its invoices were paid; only the lessor (and the worker) writes that down.
_LESSOR_WRITES = ("payment", "allocation")


def upgrade() -> None:
    _create_stripe()
    _create_bank()
    _create_payments()
    for statement in (
        *protect("stripe_link", ["lessor_id", "lessee_id"]),
        *protect("stripe_event", ["lessor_id", "lessee_id"]),
        *protect("bank_statement", ["owner_id"]),
        *protect("bank_transaction", ["owner_id"]),
        *protect("payment", ["lessor_id", "lessee_id"]),
        *protect("allocation", ["lessor_id", "lessee_id"]),
    ):
        op.execute(statement)
    for table in _LESSOR_WRITES:
        for verb, test in (("INSERT", "WITH CHECK"), ("UPDATE", "USING")):
            op.execute(
                f"CREATE POLICY lessor_{verb.lower()} ON {table} AS RESTRICTIVE FOR {verb} TO {APP} "
                f"{test} (lessor_id = {PARTY})"
            )
    # Events come from the payment provider alone: the service's users read theirs and write none.
    op.execute(f"REVOKE INSERT, UPDATE ON stripe_event FROM {APP}")
    op.execute(f"REVOKE UPDATE ON bank_statement, bank_transaction FROM {APP}")
    op.execute(_WITHIN)
    op.execute(
        "CREATE CONSTRAINT TRIGGER allocation_within AFTER INSERT OR UPDATE ON allocation "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION allocation_within()"
    )


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)
    op.execute("DROP FUNCTION allocation_within()")


def _create_stripe() -> None:
    op.create_table(
        "stripe_link",
        sa.Column("id", sa.Uuid(), primary_key=True),
        _foreign("invoice_id", "invoice.id"),
        *_parties(),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False, unique=True),
        *_texts("url"),
        *_money("amount_minor"),
        *_texts("state"),
        _moment("expires_at"),
        _moment("recorded_at"),
        sa.CheckConstraint("state IN ('open', 'paid', 'closed')", name="stripe_link_state"),
    )
    op.create_index("stripe_link_attempt", "stripe_link", ["invoice_id", "attempt"], unique=True)
    op.create_table(
        "stripe_event",
        sa.Column("id", sa.Text(), primary_key=True),
        *_texts("kind"),
        _moment("made_at"),
        sa.Column("payload", JSONB(), nullable=False),
        *_texts("came_by", "outcome"),
        *_parties(nullable=True),
        _moment("recorded_at"),
    )
    op.create_index("stripe_event_made", "stripe_event", ["made_at"])


def _create_bank() -> None:
    op.create_table(
        "bank_statement",
        sa.Column("id", sa.Uuid(), primary_key=True),
        _foreign("owner_id", "organisation.id"),
        *_texts("account", "number"),
        *_money("opening_minor", "closing_minor"),
        sa.Column("closing_on", sa.Date(), nullable=True),
        *_texts("digest", "file_digest"),
        _moment("recorded_at"),
    )
    op.create_table(
        "bank_transaction",
        sa.Column("id", sa.Uuid(), primary_key=True),
        _foreign("statement_id", "bank_statement.id"),
        _foreign("owner_id", "organisation.id"),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("value_on", sa.Date(), nullable=False),
        *_money("amount_minor"),
        *_texts("entry_reference", "code", "party", "party_account", "end_to_end_id", "returned"),
        sa.Column("creditor_references", JSONB(), nullable=False),
        sa.Column("remittance", JSONB(), nullable=False),
    )
    op.create_index("bank_transaction_booked", "bank_transaction", ["owner_id", "booked_on"])


def _create_payments() -> None:
    op.create_table(
        "payment",
        sa.Column("id", sa.Uuid(), primary_key=True),
        *_parties(),
        *_money("amount_minor", "fee_minor"),
        sa.Column("received_on", sa.Date(), nullable=False),
        _foreign("bank_transaction_id", "bank_transaction.id", nullable=True),
        sa.Column("stripe_intent_id", sa.Text(), nullable=True, unique=True),
        _moment("undone_at", nullable=True),
        _moment("recorded_at"),
        sa.CheckConstraint("amount_minor > 0", name="payment_positive"),
        sa.CheckConstraint("(bank_transaction_id IS NULL) <> (stripe_intent_id IS NULL)", name="payment_source"),
    )
    _in_force("payment_of_transaction", "payment", "bank_transaction_id", unique=True)
    op.create_table(
        "allocation",
        sa.Column("id", sa.Uuid(), primary_key=True),
        _foreign("payment_id", "payment.id"),
        _foreign("invoice_id", "invoice.id"),
        *_parties(),
        *_money("amount_minor"),
        *_texts("decided_by", "reason"),
        sa.Column("undone_by", sa.Text(), nullable=True),
        _moment("undone_at", nullable=True),
        _moment("recorded_at"),
    )
    _in_force("allocation_invoice", "allocation", "invoice_id", unique=False)
    op.create_index("allocation_payment", "allocation", ["payment_id"])


def _in_force(name: str, table: str, column: str, *, unique: bool) -> None:
    op.create_index(name, table, [column], unique=unique, postgresql_where=sa.text("undone_at IS NULL"))


def _parties(*, nullable: bool = False) -> Sequence["sa.Column[object]"]:
    return [_foreign(name, "organisation.id", nullable=nullable) for name in ("lessor_id", "lessee_id")]


def _foreign(name: str, target: str, *, nullable: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.Uuid(), sa.ForeignKey(target), nullable=nullable)


def _texts(*names: str) -> Sequence["sa.Column[object]"]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _money(*names: str) -> Sequence["sa.Column[object]"]:
    amounts: list[sa.Column[object]] = [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]
    return [*amounts, sa.Column("currency", sa.CHAR(3), nullable=False)]


def _moment(name: str, *, nullable: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)
