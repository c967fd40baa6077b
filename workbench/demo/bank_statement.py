"""The demo's bank: writes the camt.053 statement in which a lessee's transfer arrives."""

from dataclasses import dataclass
from datetime import date
from xml.sax.saxutils import escape

from billing.money import Money

_STATEMENT = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">
  <BkToCstmrStmt>
    <GrpHdr><MsgId>{message}</MsgId><CreDtTm>{day}T18:00:00Z</CreDtTm></GrpHdr>
    <Stmt>
      <Id>{message}</Id><ElctrncSeqNb>{sequence}</ElctrncSeqNb><CreDtTm>{day}T18:00:00Z</CreDtTm>
      <Acct><Id><Othr><Id>{account}</Id></Othr></Id><Ccy>{currency}</Ccy></Acct>
      <Bal>
        <Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp>
        <Amt Ccy="{currency}">{opening}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>{day}</Dt></Dt>
      </Bal>
      <Bal>
        <Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp>
        <Amt Ccy="{currency}">{closing}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>{day}</Dt></Dt>
      </Bal>
{entries}
    </Stmt>
  </BkToCstmrStmt>
</Document>
"""

_ENTRY = """      <Ntry>
        <NtryRef>{reference}</NtryRef><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd>
        <Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{day}</Dt></BookgDt><ValDt><Dt>{day}</Dt></ValDt>
        <AcctSvcrRef>{message}-{reference}</AcctSvcrRef>
        <BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>
        <NtryDtls><TxDtls>
          <Refs><EndToEndId>{end_to_end}</EndToEndId></Refs>
          <Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd>
          <RltdPties><Dbtr><Pty><Nm>{payer}</Nm></Pty></Dbtr></RltdPties>
          <RmtInf>{remittance}</RmtInf>
        </TxDtls></NtryDtls>
      </Ntry>"""


@dataclass(frozen=True, slots=True)
class Transfer:
    """One line of the statement: a credit for a positive amount, a debit for a negative one."""

    payer: str
    amount: Money
    text: str = ""
    reference: str = ""


def statement(account: str, transfers: list[Transfer], *, opening: Money, day: date, sequence: int = 1) -> bytes:
    """A camt.053 (version 8) statement of `account` that adds up."""
    message = f"STMT-{day:%Y%m%d}-{sequence}"
    closing = opening
    for transfer in transfers:
        closing += transfer.amount
    entries = "\n".join(_entry(transfer, index, message, day) for index, transfer in enumerate(transfers, 1))
    return _STATEMENT.format(
        message=message,
        sequence=sequence,
        day=day.isoformat(),
        account=escape(account),
        currency=opening.currency,
        opening=f"{opening.decimal:f}",
        closing=f"{closing.decimal:f}",
        entries=entries,
    ).encode()


def _entry(transfer: Transfer, index: int, message: str, day: date) -> str:
    structured = (
        "<Strd><CdtrRefInf><Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry></Tp>"
        f"<Ref>{escape(transfer.reference)}</Ref></CdtrRefInf></Strd>"
    )
    return _ENTRY.format(
        reference=index,
        currency=transfer.amount.currency,
        amount=f"{abs(transfer.amount.decimal):f}",
        direction="CRDT" if transfer.amount.minor >= 0 else "DBIT",
        day=day.isoformat(),
        message=message,
        end_to_end=f"E2E-{message}-{index}",
        payer=escape(transfer.payer),
        remittance=structured if transfer.reference else f"<Ustrd>{escape(transfer.text)}</Ustrd>",
    )
