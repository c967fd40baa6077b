"""A rule: its id in the standard that it comes from, what it demands, and what breaks it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from billing.invoicing.einvoice.electronic_invoice import ElectronicInvoice

Broken = tuple[str, str]
"""Where (a path in INVOICE.json below `$`) and what is wrong there."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`demands` says the rule in a sentence; a warning does not stop the document."""

    id: str
    demands: str
    broken: Callable[[ElectronicInvoice], Iterable[Broken]]
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule: where, and what to do about it."""

    rule: str
    path: str
    message: str
    warning: bool = False

    def __str__(self) -> str:
        return f"${self.path}: {self.message} [{self.rule}]"


class RuleBook:
    """The rules of one group, in the order in which they are written."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._rules: list[Rule] = []

    def rule(
        self, rule_id: str, demands: str, *, warning: bool = False
    ) -> Callable[[Callable[[ElectronicInvoice], Iterator[Broken]]], Callable[[ElectronicInvoice], Iterator[Broken]]]:
        """Register the decorated function, which yields what breaks the rule."""

        def register(
            broken: Callable[[ElectronicInvoice], Iterator[Broken]],
        ) -> Callable[[ElectronicInvoice], Iterator[Broken]]:
            self._rules.append(Rule(rule_id, demands, broken, warning))
            return broken

        return register

    def renamed(self, name: str, ids: Callable[[str], str]) -> "RuleBook":
        """The same rules as another standard has them, under its ids; those that it has not (an empty id) left out."""
        book = RuleBook(name)
        for rule in self._rules:
            if renamed := ids(rule.id):
                book.add(Rule(renamed, rule.demands, rule.broken, rule.warning))
        return book

    def add(self, rule: Rule) -> None:
        self._rules.append(rule)

    @property
    def rules(self) -> Sequence[Rule]:
        return tuple(self._rules)

    def findings(self, invoice: ElectronicInvoice) -> list[Finding]:
        return [
            Finding(rule.id, path, message, rule.warning)
            for rule in self._rules
            for path, message in rule.broken(invoice)
        ]
