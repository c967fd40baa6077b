"""The registry of public keys: whose readings and whose bundles may be trusted."""

from typing import Any

from litestar import Request, Response, get
from litestar.datastructures import State

from app.database import Database, Role
from billing.invoicing.evidence_keys import registry_text
from metering.signing import public_to_pem
from metering.store import MeteringStore


@get("/api/keys", sync_to_thread=True)
def registry(request: Request[Any, Any, State]) -> Response[str]:
    """Every agent's and the platform's public key, for `spindleshare verify --keys`.

    For everybody: an auditor must get it apart from any bundle, and it holds nothing secret.
    """
    database: Database = request.app.state.database
    with database.transaction(Role.WORKER) as session:
        store = MeteringStore(session)
        agents = {str(agent.id): (agent.meter_serial, store.keys_of(agent.id)) for agent in store.agents()}
    text = registry_text(agents, [public_to_pem(request.app.state.platform_key.public_key())])
    return Response(text, media_type="application/json")


route_handlers = [registry]
