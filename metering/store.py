"""Where metering's values and rows meet: one store over one session, made of its parts."""

from metering.store_fittings import FittingStore
from metering.store_machines import UnknownMeter
from metering.store_records import Refused
from metering.store_schedules import ScheduleStore
from metering.store_sessions import SessionStore
from metering.tables import EnrolmentCodeRow

__all__ = ["EnrolmentCodeRow", "MeteringStore", "Refused", "UnknownMeter"]


class MeteringStore(SessionStore, ScheduleStore, FittingStore):
    """Machines, meters and agents; records, readings and sessions; cut schedules; usage, over the meters of a place."""
