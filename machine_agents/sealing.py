"""Sealing: registers become readings, readings signed records, and all of it one transaction of the spool."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from machine_agents.accrual import AccrualState, Cut, fold, snapshot
from machine_agents.clock_watch import ClockWatch
from machine_agents.config import MeterConfig
from machine_agents.counting import CounterEvent
from machine_agents.credentials import Enrolment
from machine_agents.delivery import Delivery, Known
from machine_agents.host import Host
from machine_agents.missed import after_loss, first_heartbeat, known_of
from machine_agents.observation import REPLAYED, Observation
from machine_agents.observation_log import ObservationLog
from machine_agents.recovered import Recovered
from machine_agents.source_time import from_ms, to_ms
from machine_agents.spool import Spool, Tail
from metering.ocmf import PrivateKey, PublicKey, Sealed, seal
from metering.reading import Clocks, Reading, Reason, Record, Status, TimeQuality
from metering.schedule import ScheduledCut
from metering.schedule_plan import Admitted, Plan, Refused, admit

TELEMETRY = "telemetry"
"""The name under which the spool keeps how far the raw observations are numbered."""
_SOURCE = "source"  # the name under which the spool keeps the source's own state
_CLOCKS = "clocks"
_HISTORY = "from history"
_PLAN = "cut plan"
_READINGS_A_RECORD = 100
_EVENTS_TOLD = 100
_ENDS = {Reason.END, Reason.POWER_FAIL}
_LIVE_AFTER = timedelta(seconds=5)
_LIVE_AT_MOST = 1.25
"""Source time that runs faster than wall time by more than this is a recording played back, not a machine at work."""


@dataclass(frozen=True, slots=True)
class Pace:
    """A heartbeat and when it came, on a clock that is never set (seconds): tells live from replay."""

    heartbeat: datetime
    came: float


class Meter:
    """The registers of one machine. Takes deliveries; each is folded, sealed and stored at once, or not at all."""

    def __init__(
        self,
        spool: Spool,
        key: PrivateKey,
        identity: Enrolment,
        config: MeterConfig,
        *,
        host: Host,
        log: ObservationLog | None = None,
    ) -> None:
        self._log = log
        self._spool, self._key, self._identity, self._config = spool, key, identity, config
        self._monotonic = host.monotonic
        self._host = host
        self._pace: Pace | None = None
        self.live = False
        self.counter_events: dict[str, int] = {}
        self._untold: deque[CounterEvent] = deque(maxlen=_EVENTS_TOLD)
        self.heartbeat: datetime | None = None
        self._state: AccrualState | None = None
        self._plan = Plan()
        self._load()

    def deliver(self, delivery: Delivery) -> None:
        """Fold, seal and store; NotStored leaves registers and chain as they were."""
        try:
            doubted_ms = self._look_at_clocks(delivery)
            cuts = self._fold(delivery, doubted_ms)
            sealed = self._seal(cuts)
            if sealed:
                self._clocks.told()
            kept = {_SOURCE: delivery.state, _CLOCKS: self._clocks.to_json()}
            if sealed or delivery.history is not None:
                kept[_HISTORY] = self._recovered.to_json()
            if self._state is not None:
                kept["accrual"] = self._state.to_json()
            if self._log is not None:
                kept[TELEMETRY] = self._log.kept()
            self._spool.commit(kept, sealed)
        except BaseException:
            self._load()
            if self._log is not None:
                self._log.undo()
            raise
        self.heartbeat = delivery.heartbeat or self.heartbeat
        if self._state is not None and self._state.events:
            self._note_events(self._state.events)

    def remember(self, state: str) -> None:
        self._spool.commit({_SOURCE: state})

    def remembered(self) -> str:
        return self._spool.kept(_SOURCE) or ""

    def known(self) -> Known | None:
        return known_of(self._state) if self._state else None

    @property
    def plan(self) -> Plan:
        """What has to be cut, as far as it is known."""
        return self._plan

    def follow(self, text: str, key: PublicKey) -> Admitted | Refused:
        """Take in the signed cut schedule `text`; the new plan is on the disk when it returns, else NotStored."""
        folded_to = self._state.folded_to if self._state else None
        outcome = admit(self._plan, text, meter=self._identity.meter_serial, key=key, folded_to=folded_to)
        if isinstance(outcome, Admitted):
            self._spool.commit({_PLAN: outcome.plan.to_json()})
            self._plan = outcome.plan
            self._follow_plan()
        return outcome

    def cuts_ahead(self) -> Sequence[ScheduledCut]:
        """The cuts of the plan that the meter has not come to yet."""
        return self._plan.after(self._state.folded_to) if self._state else self._plan.cuts

    def registers(self) -> dict[str, int]:
        """The registers as of the last heartbeat; empty before the first."""
        return dict(self._state.registers) if self._state else {}

    def dropped(self) -> dict[str, int]:
        """Observations that changed nothing, by reason."""
        return dict(self._state.dropped) if self._state else {}

    def _note_events(self, events: Iterable[CounterEvent]) -> None:
        for one in events:
            name = f"{one.signal} {one.event}"
            self.counter_events[name] = self.counter_events.get(name, 0) + 1
            self._untold.append(one)

    def untold_events(self) -> list[CounterEvent]:
        """Counters' unusual steps since this was last asked for; the newest, where there are very many."""
        told = list(self._untold)
        self._untold.clear()
        return told

    def _load(self) -> None:
        limit_ms = 1000 * self._config.clock_limit_seconds
        self._clocks = ClockWatch(self._host, limit_ms=limit_ms, text=self._spool.kept(_CLOCKS))
        self._recovered = Recovered(self._spool.kept(_HISTORY))
        text = self._spool.kept("accrual")
        self._state = AccrualState.from_json(text) if text else None
        plan = self._spool.kept(_PLAN)
        self._plan = Plan.from_json(plan) if plan else Plan()
        self._follow_plan()

    def _follow_plan(self) -> None:
        if self._state is not None:
            self._state.follow((to_ms(cut.at), Reason(cut.kind.value), cut.session) for cut in self._plan.cuts)

    def _look_at_clocks(self, delivery: Delivery) -> int:
        """How much of the source's time since the last heartbeat has not passed: its clock was set forward."""
        state = self._state
        told = [seen.value is True for seen in delivery.observations if seen.signal == REPLAYED]
        replayed = told[-1] if told else state is not None and state.replayed
        stamps = sorted(seen.source_time for seen in delivery.observations)
        beat = None if delivery.past else delivery.heartbeat  # what is read afterwards is no clock's time
        ahead_ms = self._clocks.look(beat, replayed=replayed, stamps=stamps)
        return ahead_ms if state is not None else 0

    def _fold(self, delivery: Delivery, doubted_ms: int) -> list[Cut]:
        cuts: list[Cut] = []
        first = first_heartbeat(delivery.observations) if delivery.fresh else None
        if first is not None and self._state is None:
            self._state = AccrualState.begin(first, delivery.signals)
            self._follow_plan()
            cuts.append(self._first_cut(delivery.observations))
        if self._state is None:
            raise ValueError("the first delivery must be fresh and hold a heartbeat")
        observations = after_loss(self._state, delivery, first, begun=bool(cuts))
        if delivery.history is not None:
            self._recovered.add(delivery.history.period)
        cuts += self._folded(self._state, observations, delivery.heartbeat, doubted_ms)
        if delivery.heartbeat is not None and not delivery.past:
            cuts += self._interim(delivery.heartbeat, cuts)
        return cuts

    def _folded(
        self, state: AccrualState, observations: Sequence[Observation], heartbeat: datetime | None, doubted_ms: int
    ) -> list[Cut]:
        """Fold, and keep raw what the fold took: before the commit, so that a kill in between loses nothing of it."""
        after_ms = state.settled
        if self._log is not None:
            self._log.before(state)
        cuts = fold(state, observations, heartbeat, self._config.policy, doubted_ms=doubted_ms)
        if self._log is not None:
            self._log.take(after_ms, state)
        return cuts

    def _first_cut(self, observations: Iterable[Observation]) -> Cut:
        """The registers at zero. Whether they are a recording's is known from the same delivery."""
        assert self._state is not None
        replayed = [seen.value for seen in observations if seen.signal == REPLAYED]
        return replace(snapshot(self._state, reason=Reason.BEGIN), replayed=bool(replayed and replayed[0]))

    def _interim(self, heartbeat: datetime, cuts: Sequence[Cut]) -> list[Cut]:
        """While live, a reading between the quarter hours, so that cost is seen as it arises."""
        assert self._state is not None
        came = self._monotonic()
        pace = self._pace
        if pace is None or heartbeat < pace.heartbeat:
            self._pace = Pace(heartbeat, came)
            return []
        if timedelta(seconds=came - pace.came) >= _LIVE_AFTER:
            self.live = (heartbeat - pace.heartbeat).total_seconds() <= _LIVE_AT_MOST * (came - pace.came)
            self._pace = Pace(heartbeat, came)
        due = from_ms(self._state.last_cut) + timedelta(seconds=self._config.interim_seconds)
        if cuts or not self.live or self._state.suppressed or heartbeat < due or not self._config.interim_seconds:
            return []
        return [snapshot(self._state)]

    def _seal(self, cuts: Sequence[Cut]) -> list[Sealed]:
        """Records of many readings each, linked to the one before; steps of the clocks are marked on the first."""
        tail, sealed = self._spool.tail, []
        clocks = self._clocks.clocks()
        for group in _records(cuts):
            quality = self._clocks.quality(self._config.clock, replayed=group[0].replayed)
            one = seal(self._record(tail, group, clocks, quality), self._key)
            tail = Tail(one.record.pagination, tail.sequence + len(group), one.digest)
            sealed.append(one)
            clocks = replace(clocks, wall_step_ms=0, source_step_ms=0)
        return sealed

    def _record(self, tail: Tail, cuts: Sequence[Cut], clocks: Clocks, quality: TimeQuality) -> Record:
        readings = [
            Reading(
                sequence=tail.sequence + number,
                device_time=cut.at,
                time_quality=quality,
                reason=cut.reason,
                status=Status.GOOD,
                registers=cut.registers,
                spectrum=cut.spectrum,
                gap=cut.gap,
                session=cut.session,
            )
            for number, cut in enumerate(cuts, start=1)
        ]
        return Record(
            agent=self._identity.agent_id,
            meter=self._identity.meter_serial,
            machine_model=self._identity.machine_model,
            pagination=tail.pagination + 1,
            previous=tail.digest,
            replayed=cuts[0].replayed,
            readings=readings,
            clocks=clocks,
            recovered=self._recovered.take(cuts[-1].at),
        )


def _records(cuts: Iterable[Cut]) -> Iterator[list[Cut]]:
    """Cuts in runs that one record can hold.

    A session's begin opens a record and its end closes one: the public software finds one of each at most in a record.
    """
    run: list[Cut] = []
    for cut in cuts:
        if run and (len(run) == _READINGS_A_RECORD or not _go_together(run[-1], cut)):
            yield run
            run = []
        run.append(cut)
    if run:
        yield run


def _go_together(one: Cut, following: Cut) -> bool:
    split = one.reason in _ENDS or following.reason is Reason.BEGIN or one.replayed is not following.replayed
    return not split and one.registers.keys() == following.registers.keys()
