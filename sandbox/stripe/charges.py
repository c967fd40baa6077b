"""Charges, refunds and the balance transactions that say what they left after the fee."""

from sandbox.stripe.call import Call, merged_metadata
from sandbox.stripe.problem import invalid
from sandbox.stripe.shelf import Object, new_id

_FEE_PER_THOUSAND = 29
_FEE_FIXED = 30
_DAYS_TO_AVAILABLE = 2 * 86_400


def fee_of(amount: int) -> int:
    """The stand-in's card fee in minor units: 2.9 % (half up) and 30."""
    return (amount * _FEE_PER_THOUSAND * 2 + 1000) // 2000 + _FEE_FIXED


def charge(call: Call, intent: Object, method: Object, failure: dict[str, str] | None = None) -> Object:
    """A charge of the intent's amount on its card, paid or (with `failure`) declined."""
    good = failure is None
    made: Object = {
        "id": new_id("ch"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if good else 0,
        "amount_refunded": 0,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "captured": good,
        "created": call.shelf.now(),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_code": failure["code"] if failure else None,
        "failure_message": failure["message"] if failure else None,
        "livemode": False,
        "metadata": intent["metadata"],
        "outcome": {"type": "authorized" if good else "issuer_declined", "network_status": "approved_by_network"},
        "paid": good,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {"type": "card", "card": method["card"]},
        "receipt_email": intent["receipt_email"],
        "refunded": False,
        "status": "succeeded" if good else "failed",
    }
    if failure:
        made["outcome"] |= {"network_status": "declined_by_network", "reason": failure["decline_code"]}
    else:
        made["balance_transaction"] = _book(call, made, "charge", made["amount"], fee_of(made["amount"]))["id"]
    call.emit("charge.succeeded" if good else "charge.failed", call.shelf.put(made))
    return made


def retrieve_charge(call: Call) -> Object:
    """The charge of that id."""
    return call.load("charge")


def list_charges(call: Call) -> list[Object]:
    """All charges, or those of one intent."""
    intent = call.params.get("payment_intent")
    return [each for each in call.shelf.newest_first("charge") if intent in (None, each["payment_intent"])]


def create_refund(call: Call) -> Object:
    """Give back a charge, whole or in part; the fee is not given back."""
    charged = _charge_to_refund(call)
    left = charged["amount"] - charged["amount_refunded"]
    amount = call.params.get("amount", left)
    if left == 0:
        raise invalid(f"Charge {charged['id']} has already been refunded.", code="charge_already_refunded")
    if not 0 < amount <= left:
        raise invalid(f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", param="amount")
    refund: Object = {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charged["id"],
        "created": call.shelf.now(),
        "currency": charged["currency"],
        "metadata": merged_metadata({}, call.params.get("metadata")),
        "payment_intent": charged["payment_intent"],
        "reason": call.params.get("reason"),
        "receipt_number": None,
        "status": "succeeded",
    }
    refund["balance_transaction"] = _book(call, refund, "refund", -amount, 0)["id"]
    charged["amount_refunded"] += amount
    charged["refunded"] = charged["amount_refunded"] == charged["amount"]
    call.emit("refund.created", call.shelf.put(refund))
    call.emit("charge.refunded", call.shelf.put(charged))
    return refund


def retrieve_refund(call: Call) -> Object:
    """The refund of that id."""
    return call.load("refund")


def list_refunds(call: Call) -> list[Object]:
    """All refunds, or those of one charge or intent."""
    wanted = {name: call.params[name] for name in ("charge", "payment_intent") if name in call.params}
    return [
        each for each in call.shelf.newest_first("refund") if all(each[name] == value for name, value in wanted.items())
    ]


def retrieve_balance_transaction(call: Call) -> Object:
    """The balance transaction of that id."""
    return call.load("balance_transaction")


def list_balance_transactions(call: Call) -> list[Object]:
    """All balance transactions, or those of one source or type."""
    wanted = {name: call.params[name] for name in ("source", "type", "currency") if name in call.params}
    return [
        each
        for each in call.shelf.newest_first("balance_transaction")
        if all(each[name] == value for name, value in wanted.items())
    ]


def _charge_to_refund(call: Call) -> Object:
    charged = call.named("charge", "charge")
    intent = call.named("payment_intent", "payment_intent")
    if charged is None and intent is None:
        raise invalid("One of the following params should be provided for this request: payment_intent or charge.")
    if charged is None and intent is not None and intent["latest_charge"]:
        charged = call.shelf.find(intent["latest_charge"], "charge")
    if charged is None or not charged["paid"]:
        raise invalid("This PaymentIntent does not have a successful charge to refund.")
    return charged


def _book(call: Call, source: Object, kind: str, amount: int, fee: int) -> Object:
    now = call.shelf.now()
    details = {"amount": fee, "application": None, "description": "Stripe processing fees", "type": "stripe_fee"}
    return call.shelf.put(
        {
            "id": new_id("txn"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": now + _DAYS_TO_AVAILABLE,
            "balance_type": "payments",
            "created": now,
            "currency": source["currency"],
            "description": source.get("description"),
            "exchange_rate": None,
            "fee": fee,
            "fee_details": [details | {"currency": source["currency"]}] if fee else [],
            "net": amount - fee,
            "reporting_category": kind,
            "source": source["id"],
            "status": "pending",
            "type": kind,
        }
    )
