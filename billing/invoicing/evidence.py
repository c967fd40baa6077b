"""An invoice's evidence as one file: everything from which it can be worked out again, offline, to the cent.

The bundle is a ZIP with one spelling (`canonical_zip`). `manifest.json` has the SHA-256 of every other file and is
signed by the platform in `manifest.sig`. The readings carry their agent's own signatures; no key is in the bundle.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from billing.capacity.booking import Booking
from billing.capacity.lease import Lease, LeaseFact
from billing.invoicing import canonical_zip, invoice_json
from billing.invoicing.evidence_json import (
    CaseGap,
    CaseMeter,
    booking_from_json,
    booking_to_json,
    fact_from_json,
    fact_to_json,
    gap_from_json,
    gap_to_json,
    lease_from_json,
    lease_to_json,
    meter_from_json,
    meter_to_json,
)
from billing.invoicing.evidence_keys import sign
from billing.invoicing.invoice import Invoice
from billing.pricing.tariff import Rounding, TariffVersion
from metering.signing import PrivateKey, fingerprint

FORMAT = "spindleshare-evidence/2"
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
INVOICE, EARLIER_INVOICES, TARIFF, ROUNDING = "invoice.json", "invoices-before.json", "tariff.json", "rounding.json"
LEASE, METERS, BOOKINGS, FACTS = "lease.json", "meters.json", "bookings.json", "facts.json"
README = "README.txt"
READINGS, EARLIER_READINGS = "readings.ocmf", "readings-before.ocmf"
GAPS = "gaps.json"
"""Only in bundles of a meter in whose chain a gap was accepted."""
FILES = frozenset(
    (INVOICE, EARLIER_INVOICES, TARIFF, ROUNDING, LEASE, METERS, BOOKINGS, FACTS, README, READINGS, EARLIER_READINGS)
)
_POLICIES = {
    Rounding.LINE: "derived quantities HALF_UP to 4 places; each line HALF_UP to the minor unit; VAT per category and "
    "rate on the sum of the lines, HALF_UP; the total is the sum of these",
    Rounding.SUM: "derived quantities HALF_UP to 4 places; the exact lines of a VAT category and rate are summed and "
    "rounded HALF_UP once, shown in lines by largest remainder; VAT on that sum, HALF_UP; the total is their sum",
}
_HOW = """Evidence of one invoice, to be checked without asking anybody:

    spindleshare verify BUNDLE.zip --keys REGISTRY.json

The registry has the keys of the machine's agent and of the platform. Get it apart from this file.
readings.ocmf has the meter's readings as its agent signed them, one text a line, each linked to the one before. Where
the meter was replaced or the machine swapped, meter follows meter; meters.json says which counted when.
Where gaps.json is there, the records that it names were refused, and the machine's owner accepted the gap.
invoice.json follows from them by tariff.json, lease.json, bookings.json and facts.json; rounding.json says how.
"""


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that an invoice follows from.

    `meters` are those of the lease's machines in order of time; `bookings` those of the machines that touch the
    readings' time, without names for other parties; `facts` the lease's in order of recording; `texts` the sealed
    readings of the lease's use, meter after meter, `texts_before` earlier ones that tell the load spectrum's cells;
    `billed` the invoices issued before for the same lease and period; `gaps` the accepted gaps in the meters' chains
    up to the last of the texts.
    """

    invoice: Invoice
    tariff: TariffVersion
    lease: Lease
    meters: tuple[CaseMeter, ...]
    bookings: tuple[Booking, ...] = ()
    facts: tuple[LeaseFact, ...] = ()
    texts: tuple[str, ...] = ()
    texts_before: tuple[str, ...] = ()
    billed: tuple[Invoice, ...] = ()
    gaps: tuple[CaseGap, ...] = ()


def bundle(case: Case, key: PrivateKey) -> bytes:
    """The bundle of `case`, signed with the platform's `key`; the same case and key give the same bytes."""
    files = case_files(case)
    manifest = canonical(
        {
            "format": FORMAT,
            "invoice": str(case.invoice.id),
            "number": case.invoice.number,
            "platform_key": fingerprint(key.public_key()),
            "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        }
    )
    return canonical_zip.pack({**files, MANIFEST: manifest, SIGNATURE: sign(manifest, key).encode()})


def case_files(case: Case) -> dict[str, bytes]:
    """The files of `case`, without manifest."""
    rounding = case.tariff.rounding
    gaps = {GAPS: canonical([gap_to_json(gap) for gap in case.gaps])} if case.gaps else {}
    return {
        **gaps,
        INVOICE: invoice_json.to_json(case.invoice).encode(),
        EARLIER_INVOICES: canonical([invoice_json.as_object(invoice) for invoice in case.billed]),
        TARIFF: case.tariff.canonical().encode(),
        ROUNDING: canonical({"policy": rounding.value, "meaning": _POLICIES[rounding]}),
        LEASE: canonical(lease_to_json(case.lease)),
        METERS: canonical([meter_to_json(meter) for meter in case.meters]),
        BOOKINGS: canonical([booking_to_json(booking, case.lease) for booking in case.bookings]),
        FACTS: canonical([fact_to_json(fact) for fact in case.facts]),
        READINGS: "".join(text + "\n" for text in case.texts).encode(),
        EARLIER_READINGS: "".join(text + "\n" for text in case.texts_before).encode(),
        README: _HOW.encode(),
    }


def case_from(files: Mapping[str, bytes]) -> Case:
    """The case that `case_files` wrote. Raises ValueError, LookupError or TypeError where it is not one."""
    lease = lease_from_json(json.loads(files[LEASE]))
    bookings = [booking_from_json(entry, lease) for entry in json.loads(files[BOOKINGS])]
    facts = [fact_from_json(entry, lease) for entry in json.loads(files[FACTS])]
    return Case(
        invoice=invoice_json.from_json(files[INVOICE].decode()),
        tariff=TariffVersion.from_json(json.loads(files[TARIFF])),
        lease=lease,
        meters=tuple(meter_from_json(entry) for entry in json.loads(files[METERS])),
        bookings=tuple(bookings),
        facts=tuple(facts),
        texts=tuple(files[READINGS].decode("ascii").splitlines()),
        texts_before=tuple(files[EARLIER_READINGS].decode("ascii").splitlines()),
        billed=tuple(invoice_json.from_object(entry) for entry in json.loads(files[EARLIER_INVOICES])),
        gaps=tuple(gap_from_json(entry) for entry in json.loads(files.get(GAPS, b"[]"))),
    )


def canonical(value: object) -> bytes:
    """JSON with one spelling: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
