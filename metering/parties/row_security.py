"""SQL for migrations: who may see which rows, by party. See the README for the rules."""

from itertools import combinations

APP, WORKER, ANALYST = "spindleshare_app", "spindleshare_worker", "spindleshare_analyst"
# A subquery, so that the party is looked up once a statement and not once a row.
PARTY = "(SELECT spindleshare_party())"

FUNCTIONS = (
    """
    CREATE FUNCTION spindleshare_party() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('spindleshare.party', true), '')::uuid
    """,
    # Runs with the owner's rights: the app role itself may not declare whom it knows.
    """
    CREATE FUNCTION spindleshare_introduce() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
        EXECUTE format(
            'INSERT INTO public.acquaintance (organisation_id, known_id)
             SELECT %1$I, %2$I FROM fresh WHERE %1$I <> %2$I
             UNION SELECT %2$I, %1$I FROM fresh WHERE %1$I <> %2$I
             ON CONFLICT DO NOTHING', TG_ARGV[0], TG_ARGV[1]);
        RETURN NULL;
    END
    $$
    """,
)


def protect(table: str, party_columns: list[str]) -> list[str]:
    """Statements that close `table` to all but the parties named in its `party_columns`.

    The app role then sees and writes rows where the transaction's party is one of them, the worker all, the analyst
    reads all. A table with two or three parties also introduces them to each other.
    """
    mine = " OR ".join(f"{column} = {PARTY}" for column in party_columns)
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY party ON {table} TO {APP} USING ({mine}) WITH CHECK ({mine})",
        *_see_all(table),
        *(_introduces(table, first, second) for first, second in combinations(party_columns, 2)),
    ]


def protect_organisation() -> list[str]:
    """As `protect`, for the organisations themselves: seen by themselves and those they know, changed by themselves."""
    known = f"EXISTS (SELECT FROM acquaintance WHERE organisation_id = {PARTY} AND known_id = organisation.id)"
    return [
        "ALTER TABLE organisation ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE organisation FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY seen ON organisation FOR SELECT TO {APP} USING (id = {PARTY} OR {known})",
        f"CREATE POLICY party ON organisation FOR UPDATE TO {APP} USING (id = {PARTY}) WITH CHECK (id = {PARTY})",
        *_see_all("organisation"),
    ]


def protect_acquaintance() -> list[str]:
    """Each sees whom it knows; only the owner's trigger and the worker write, so the owner is not forced here."""
    return [
        "ALTER TABLE acquaintance ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY seen ON acquaintance FOR SELECT TO {APP} USING (organisation_id = {PARTY})",
        *_see_all("acquaintance"),
    ]


def _see_all(table: str) -> list[str]:
    return [
        f"CREATE POLICY worker ON {table} TO {WORKER} USING (true) WITH CHECK (true)",
        f"CREATE POLICY analyst ON {table} FOR SELECT TO {ANALYST} USING (true)",
    ]


def _introduces(table: str, first: str, second: str) -> str:
    return (
        f"CREATE TRIGGER introduce_{first}_{second} AFTER INSERT ON {table} REFERENCING NEW TABLE AS fresh "
        f"FOR EACH STATEMENT EXECUTE FUNCTION spindleshare_introduce('{first}', '{second}')"
    )
