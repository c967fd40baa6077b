"""The service: one Litestar application of pages and API over one database."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import js_lib_htmx
from litestar import Litestar, Request, Response, Router, get
from litestar.config.compression import CompressionConfig
from litestar.datastructures import State
from litestar.di import Provide
from litestar.logging.config import LoggingConfig
from litestar.openapi import OpenAPIConfig
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.static_files import create_static_files_router
from litestar.template.config import TemplateConfig

from app import clock, problems, security
from app.api import agent_chain, agent_key, agent_schedule, agents, keys, readings, statements, stripe_events, telemetry
from app.api import wear as wear_api
from app.database import Database, Role
from app.pages import (
    agent,
    bookings,
    books,
    completeness,
    components,
    finance,
    invoices,
    leases,
    live,
    maker,
    meters,
    replacing,
    sessions,
    sign_in,
    sme,
    usage,
    wear,
)
from app.paying import gateway_of
from app.settings import Settings, load

_PAGES = (
    sign_in, maker, sme, finance, books, completeness, invoices, meters, sessions, usage, live, wear, components, agent,
    replacing, leases, bookings,
)  # fmt: skip
_API = (agents, agent_chain, agent_key, agent_schedule, readings, telemetry, statements, stripe_events, keys, wear_api)
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
    over_https = settings.base_url.startswith("https:")
    return Litestar(
        route_handlers=[health, *_static(), *(each for part in (*_PAGES, *_API) for each in part.route_handlers)],
        dependencies={"viewer": Provide(security.viewer_of, sync_to_thread=False)},
        state=_state(settings, database),
        template_config=TemplateConfig(directory=_HERE / "templates", engine=JinjaTemplateEngine),
        middleware=[security.session_config(secret, over_https=over_https).middleware],
        csrf_config=security.csrf_config(secret, over_https=over_https),
        # Compressed, live events would wait until a block is full.
        compression_config=CompressionConfig(backend="gzip", exclude=[live.PATH]),
        exception_handlers=problems.exception_handlers(),
        response_headers=security.headers(settings.stripe_checkout_origin),
        openapi_config=OpenAPIConfig(title="SpindleShare", version="1"),
        logging_config=_logging(),
        lifespan=[_jobs],
        on_shutdown=[database.close],
    )


def _state(settings: Settings, database: Database) -> State:
    """What handlers find at `request.app.state`. `closing` is set when the server begins to stop."""
    return State(
        {
            "settings": settings,
            "database": database,
            "gateway": gateway_of(settings),
            "platform_key": security.load_key(settings.key_file),
            "closing": asyncio.Event(),
        }
    )


def _logging() -> LoggingConfig:
    """Our own words to the operator; of libraries only what went wrong."""
    ours = {"level": "INFO", "handlers": ["queue_listener"], "propagate": False}
    return LoggingConfig(root={"level": "WARNING", "handlers": ["queue_listener"]}, loggers={"app": ours})


@contextlib.asynccontextmanager
async def _jobs(app: Litestar) -> AsyncIterator[None]:
    """The scheduled jobs, where this process is to run them."""
    settings: Settings = app.state.settings
    if not settings.schedule:
        yield
        return
    # Imported here: a process without jobs need not load the scheduler.
    from app.schedule import running

    with running(app.state.database, settings, clock=clock.now, gateway=app.state.gateway):
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
