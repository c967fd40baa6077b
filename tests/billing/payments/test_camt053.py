"""Reading camt.053: every version the same, malformed and hostile files refused whole with line and reason."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.money import Money
from billing.payments.camt053 import read_camt053
from billing.payments.statement import StatementRefused, check, transactions
from sandbox.bank import Line, statement

ACCOUNT = "DE02120300000000202051"
DAY = date(2026, 6, 3)
SAMPLES = Path(__file__).parent / "camt"


def eur(text: str) -> Money:
    return Money.of(text, "EUR")


def written(*lines: Line, **more: object) -> bytes:
    return statement(lines, account=ACCOUNT, day=DAY, **more)  # type: ignore[arg-type]


BATCH = Line(
    Decimal("300.00"),
    parts=(
        Line(Decimal("100.50"), "Beta GmbH", reference="RF28LS2026050017"),
        Line(Decimal("199.50"), "Gamma & Söhne", "Rechnung LS2026050018"),
    ),
)


@pytest.mark.parametrize("version", range(2, 15))
def test_every_version_reads_the_same(version: int) -> None:
    lines = (
        Line(Decimal("1784.96"), "Beta GmbH", reference="RF28LS2026050017", account="DE89370400440532013000"),
        Line(Decimal("-42.10"), "Stadtwerke", "Strom Mai"),
        BATCH,
        Line(Decimal("5.00"), "Delta", "pending", pending=True),
    )
    (read,) = read_camt053(written(*lines, version=version))
    check(read)
    assert (read.id, read.account, read.currency, read.opening, read.closing) == (
        "20260603-1",
        ACCOUNT,
        "EUR",
        eur("1000.00"),
        eur("3042.86"),
    )
    assert [entry.amount for entry in read.entries] == [eur("1784.96"), eur("-42.10"), eur("300.00"), eur("5.00")]
    assert [entry.booked for entry in read.entries] == [True, True, True, False]
    first = read.entries[0].transactions[0]
    assert (first.party, first.party_account) == ("Beta GmbH", "DE89370400440532013000")
    assert first.references == ("RF28LS2026050017",)
    assert read.entries[1].transactions[0].party == "Stadtwerke"
    batch = read.entries[2]
    assert [(part.amount, part.party) for part in batch.transactions] == [
        (eur("100.50"), "Beta GmbH"),
        (eur("199.50"), "Gamma & Söhne"),
    ]
    assert read.entries[0].code == "PMNT.RCDT.ESCT"
    assert len(transactions(read, uuid4())) == 4


@pytest.mark.parametrize("name", ["v02_prefixed.xml", "v04_batch_sum.xml", "v08_pages.xml", "v13_return.xml"])
def test_the_samples_add_up(name: str) -> None:
    for read in read_camt053((SAMPLES / name).read_bytes()):
        check(read)


def test_a_prefixed_version_2_with_chopped_remittance() -> None:
    (read,) = read_camt053((SAMPLES / "v02_prefixed.xml").read_bytes())
    entry = read.entries[0]
    assert entry.transactions[0].remittance == ("RECHNUNG LS202605", "0017 VOM 31.05.2026")
    assert (entry.booked_on, entry.reference) == (date(2026, 6, 2), "2026060200017")
    assert read.opening == eur("-250.00")


def test_a_batch_whose_details_do_not_add_up_stays_whole_and_says_so() -> None:
    (read,) = read_camt053((SAMPLES / "v04_batch_sum.xml").read_bytes())
    split, whole = read.entries
    assert len(split.transactions) == 3
    assert split.note == ""
    assert [part.amount for part in whole.transactions] == [Money.of("98.50", "CHF")]
    assert whole.note == "batch of 2 not split: they add up to 100.00 CHF"
    assert whole.transactions[0].references == ("RF18539007547034",)


def test_pages_of_one_statement_close_where_the_next_opens() -> None:
    first, last = read_camt053((SAMPLES / "v08_pages.xml").read_bytes())
    assert first.closing == last.opening == eur("1500.00")
    assert first.key != last.key


def test_returns_and_reversals_are_marked() -> None:
    (read,) = read_camt053((SAMPLES / "v13_return.xml").read_bytes())
    assert [entry.transactions[0].returned for entry in read.entries] == ["AC04", "reversal", ""]
    assert read.currency == "JPY"
    assert read.entries[2].amount == Money(120_000, "JPY")


def test_a_statement_that_does_not_add_up_is_refused_with_the_difference() -> None:
    (read,) = read_camt053(written(Line(Decimal("10.00")), closing=Decimal("1010.01")))
    assert read.difference == eur("0.01")
    with pytest.raises(StatementRefused, match=r"line 5: statement .*0\.01 EUR differ"):
        check(read)


def test_a_statement_without_closing_balance_cannot_be_checked() -> None:
    content = written(Line(Decimal("10.00"))).replace(b"CLBD", b"CLAV")
    (read,) = read_camt053(content)
    assert read.difference is None
    with pytest.raises(StatementRefused, match="no booked closing balance"):
        check(read)


GOOD = written(Line(Decimal("10.00"), "Beta", "text")).decode()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "empty"),
        ("hello", "line 1: not well-formed"),
        (GOOD[:-30], "not well-formed"),
        (GOOD.replace("001.08", "001.15"), "line 2: camt.053 version 15 is not known"),
        (GOOD.replace("camt.053", "camt.052"), "no camt.053 document"),
        (GOOD.replace("<Stmt>", "<Rpt>").replace("</Stmt>", "</Rpt>"), "without any statement"),
        (GOOD.replace(">10.00<", ">ten<"), r"line 10: 'ten' is no amount"),
        (GOOD.replace(">10.00<", ">-10.00<"), "is no amount"),
        (GOOD.replace(">10.00<", ">1e3<"), "is no amount"),
        (GOOD.replace(">10.00<", ">10.001<"), "parts of the smallest unit"),
        (GOOD.replace("<CdtDbtInd>CRDT</CdtDbtInd><Sts>", "<Sts>"), "line 10: <Ntry> without <CdtDbtInd>"),
        (GOOD.replace(">CRDT</CdtDbtInd><Sts>", ">BOTH</CdtDbtInd><Sts>"), "neither credit"),
        (GOOD.replace("<Dt>2026-06-03</Dt></BookgDt>", "<Dt>30 February</Dt></BookgDt>"), "is no date"),
        (GOOD.replace("2026-06-03</Dt></BookgDt>", "2026-02-30</Dt></BookgDt>"), "line 11: '2026-02-30' is no date"),
        (GOOD.replace('Ccy="EUR">10.00', 'Ccy="USD">10.00'), "one currency"),
        (GOOD.replace('Ccy="EUR">10.00', 'Ccy="euro">10.00'), "the currency 'euro'"),
        (GOOD.replace("<Id>20260603-1</Id>", ""), "<Stmt> without <Id>"),
        ("<?xml version='1.0' encoding='UTF-7'?><a/>", "encoding|well-formed"),
    ],
)
def test_malformed_files_are_refused_with_line_and_reason(content: str, reason: str) -> None:
    with pytest.raises(StatementRefused, match=reason):
        read_camt053(content.encode())


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">'
    '<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;">]><a>&d;</a>'
)
FILE = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>'
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE a SYSTEM "http://127.0.0.1:9/evil.dtd"><a/>'


@pytest.mark.parametrize("content", [BOMB, FILE, OUTSIDE])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_bombs_and_outside_entities_are_refused_unread(content: str, encoding: str) -> None:
    with pytest.raises(StatementRefused, match="document type or entities"):
        read_camt053(content.replace('"1.0"?', f'"1.0" encoding="{encoding}"?').encode(encoding))


def test_endless_nesting_is_refused() -> None:
    with pytest.raises(StatementRefused):
        read_camt053(b"<a>" * 100_000)


def test_a_file_beyond_the_limit_is_refused_before_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.payments.xml_file.LARGEST_BYTES", 100)
    with pytest.raises(StatementRefused, match="the file has 1"):
        read_camt053(GOOD.encode())


amounts = st.integers(-10_000_000, 10_000_000).filter(bool).map(lambda minor: Decimal(minor).scaleb(-2))
texts = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20).map(str.strip)
lines = st.builds(Line, amounts, party=texts, text=texts, pending=st.booleans())


@settings(max_examples=60, deadline=None)
@given(st.lists(lines, max_size=8), amounts, st.sampled_from([2, 4, 8, 14]))
def test_what_was_written_is_read(given_lines: list[Line], opening: Decimal, version: int) -> None:
    (read,) = read_camt053(written(*given_lines, opening=opening, version=version))
    check(read)
    assert [entry.amount.decimal for entry in read.entries] == [line.amount for line in given_lines]
    assert [entry.transactions[0].party for entry in read.entries] == [line.party for line in given_lines]
    owner = uuid4()
    ids = [booked.id for booked in transactions(read, owner)]
    assert len(set(ids)) == len(ids) == sum(not line.pending for line in given_lines)
    assert ids == [booked.id for booked in transactions(read, owner)]
    assert not set(ids) & {booked.id for booked in transactions(read, uuid4())}
