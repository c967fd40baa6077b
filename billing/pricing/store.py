"""Where tariff versions become rows and back."""

import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from billing.pricing.tables import TariffVersionRow
from billing.pricing.tariff import TariffVersion

_NAMESPACE = UUID("d1d6a1d0-4b0c-5d4f-8f5d-3f6b3a7ab0c2")


class UnknownTariff(LookupError):
    """There is no such tariff version, or it is not visible to this party."""


class TariffChanged(ValueError):
    """A stored tariff version never changes: give the new content a new version number."""


@dataclass(frozen=True, slots=True)
class StoredTariff:
    """A tariff version as stored, with its id and its owner (the lessor)."""

    id: UUID
    owner_id: UUID
    tariff: TariffVersion

    @property
    def digest(self) -> str:
        return self.tariff.digest()


class TariffStore:
    """Tariff versions, as far as the session's role and party may see them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, owner_id: UUID, tariff: TariffVersion, *, now: datetime) -> UUID:
        """Store the version and return its id; the same again is a no-op, other content raises TariffChanged."""
        found = tariff_version_id(owner_id, tariff.code, tariff.version)
        values = {
            "id": found,
            "owner_id": owner_id,
            "code": tariff.code,
            "version": tariff.version,
            "title": tariff.title,
            "currency": tariff.currency,
            "content": tariff.canonical(),
            "digest": tariff.digest(),
            "recorded_at": now,
        }
        self._session.execute(insert(TariffVersionRow).values(values).on_conflict_do_nothing())
        if self.stored(found).digest != tariff.digest():
            raise TariffChanged(
                f"{tariff.code} version {tariff.version} is stored with other content: raise its version"
            )
        return found

    def stored(self, tariff_version: UUID) -> StoredTariff:
        """The version with its owner. Raises UnknownTariff."""
        row = self._session.get(TariffVersionRow, tariff_version)
        if row is None:
            raise UnknownTariff(f"no tariff version {tariff_version} that you may see")
        return _value(row)

    def version(self, tariff_version: UUID) -> TariffVersion:
        """The version's value. Raises UnknownTariff."""
        return self.stored(tariff_version).tariff

    def owned_by(self, owner_id: UUID) -> list[StoredTariff]:
        """An owner's versions by code and version."""
        query = select(TariffVersionRow).where(TariffVersionRow.owner_id == owner_id)
        rows = self._session.exec(query.order_by(col(TariffVersionRow.code), col(TariffVersionRow.version)))
        return [_value(row) for row in rows]


def tariff_version_id(owner_id: UUID, code: str, version: int) -> UUID:
    """The id of an owner's tariff version."""
    return uuid5(_NAMESPACE, f"{owner_id}/{code}/{version}")


def _value(row: TariffVersionRow) -> StoredTariff:
    return StoredTariff(row.id, row.owner_id, TariffVersion.from_json(json.loads(row.content)))
