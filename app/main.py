"""The service: one Litestar application of pages and API over one database."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import js_lib_htmx
from litestar import Litestar, Request, Response, Router, get
from litestar.config.compression import CompressionConfig
from litestar.contrib.jinja import JinjaTemplateEngine
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.static_files import create_static_files_router
from litestar.template.config import TemplateConfig

from app import api, clock, pages, problems, security
from app.database import Database, Role
from app.paying import gateway_of
from app.settings import Settings, load

_HERE = Path(__file__).parent
_HTMX = Path(js_lib_htmx.__file__).parent / "static" / "htmx"


def create_app(settings: Settings | None = None, *, database: Database | None = None) -> Litestar:
    """The application on `settings` (the environment's unless given).

    Refuses to start on a login that row-level security does not bind.
    """
    settings = settings or load()
    database = database or Database(settings.run_url, pool=settings.database_pool)
    database.check()
    secret = security.load_secret(settings.secret_file)
    return Litestar(
        route_handlers=[*pages.route_handlers, *api.route_handlers, health, *_static()],
        dependencies={"viewer": Provide(security.viewer_of, sync_to_thread=False)},
        state=State({"settings": settings, "database": database, "gateway": gateway_of(settings)}),
        template_config=TemplateConfig(directory=_HERE / "templates", engine=JinjaTemplateEngine),
        middleware=[security.session_config(secret).middleware],
        csrf_config=security.csrf_config(secret),
        compression_config=CompressionConfig(backend="gzip"),
        exception_handlers=problems.exception_handlers(),
        response_headers=security.headers(settings.stripe_checkout_origin),
        openapi_config=OpenAPIConfig(title="SpindleShare", version="1"),
        lifespan=[_jobs],
        on_shutdown=[database.close],
    )


@contextlib.asynccontextmanager
async def _jobs(app: Litestar) -> AsyncIterator[None]:
    """The scheduled jobs, where this process is to run them."""
    settings: Settings = app.state.settings
    if not settings.schedule:
        yield
        return
    # Imported here: a process without jobs need not load the scheduler.
    from app.schedule import running

    with running(app.state.database, zone=settings.zone, clock=clock.now):
        yield


@get("/api/health", sync_to_thread=True)
def health(request: Request[None, None, State]) -> Response[dict[str, str]]:
    """Whether the service can reach its database."""
    database: Database = request.app.state.database
    with database.transaction(Role.WORKER):
        return Response({"status": "ok"})


def _static() -> list[Router]:
    return [
        create_static_files_router(path="/static/htmx", directories=[_HTMX], name="htmx"),
        create_static_files_router(path="/static", directories=[_HERE / "static"]),
    ]
