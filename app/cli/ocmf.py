"""`spindleshare ocmf`: what signed meter records of any make say, and whether they verify; no database is asked."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from xml.sax.saxutils import escape, quoteattr

import typer

if TYPE_CHECKING:
    from metering.ocmf_public import PublicReading, PublicRecord
    from metering.ocmf_transaction import Transaction

_LARGEST_BYTES = 50_000_000
_VERIFIED = "verified"


class NotOcmf(ValueError):
    """The file holds no OCMF record: give one `OCMF|...` text a line, or the transparency software's XML."""


@dataclass(frozen=True, slots=True)
class Told:
    """A record's text as a file holds it; `transaction` groups texts, `key` is empty where the file gives none."""

    text: str
    transaction: str
    key: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A record, or why it cannot be read; `verdict` is `verified` or says what is wrong with the signature."""

    told: Told
    record: "PublicRecord | None"
    verdict: str


def ocmf(
    file: Annotated[
        Path, typer.Argument(help="Records, one text a line, or the transparency software's XML.", dir_okay=False)
    ],
    *,
    key: Annotated[
        str, typer.Option(metavar="KEY", help="Public key: a file, or its hex or base64. Goes before the file's own.")
    ] = "",
    xml: Annotated[
        Path | None, typer.Option(metavar="OUT.xml", help="Write the records as the transparency software opens them.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show what OCMF records say, check their signatures, and judge each transaction as calibration law does.

    Exit codes: 0 all verify · 1 a signature or a record is wrong, or there is no key · 3 the file cannot be read.
    """
    given = _key(key)
    checked = [_check(Told(told.text, told.transaction, given or told.key)) for told in _told(_content(file))]
    if not checked:
        raise NotOcmf
    if xml is not None:
        xml.write_text(_as_xml(checked), encoding="utf-8")
    groups = _grouped(checked)
    if as_json:
        typer.echo(json.dumps([_group_json(group) for group in groups], indent=2, ensure_ascii=False))
    else:
        typer.echo("\n\n".join("\n".join(map(_printable, _group_lines(group, bool(given)))) for group in groups))
    raise typer.Exit(0 if all(each.verdict == _VERIFIED for each in checked) else 1)


def _content(file: Path) -> bytes:
    with file.open("rb") as opened:
        content = opened.read(_LARGEST_BYTES + 1)
    if len(content) > _LARGEST_BYTES:
        raise NotOcmf(f"{file}: more than {_LARGEST_BYTES} bytes")
    return content


def _key(given: str) -> str:
    path = Path(given)
    try:
        return path.read_text(encoding="utf-8") if given and path.is_file() else given
    except OSError:  # a key may be longer than a file's name
        return given


def _told(content: bytes) -> Iterator[Told]:
    if content.lstrip()[:1] == b"<":
        yield from _told_in_xml(content)
        return
    try:
        lines = content.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise NotOcmf from None
    for line in lines:
        if line.strip():
            yield Told(line.strip(), "", "")


def _told_in_xml(content: bytes) -> Iterator[Told]:
    from billing.payments import xml_file

    for value in xml_file.read(content).all("value"):
        text = value.value("signedData")
        if text.startswith("OCMF|"):
            yield Told(text, value.attribute("transactionId"), value.value("publicKey"))


def _check(told: Told) -> Checked:
    from metering.ocmf_fields import OcmfError
    from metering.ocmf_keys import UnknownAlgorithm, public_key
    from metering.ocmf_public import read, verify
    from metering.signing import BadKey, BadSignature

    try:
        record = read(told.text)
    except OcmfError as error:
        return Checked(told, None, f"unreadable: {error}")
    if not told.key:
        return Checked(told, record, "not checked: there is no key; give --key")
    try:
        verify(record, public_key(told.key, record.algorithm))
    except (BadKey, UnknownAlgorithm) as error:
        return Checked(told, record, f"not checked: {error}")
    except BadSignature as error:
        return Checked(told, record, f"WRONG: {error}")
    return Checked(told, record, _VERIFIED)


def _grouped(checked: Sequence[Checked]) -> list[list[Checked]]:
    """By transaction; a file that names none is one."""
    groups: dict[str, list[Checked]] = {}
    for each in checked:
        groups.setdefault(each.told.transaction, []).append(each)
    return list(groups.values())


def _judged(group: Iterable[Checked]) -> "tuple[list[PublicRecord], Transaction]":
    from metering.ocmf_transaction import judge

    records = [each.record for each in group if each.record is not None]
    return records, judge(records)


def _group_lines(group: Sequence[Checked], key_was_given: bool) -> Iterator[str]:
    records, transaction = _judged(group)
    named = f"Transaction {group[0].told.transaction}" if group[0].told.transaction else "Records"
    meters = " ".join(dict.fromkeys(record.meter for record in records))
    pages = " ".join(dict.fromkeys(record.text_of("PG") for record in records))
    yield f"{named}: meter {meters or '(unreadable)'}, {len(group)} of OCMF {_versions(records)}, {pages}"
    for name, reading in (("begin", transaction.begin), ("end", transaction.end)):
        if reading is not None:
            yield f"  {name:<7} {_time(reading):<33} {_number(reading):>18} {reading.unit}"
    if transaction.energy is not None:
        yield f"  {'energy':<41} {transaction.energy:>18f} kWh"
    verdicts = list(dict.fromkeys(each.verdict for each in group))
    for verdict in verdicts:
        count = sum(each.verdict == verdict for each in group)
        yield f"  signature {verdict}{f' ({count} of {len(group)})' if len(verdicts) > 1 else ''}"
    if not key_was_given and _VERIFIED in verdicts:
        yield "  the key came with the file: compare it with the meter's own before you rely on it"
    yield from (f"  note: {finding}" for finding in transaction.findings)


def _versions(records: Sequence["PublicRecord"]) -> str:
    return ", ".join(dict.fromkeys(record.text_of("FV") for record in records)) or "(unreadable)"


def _time(reading: "PublicReading") -> str:
    return f"{reading.time.isoformat(sep=' ', timespec='milliseconds') if reading.time else '-'} {reading.quality}"


def _number(reading: "PublicReading") -> str:
    return "-" if reading.value is None else f"{reading.value:f}"


def _printable(line: str) -> str:
    # What a forged record says must not steer the terminal that shows it.
    return "".join(letter if letter.isprintable() else "�" for letter in line)


def _group_json(group: Sequence[Checked]) -> dict[str, Any]:
    _, transaction = _judged(group)
    return {
        "transaction": group[0].told.transaction or None,
        "energy_kwh": None if transaction.energy is None else f"{transaction.energy:f}",
        "findings": list(transaction.findings),
        "records": [
            {
                "verdict": each.verdict,
                "meter": each.record.meter if each.record else None,
                "pagination": each.record.text_of("PG") if each.record else None,
                "algorithm": each.record.algorithm if each.record else None,
                "readings": [_reading_json(reading) for reading in each.record.readings] if each.record else [],
            }
            for each in group
        ],
    }


def _reading_json(reading: "PublicReading") -> dict[str, Any]:
    return {
        "time": reading.time.isoformat() if reading.time else None,
        "quality": reading.quality or None,
        "kind": reading.kind or None,
        "value": None if reading.value is None else f"{reading.value:f}",
        "unit": reading.unit or None,
        "identifier": reading.identifier or None,
        "status": reading.status or None,
    }


def _as_xml(checked: Sequence[Checked]) -> str:
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<values>"]
    for each in checked:
        lines += [
            f"  <value transactionId={quoteattr(each.told.transaction or '1')}>",
            f'    <signedData format="OCMF" encoding="plain">{escape(each.told.text)}</signedData>',
            *([f'    <publicKey encoding="plain">{escape(_hex(each))}</publicKey>'] if each.told.key else []),
            "  </value>",
        ]
    return "\n".join([*lines, "</values>", ""])


def _hex(checked: Checked) -> str:
    """The key as that software reads it: DER in hex."""
    from metering.ocmf_keys import UnknownAlgorithm, der, public_key
    from metering.signing import BadKey

    try:
        return der(public_key(checked.told.key, checked.record.algorithm)).hex() if checked.record else ""
    except (BadKey, UnknownAlgorithm):
        return checked.told.key.strip()
