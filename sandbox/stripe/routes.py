"""Every operation of the stand-in: address, the SDK's type for its parameters, which it honours, what it does."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.stripe import charges, checkout_sessions, customers, events, payment_intents
from sandbox.stripe.call import Call
from sandbox.stripe.parameters import check, spec_of
from sandbox.stripe.problem import invalid
from sandbox.stripe.shelf import Object

Run = Callable[[Call], Object] | Callable[[Call], list[Object]]


@dataclass(frozen=True, slots=True)
class Operation:
    """`kind` names the SDK's request type; `honours` the parameters acted upon: others are refused, never ignored."""

    method: str
    path: str
    kind: str
    honours: frozenset[str]
    run: Run

    def checked(self, values: dict[str, Any]) -> dict[str, Any]:
        """The parameters as values. Raises StripeProblem for what Stripe refuses, and for what is not simulated."""
        checked = check(values, spec_of(self.kind))
        beyond = sorted(checked.keys() - self.honours)
        if beyond:
            message = f"Stripe knows the parameter {beyond[0]}, but this stand-in does not act on it"
            raise invalid(f"{message}; see sandbox/README.md.", param=beyond[0], code="sandbox_not_simulated")
        return checked


def _of(method: str, path: str, kind: str, run: Run, honours: str = "") -> Operation:
    return Operation(method, path, kind, frozenset(honours.split()) | {"expand"}, run)


_PAGE = "limit starting_after ending_before created"
_PERSON = "description email name phone address metadata"
_SESSION = (
    "mode success_url cancel_url line_items client_reference_id customer customer_email expires_at locale metadata "
    "payment_intent_data submit_type ui_mode"
)
_INTENT = "amount currency customer description metadata receipt_email payment_method confirm off_session return_url"

OPERATIONS = (
    _of("POST", "customers", "CustomerCreateParams", customers.create_customer, _PERSON),
    _of("GET", "customers/{id}", "CustomerRetrieveParams", customers.retrieve_customer),
    _of("POST", "customers/{id}", "CustomerUpdateParams", customers.update_customer, _PERSON),
    _of(
        "POST",
        "payment_methods",
        "PaymentMethodCreateParams",
        customers.create_payment_method,
        "type card billing_details metadata",
    ),
    _of("GET", "payment_methods/{id}", "PaymentMethodRetrieveParams", customers.retrieve_payment_method),
    _of(
        "POST",
        "payment_methods/{id}/attach",
        "PaymentMethodAttachParams",
        customers.attach_payment_method,
        "customer",
    ),
    _of("POST", "payment_intents", "PaymentIntentCreateParams", payment_intents.create_intent, _INTENT),
    _of("GET", "payment_intents", "PaymentIntentListParams", payment_intents.list_intents, f"customer {_PAGE}"),
    _of("GET", "payment_intents/{id}", "PaymentIntentRetrieveParams", payment_intents.retrieve_intent),
    _of(
        "POST",
        "payment_intents/{id}/confirm",
        "PaymentIntentConfirmParams",
        payment_intents.confirm_intent,
        "payment_method off_session return_url",
    ),
    _of(
        "POST",
        "payment_intents/{id}/cancel",
        "PaymentIntentCancelParams",
        payment_intents.cancel_intent,
        "cancellation_reason",
    ),
    _of("POST", "checkout/sessions", "checkout.SessionCreateParams", checkout_sessions.create_session, _SESSION),
    _of(
        "GET",
        "checkout/sessions",
        "checkout.SessionListParams",
        checkout_sessions.list_sessions,
        f"payment_intent status customer {_PAGE}",
    ),
    _of("GET", "checkout/sessions/{id}", "checkout.SessionRetrieveParams", checkout_sessions.retrieve_session),
    _of(
        "GET",
        "checkout/sessions/{id}/line_items",
        "checkout.SessionListLineItemsParams",
        checkout_sessions.list_line_items,
        _PAGE,
    ),
    _of("POST", "checkout/sessions/{id}/expire", "checkout.SessionExpireParams", checkout_sessions.expire_session),
    _of("GET", "charges", "ChargeListParams", charges.list_charges, f"payment_intent {_PAGE}"),
    _of("GET", "charges/{id}", "ChargeRetrieveParams", charges.retrieve_charge),
    _of(
        "POST",
        "refunds",
        "RefundCreateParams",
        charges.create_refund,
        "amount charge payment_intent reason metadata",
    ),
    _of("GET", "refunds", "RefundListParams", charges.list_refunds, f"charge payment_intent {_PAGE}"),
    _of("GET", "refunds/{id}", "RefundRetrieveParams", charges.retrieve_refund),
    _of(
        "GET",
        "balance_transactions",
        "BalanceTransactionListParams",
        charges.list_balance_transactions,
        f"source type currency {_PAGE}",
    ),
    _of("GET", "balance_transactions/{id}", "BalanceTransactionRetrieveParams", charges.retrieve_balance_transaction),
    _of("GET", "events", "EventListParams", events.list_events, f"type types delivery_success {_PAGE}"),
    _of("GET", "events/{id}", "EventRetrieveParams", events.retrieve_event),
    _of(
        "POST",
        "webhook_endpoints",
        "WebhookEndpointCreateParams",
        events.create_endpoint,
        "url enabled_events description metadata",
    ),
    _of("GET", "webhook_endpoints", "WebhookEndpointListParams", events.list_endpoints, _PAGE),
    _of("GET", "webhook_endpoints/{id}", "WebhookEndpointRetrieveParams", events.retrieve_endpoint),
    _of("DELETE", "webhook_endpoints/{id}", "WebhookEndpointDeleteParams", events.delete_endpoint),
)

_PATTERNS = [(each, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", each.path))) for each in OPERATIONS]


def find(method: str, path: str) -> tuple[Operation, dict[str, str]]:
    """The operation at an address below /v1, with the ids in it. Raises StripeProblem 404."""
    for operation, pattern in _PATTERNS:
        match = pattern.fullmatch(path)
        if match and operation.method == method:
            return operation, match.groupdict()
    raise invalid(f"Unrecognized request URL ({method}: /v1/{path}).", status=404)
