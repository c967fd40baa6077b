"""`spindleshare verify`: check an invoice's evidence offline. Nothing but the file and the keys is asked."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from billing.invoicing.evidence_check import Report
    from billing.invoicing.evidence_keys import Keys

_WRONG_CALL = 2


def verify(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE.zip", help="The invoice's evidence.")],
    *,
    keys: Annotated[
        Path | None, typer.Option(metavar="REGISTRY.json", help="Registry with the agents' and the platform's keys.")
    ] = None,
    agent_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Public key (PEM) of the machine's agent.")
    ] = None,
    platform_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Public key (PEM) of the platform that issued the invoice.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Recompute an invoice from its signed readings: chain, signatures, usage, every line, VAT and total.

    The keys are never taken from the bundle: give --keys, or --agent-key and --platform-key.

    Exit codes: 0 verified · 1 something is wrong, or was not checked for want of the platform's key · 2 wrong command
    line · 3 a file cannot be read.
    """
    from billing.invoicing.evidence_check import Verdict, check_bundle

    if keys is None and agent_key is None:
        typer.echo(
            "spindleshare verify: give --keys REGISTRY.json, or --agent-key FILE and --platform-key FILE", err=True
        )
        raise typer.Exit(_WRONG_CALL)
    report = check_bundle(_content(bundle), keys=_keys(keys, agent_key, platform_key))
    typer.echo(_as_json(report) if as_json else _as_text(report))
    raise typer.Exit(0 if report.verdict is Verdict.VERIFIED else 1)


def _content(bundle: Path) -> bytes:
    from billing.invoicing.canonical_zip import MAX_BYTES

    with bundle.open("rb") as opened:
        # One byte more than is taken, so that a larger file is refused without being read.
        return opened.read(MAX_BYTES + 1024 * 1024)


def _keys(registry: Path | None, agent: Path | None, platform: Path | None) -> "Keys":
    from billing.invoicing.evidence_keys import AgentKey, Keys, registry_from
    from metering.keyring import Keyring
    from metering.signing import public_from_pem

    known = registry_from(registry.read_text(encoding="utf-8")) if registry else Keys({})
    return Keys(
        agents=known.agents,
        platform=(public_from_pem(platform.read_text(encoding="utf-8")),) if platform else known.platform,
        anyone=AgentKey(Keyring.single(public_from_pem(agent.read_text(encoding="utf-8")))) if agent else None,
    )


def _as_text(report: "Report") -> str:
    lines = [f"{report.verdict.value}: invoice {report.invoice or '(unreadable)'}"]
    if report.bill and not report.findings:
        lines[0] += f", total {report.bill.total}"
    lines += [f"  checked: {told}" for told in report.checked]
    lines += [f"  not checked: {told}" for told in report.missing]
    lines += [f"  WRONG {finding}" for finding in report.findings]
    # What a forged file says must not steer the terminal that shows it.
    return "\n".join("".join(letter if letter.isprintable() else "�" for letter in line) for line in lines)


def _as_json(report: "Report") -> str:
    return json.dumps(
        {
            "verdict": report.verdict.value,
            "invoice": report.invoice,
            "checked": list(report.checked),
            "not_checked": list(report.missing),
            "findings": [{"where": finding.where, "what": finding.what} for finding in report.findings],
            "bill": report.bill.to_json() if report.bill else None,
        },
        ensure_ascii=False,
        indent=2,
    )
