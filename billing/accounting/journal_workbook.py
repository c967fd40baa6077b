"""A journal as a workbook (XLSX): the postings, and the balances before and after them.

Written by openpyxl, which also reads workbooks and takes a Decimal as it is: every digit of an amount is in the file.
"""

import io
from collections.abc import Iterable, Iterator

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from billing.accounting.account import account
from billing.accounting.journal import Journal, TooLong, one_line
from billing.accounting.journal_rows import HEADINGS, rows
from billing.money import Money, minor_places

_BALANCES = ("number", "account", "meaning", "currency", "opening", "debit", "credit", "closing")
_WIDTHS = {"text": 40, "counterparty": 28, "meaning": 48, "account": 24, "entry_id": 38, "counterparty_id": 38}
_WIDTH = 14
_LONGEST_CELL = 32_000
_MOST_ROWS = 1_000_000


def workbook(journal: Journal) -> bytes:
    """The file: amounts are numbers with their currency's places, text is never a formula. Raises TooLong."""
    if sum(len(entry.postings) for entry in journal.entries) > _MOST_ROWS:
        raise TooLong(f"{TooLong.__doc__}")
    book = Workbook(write_only=True)
    book.properties.title = f"Books of {one_line(journal.name)}, {journal.first_day} to {journal.last_day}"
    book.properties.creator = "SpindleShare"
    _sheet(book, "Journal", HEADINGS, rows(journal))
    _sheet(book, "Balances", _BALANCES, _balances(journal))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _sheet(book: Workbook, title: str, headings: tuple[str, ...], content: Iterable[tuple[object, ...]]) -> None:
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "A2"
    for index, heading in enumerate(headings, start=1):
        sheet.column_dimensions[get_column_letter(index)].width = _WIDTHS.get(heading, _WIDTH)
    cells = _Cells(sheet)
    sheet.append([cells.heading(heading) for heading in headings])
    for row in content:
        sheet.append([cells.of(value, column) for column, value in enumerate(row)])


class _Cells:
    """What a sheet's rows hold. A row is written as it is appended, so one cell serves a column of amounts to the end:

    giving a cell its number format takes ten times as long as giving it a value.
    """

    def __init__(self, sheet: object) -> None:
        self._sheet = sheet
        self._amounts: dict[tuple[int, str], WriteOnlyCell] = {}

    def heading(self, text: str) -> WriteOnlyCell:
        cell = WriteOnlyCell(self._sheet, text)
        cell.font = Font(bold=True)
        return cell

    def of(self, value: object, column: int) -> object:
        """A cell, or the value itself where nothing more is to be said of it."""
        if isinstance(value, Money):
            cell = self._amounts.get((column, value.currency)) or self._amount(column, value.currency)
            cell.value = value.decimal
            return cell
        if not isinstance(value, str):
            return value
        return self._text(value[:_LONGEST_CELL]) if value.startswith("=") else value[:_LONGEST_CELL]

    def _amount(self, column: int, currency: str) -> WriteOnlyCell:
        cell, places = WriteOnlyCell(self._sheet), minor_places(currency)
        cell.number_format = "#,##0" + ("." + "0" * places if places else "")
        self._amounts[column, currency] = cell
        return cell

    def _text(self, text: str) -> WriteOnlyCell:
        cell = WriteOnlyCell(self._sheet, text)
        # Otherwise it would be worked out.
        cell.data_type = "s"
        return cell


def _balances(journal: Journal) -> Iterator[tuple[object, ...]]:
    moved: dict[tuple[str, str], list[Money]] = {}
    for entry in journal.entries:
        for posting in entry.postings:
            moved.setdefault((posting.account, posting.amount.currency), []).append(posting.amount)
    opening = {(each.account, each.amount.currency): each.amount for each in journal.opening}
    for balance in sorted(journal.closing, key=lambda each: (account(each.account).number, each.amount.currency)):
        currency = balance.amount.currency
        amounts = moved.get((balance.account, currency), [])
        debit = Money(sum(each.minor for each in amounts if each.minor > 0), currency)
        credit = Money(-sum(each.minor for each in amounts if each.minor < 0), currency)
        told = account(balance.account)
        before = opening.get((balance.account, currency), Money(0, currency))
        yield (told.number, told.name, told.meaning, currency, before, debit, credit, balance.amount)
