"""What a run left behind: database, spool and the machine's journal, gathered for the judgement of `oracle`."""

import contextlib
from collections.abc import Collection

from app.database import Role
from machine_agents.source_time import from_ms
from machine_agents.spool import Spool
from metering import chain, ocmf
from metering.ocmf import Sealed
from metering.period import QUARTER_HOUR, Period
from metering.store import MeteringStore
from workbench.chaos.journal import Journal
from workbench.chaos.oracle import Verdict, judge, once
from workbench.chaos.stage import Home
from workbench.chaos.truth import Truth

_STEP_LIMIT_MS = 1_000


def judge_home(
    own: Home, truth: Truth, journal: Journal, clock_set_ms: int, before: Collection[str], verdict: Verdict
) -> None:
    """Judge a seed's database. `clock_set_ms`: by how much the agent's clock was set in all. `before`: what lay in the
    agent's file when that was damaged."""
    with contextlib.closing(Spool(own.folder / "agent" / "data")) as spool:
        sealed = list(spool.texts())
    whole = Period(from_ms(truth.frames[0].at), from_ms(truth.end) + QUARTER_HOUR)
    with own.database.transaction(Role.WORKER) as session:
        store = MeteringStore(session)
        steps, usage = store.steps(own.meter, whole), store.usage(own.meter.id, whole)
        stored = store.texts(own.meter.id, 0, 2**62)
        refused, agent = store.refused(own.meter.id), store.agent_of(own.meter.id)
    once(sealed, stored, verdict, before=before)
    verdict.expect("records refused", [one.reason for one in refused], [])
    records = [ocmf.parse(text) for text in stored]
    if agent is not None:
        faults = chain.verify(records, ocmf.public_from_pem(agent.public_key_pem))
        verdict.expect("faults of the chain", [fault.reason for fault in faults], [])
    judge(steps, usage, truth, journal, verdict)
    _judge_clock(records, clock_set_ms, verdict)


def _judge_clock(records: list[Sealed], set_ms: int, verdict: Verdict) -> None:
    """A step of the agent's clock is marked on a record, as large as it was; one before the first reading is not."""
    marked = 0
    for one in records:
        marked += one.record.clocks.wall_step_ms if one.record.clocks else 0
    if min(abs(marked), abs(marked - set_ms)) > _STEP_LIMIT_MS:
        verdict.fault(f"the records mark the clock set by {marked} ms, it was set by {set_ms} ms")
