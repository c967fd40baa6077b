"""A stand-in for the bank: writes the camt.053 statement of the next morning. `python -m sandbox.bank`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated
from xml.sax.saxutils import escape

import typer


@dataclass(frozen=True, slots=True)
class Line:
    """One payment: negative `amount` goes out. `parts` make it a batch; `pending` is told but not booked."""

    amount: Decimal
    party: str = ""
    text: str = ""
    reference: str = ""
    account: str = ""
    parts: tuple["Line", ...] = ()
    pending: bool = False
    returned: str = ""


def statement(
    lines: Sequence[Line],
    *,
    account: str,
    day: date,
    opening: Decimal = Decimal("1000.00"),
    number: int = 1,
    currency: str = "EUR",
    version: int = 8,
    closing: Decimal | None = None,
) -> bytes:
    """The statement of `day` in camt.053, version 2 to 14; give `closing` only to write one that does not add up."""
    booked = sum((line.amount for line in lines if not line.pending), Decimal(0))
    entries = "".join(_entry(line, day, number, place, currency, version) for place, line in enumerate(lines, 1))
    ends = opening + booked if closing is None else closing
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version:02d}">
<BkToCstmrStmt>
<GrpHdr><MsgId>SANDBOX-{day:%Y%m%d}-{number}</MsgId><CreDtTm>{day + timedelta(days=1)}T04:00:00+02:00</CreDtTm></GrpHdr>
<Stmt><Id>{day:%Y%m%d}-{number}</Id><ElctrncSeqNb>{number}</ElctrncSeqNb>
<CreDtTm>{day + timedelta(days=1)}T04:00:00+02:00</CreDtTm>
<Acct><Id><IBAN>{account}</IBAN></Id><Ccy>{currency}</Ccy></Acct>
{_balance("OPBD", opening, day, currency)}
{_balance("CLBD", ends, day, currency)}
{entries}</Stmt>
</BkToCstmrStmt>
</Document>
""".encode()


def _balance(code: str, amount: Decimal, day: date, currency: str) -> str:
    kind = f"<Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
    return f"<Bal>{kind}{_amount(amount, currency)}<Dt><Dt>{day}</Dt></Dt></Bal>"


def _amount(amount: Decimal, currency: str) -> str:
    mark = "DBIT" if amount < 0 else "CRDT"
    return f'<Amt Ccy="{currency}">{abs(amount)}</Amt><CdtDbtInd>{mark}</CdtDbtInd>'


def _entry(line: Line, day: date, number: int, place: int, currency: str, version: int) -> str:
    word = "PDNG" if line.pending else "BOOK"
    status = f"<Sts><Cd>{word}</Cd></Sts>" if version >= 8 else f"<Sts>{word}</Sts>"
    family = "<Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly>"
    details = "".join(_detail(part, currency, version) for part in (line.parts or (line,)))
    return f"""<Ntry><NtryRef>{place}</NtryRef>{_amount(line.amount, currency)}{status}
<BookgDt><Dt>{day}</Dt></BookgDt><ValDt><Dt>{day}</Dt></ValDt>
<AcctSvcrRef>{day:%Y%m%d}/{number}/{place}</AcctSvcrRef>
<BkTxCd><Domn><Cd>PMNT</Cd>{family}</Domn></BkTxCd>
<NtryDtls>{details}</NtryDtls></Ntry>
"""


def _detail(line: Line, currency: str, version: int) -> str:
    """The details of a payment; version 2 had its amount elsewhere, and from 8 on a party is wrapped once more."""
    side = "Dbtr" if line.amount >= 0 else "Cdtr"
    mark = "DBIT" if line.amount < 0 else "CRDT"
    amount = f'<Amt Ccy="{currency}">{abs(line.amount)}</Amt>'
    placed = f"<AmtDtls><TxAmt>{amount}</TxAmt></AmtDtls>" if version < 4 else f"{amount}<CdtDbtInd>{mark}</CdtDbtInd>"
    name = f"<Nm>{escape(line.party)}</Nm>"
    party = f"<{side}><Pty>{name}</Pty></{side}>" if version >= 8 else f"<{side}>{name}</{side}>"
    iban = f"<{side}Acct><Id><IBAN>{line.account}</IBAN></Id></{side}Acct>" if line.account else ""
    free = f"<Ustrd>{escape(line.text)}</Ustrd>" if line.text else ""
    structured = f"<Strd><CdtrRefInf><Ref>{line.reference}</Ref></CdtrRefInf></Strd>" if line.reference else ""
    returned = f"<RtrInf><Rsn><Cd>{line.returned}</Cd></Rsn></RtrInf>" if line.returned else ""
    return (
        f"<TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs>{placed}<RltdPties>{party}{iban}</RltdPties>"
        f"<RmtInf>{free}{structured}</RmtInf>{returned}</TxDtls>"
    )


def main(
    pay: Annotated[list[str], typer.Option(help="AMOUNT,REFERENCE,PAYER of a payment that came in; may be repeated.")],
    day: Annotated[str, typer.Option(help="Booking day, as 2026-05-31.")],
    account: Annotated[str, typer.Option(help="IBAN of the account.")] = "DE02120300000000202051",
    opening: Annotated[str, typer.Option(help="Opening balance.")] = "1000.00",
    currency: Annotated[str, typer.Option(help="Currency of the account.")] = "EUR",
    number: Annotated[int, typer.Option(help="Number of the statement.")] = 1,
    version: Annotated[int, typer.Option(help="Version of camt.053, 2 to 14.")] = 8,
    out: Annotated[Path | None, typer.Option(help="File to write; else standard output.")] = None,
) -> None:
    """Write the bank statement (camt.053) of a day on which these payments came in."""
    lines = [_paid(each) for each in pay]
    written = statement(
        lines,
        account=account,
        day=date.fromisoformat(day),
        opening=Decimal(opening),
        number=number,
        currency=currency,
        version=version,
    )
    if out:
        out.write_bytes(written)
    else:
        sys.stdout.buffer.write(written)


def _paid(text: str) -> Line:
    amount, reference, party = (*text.split(",", 2), "", "")[:3]
    structured = reference.startswith("RF")
    return Line(Decimal(amount), party, reference=reference if structured else "", text="" if structured else reference)


if __name__ == "__main__":
    typer.run(main)
