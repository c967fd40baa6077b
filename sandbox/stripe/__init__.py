"""A stand-in for Stripe on this machine; see sandbox/README.md for what it does and does not do."""
