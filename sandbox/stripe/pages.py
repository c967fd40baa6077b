"""The pages a payer sees: the card form of a checkout session, and the bank's question to the card's holder."""

from html import escape

from sandbox.stripe.shelf import Object

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 28rem; margin: 3rem auto; padding: 0 1rem; }
h1 { font-size: 2rem; margin: 0.2rem 0; }
label { display: block; margin: 0.8rem 0 0.2rem; }
input { font: inherit; padding: 0.5rem; width: 100%; box-sizing: border-box; }
button { font: inherit; margin-top: 1.2rem; padding: 0.6rem 1rem; width: 100%; cursor: pointer; }
.note { border: 1px solid; border-radius: 0.4rem; padding: 0.5rem 0.8rem; }
.error { border-color: #b00020; }
"""


def checkout_page(session: Object, lines: list[Object], error: str | None = None) -> str:
    """The card form; `error` says why the last card was not taken."""
    rows = "".join(f"<li>{escape(line['description'])} x {line['quantity']}</li>" for line in lines)
    back = session.get("cancel_url")
    return _page(
        "Pay",
        f"""
<p class="note">Test mode on this machine: no money moves. Pay with 4242 4242 4242 4242;
4000 0000 0000 0002 is declined; 4000 0027 6000 3184 asks the card's holder.</p>
<ul>{rows}</ul>
<h1>{_amount(session)}</h1>
{_error(error)}
<form method="post">
<label for="number">Card number</label>
<input id="number" name="card_number" inputmode="numeric" autocomplete="cc-number" required value="4242 4242 4242 4242">
<label for="expiry">Expiry (MM/YY)</label>
<input id="expiry" name="expiry" autocomplete="cc-exp" required value="12/34">
<label for="cvc">Security code</label>
<input id="cvc" name="cvc" inputmode="numeric" autocomplete="cc-csc" required value="123">
<button type="submit">Pay {_amount(session)}</button>
</form>
{f'<p><a href="{escape(back)}">Back without paying</a></p>' if back else ""}""",
    )


def authenticate_page(thing: Object, method: str) -> str:
    """The bank's question; answered by the form field `agreed`."""
    return _page(
        "Confirm the payment",
        f"""
<p>Your bank asks: did you order this payment?</p>
<h1>{_amount(thing)}</h1>
<form method="post">
<input type="hidden" name="payment_method" value="{escape(method)}">
<button name="agreed" value="yes">Yes, it was me</button>
<button name="agreed" value="no">No</button>
</form>""",
    )


def closed_page(message: str) -> str:
    """Nothing to pay here (any more)."""
    return _page("Nothing to pay", f'<p class="note">{escape(message)}</p>')


def _amount(thing: Object) -> str:
    minor = thing["amount_total"] if thing["object"] == "checkout.session" else thing["amount"]
    currency = thing["currency"].upper()
    return f"{minor:,} {currency}" if currency in ("JPY", "KRW") else f"{minor // 100:,}.{minor % 100:02d} {currency}"


def _error(message: str | None) -> str:
    return f'<p class="note error" role="alert">{escape(message)}</p>' if message else ""


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>{body}</body></html>'
    )
