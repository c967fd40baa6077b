"""The frame around every page: who looks, where they are, and what they were just told."""

from typing import Any

from litestar import Request
from litestar.response import Redirect, Template

from app.security import Viewer

_NOTICE = "notice"
AnyRequest = Request[Any, Any, Any]


def page(
    request: AnyRequest,
    template: str,
    view: object,
    *,
    viewer: Viewer,
    here: str,
    notice: str = "",
    error: str = "",
    status: int = 200,
) -> Template:
    """`template` filled with `view`. A notice left by the request before is shown once."""
    left = request.session.pop(_NOTICE, "")
    context = {
        "page": view,
        "viewer": viewer,
        "here": here,
        "error": error,
        "notice": left or notice,
    }
    # Pages hold what only this viewer may see: no cache keeps them.
    return Template(template, context=context, status_code=status, headers={"Cache-Control": "no-store"})


def back_to(request: AnyRequest, path: str, notice: str = "") -> Redirect:
    """After a form: on to the page at `path`, which shows `notice`. Loading it again sends nothing twice."""
    if notice:
        request.session[_NOTICE] = notice
    return Redirect(path, status_code=303)
