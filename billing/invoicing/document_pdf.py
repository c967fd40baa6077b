"""The invoice as PDF/A-3b, laid out by typst from a template that anyone may edit. The only user of typst.

The same invoice gives the same bytes: the document's time is the invoice's date, and fonts come from a pinned
package, never from the system. A character that the font does not have is an error, not an empty box.
"""

import json
from datetime import UTC, date, datetime, time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typst

from billing.invoicing.invoice import Invoice
from billing.invoicing.invoice_json import to_json

TEMPLATE = Path(__file__).parent / "templates" / "invoice.typ"
_FONT_PACKAGE = "noto_cjk_sans_otc"


class DocumentError(ValueError):
    """The template could not be laid out: it has an error, or the text a character that the font lacks."""


def invoice_pdf(invoice: Invoice, view: dict[str, Any], *, template: Path = TEMPLATE) -> bytes:
    """The PDF of `view` (from `document`), with the invoice's canonical JSON attached. Raises DocumentError."""
    day = invoice.invoice_date or invoice.period.end.date()
    return typeset(template, view, day, invoice=to_json(invoice))


def typeset(template: Path, view: dict[str, Any], day: date, **inputs: str) -> bytes:
    """`template` laid out with `view` as PDF/A-3b, dated `day`; `inputs` are texts for it. Raises DocumentError."""
    try:
        made, warnings = typst.compile_with_warnings(
            str(template),
            root=str(template.parent),
            font_paths=[str(_fonts())],
            ignore_system_fonts=True,
            format="pdf",
            pdf_standards=["a-3b"],
            timestamp=datetime.combine(day, time(), UTC),
            sys_inputs={"view": json.dumps(view, ensure_ascii=False), **inputs},
        )
    except typst.TypstError as error:
        raise DocumentError(f"{template.name}: {error}") from error
    if warnings:
        raise DocumentError(f"{template.name}: {'; '.join(str(warning) for warning in warnings)}")
    if not isinstance(made, bytes):
        raise DocumentError(f"{template.name} gave {len(made or [])} documents instead of one")
    return made


def _fonts() -> Path:
    found = find_spec(_FONT_PACKAGE)
    if found is None or found.origin is None:
        raise DocumentError(f"the font package {_FONT_PACKAGE} is missing: install the service extra again")
    return Path(found.origin).parent
