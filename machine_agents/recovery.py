"""Recovery: a new spool that goes on where the chain is proven, after a damaged one or one restored from a backup.

The service says where its chain ends; records of the old spool that are whole, signed by this agent and follow that end
are taken over. The registers go on from the last of these records: what was metered after it is not known, so it is a
gap and never billed.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import chain as together
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from machine_agents.accrual import AccrualState
from machine_agents.config import AgentConfig
from machine_agents.credentials import Enrolment, enrolment, signing_key
from machine_agents.spool import Spool, Tail
from machine_agents.spool_file import lock
from metering import ocmf
from metering.chain import Chain, Fault
from metering.ocmf import BadSignature, OcmfError, Sealed

_FILES = ("spool.sqlite", "spool.sqlite-wal", "spool.sqlite-shm")


class NotRecovered(Exception):
    """Recovery needs an enrolled agent, a service that answers, and a chain of this agent's own."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was done. `rescued` records were whole beyond the service's `high_water`; registers go on from `until`."""

    set_aside: Path
    high_water: int
    rescued: int
    until: datetime


def recover_spool(config: AgentConfig, *, now: datetime) -> Recovered:
    """Set the spool in `config.data` aside and begin a new one at the proven end of the chain."""
    with lock(config.data):
        known = enrolment(config.data)
        if known is None:
            raise NotRecovered("this agent was never enrolled: there is nothing to recover; start it with `run`")
        chain = _served_chain(config, known)
        high_water = chain.pagination
        aside = _set_aside(config.data, now)
        rescued = list(_whole_records(aside, chain, signing_key(config.data).public_key()))
    if chain.last is None:
        raise NotRecovered("neither the service nor the old spool has a record: start the agent with `run`")
    state = AccrualState.resume(chain.last, chain.spectrum)
    with closing(Spool(config.data)) as spool:
        first = rescued[0].record if rescued else None
        start = Tail(high_water, first.readings[0].sequence - 1, first.previous) if first else _tail(chain)
        spool.begin_after(start)
        spool.commit({"accrual": state.to_json()}, rescued)
    return Recovered(aside, high_water, len(rescued), chain.last.device_time)


def _served_chain(config: AgentConfig, known: Enrolment) -> Chain:
    """The end of the chain as the service has it."""
    try:
        answer = httpx.get(
            f"{config.service.url}/api/agents/chain",
            headers={"Authorization": f"Bearer {known.token}"},
            timeout=config.service.request_seconds,
        ).raise_for_status()
        return _chain(answer.json(), known)
    except httpx.HTTPError as error:
        raise NotRecovered(f"the service does not say where the chain ends: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise NotRecovered(f"the service's answer cannot be used: {error!r}") from error


def _chain(answer: Mapping[str, Any], known: Enrolment) -> Chain:
    """A box made anew has another key than the one that signed the last record, so its signature is not asked for."""
    if not answer["pagination"]:
        return Chain(known.agent_id, known.meter_serial)
    last = ocmf.parse(answer["text"])
    if last.digest != answer["digest"]:
        raise ValueError("its last record is not the one that it names")
    cells = {
        (spindle, key): ms
        for spindle, flat in answer["spectrum"].items()
        for key, ms in zip(flat[::2], flat[1::2], strict=True)
    }
    record = last.record
    if (record.agent, record.meter) != (known.agent_id, known.meter_serial):
        raise ValueError("its last record is of another agent or meter")
    return Chain(record.agent, record.meter, record.pagination, last.digest, record.readings[-1], cells)


def _set_aside(folder: Path, now: datetime) -> Path:
    name = f"spool-set-aside-{now:%Y%m%dT%H%M%S}"
    names = together((name,), (f"{name}-{number}" for number in count(2)))
    aside = next(path for each in names if not (path := folder / each).exists())
    aside.mkdir(mode=0o700)
    for name in _FILES:
        if (path := folder / name).exists():
            path.rename(aside / name)
    return aside


def _whole_records(aside: Path, chain: Chain, key: ocmf.PublicKey) -> Iterator[Sealed]:
    """The old spool's records that follow `chain`, up to the first that is damaged or missing; moves `chain` on."""
    for text in _texts(aside / _FILES[0], chain.pagination):
        try:
            sealed = ocmf.parse(text)
            ocmf.verify(sealed, key)
        except (OcmfError, BadSignature):
            return
        if isinstance(chain.append(sealed), Fault):
            return
        yield sealed


def _texts(path: Path, after: int) -> Iterator[str]:
    """As many texts as the file still gives."""
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path)) as old:
            rows = old.execute("select text from record where pagination > ? order by pagination", (after,))
            yield from (str(row[0]) for row in rows)
    except (sqlite3.Error, UnicodeDecodeError):  # the latter where SQLite's own words hold what is no text
        return


def _tail(chain: Chain) -> Tail:
    return Tail(chain.pagination, chain.last.sequence if chain.last else 0, chain.digest)
