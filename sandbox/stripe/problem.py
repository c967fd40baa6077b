"""The errors of the stand-in, in Stripe's own form."""

from typing import Any

_DOCS = "https://docs.stripe.com/error-codes/"


class StripeProblem(Exception):
    """A request that Stripe would answer with an error; carries the status and the body to answer with."""

    def __init__(self, status: int, kind: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.headers: dict[str, str] = {}
        self.error: dict[str, Any] = {"type": kind, "message": message}
        self.error |= {name: value for name, value in more.items() if value is not None}
        if "code" in self.error:
            self.error["doc_url"] = _DOCS + self.error["code"].replace("_", "-")

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body."""
        return {"error": self.error}


def invalid(message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> StripeProblem:
    """An `invalid_request_error`: the caller's request cannot be done as it stands."""
    return StripeProblem(status, "invalid_request_error", message, param=param, code=code)


def missing(noun: str, identifier: str, *, param: str = "id", status: int = 404) -> StripeProblem:
    """No object of that id: 404 when the address names it, 400 when a parameter does."""
    return invalid(f"No such {noun}: '{identifier}'", param=param, code="resource_missing", status=status)
