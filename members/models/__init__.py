from .attributes import Attribute
from .catalogue import Product
from .checkins import CheckIn, CheckInCalendar, CheckInReward
from .consents import Consent, ConsentEntry
from .events import Event, EventType
from .grants import Grant
from .identities import Identity, MergeCandidate
from .imports import ImportMapping
from .members import Member, MemberSummary
from .orders import Order, OrderLine, OrderNumber, Refund
from .organisation import Region, Source, Staff, Store
from .points import PointsAccount, PointsAllocation, PointsCurrency, PointsEntry, PointsHold, PointsLot
from .tasks import Task, TaskCompletion, TaskFact, TaskProgress, TaskStock, TaskUnlock, TaskVersion

__all__ = [
    "Attribute",
    "CheckIn",
    "CheckInCalendar",
    "CheckInReward",
    "Consent",
    "ConsentEntry",
    "Event",
    "EventType",
    "Grant",
    "Identity",
    "ImportMapping",
    "Member",
    "MemberSummary",
    "MergeCandidate",
    "Order",
    "OrderLine",
    "OrderNumber",
    "PointsAccount",
    "PointsAllocation",
    "PointsCurrency",
    "PointsEntry",
    "PointsHold",
    "PointsLot",
    "Product",
    "Refund",
    "Region",
    "Source",
    "Staff",
    "Store",
    "Task",
    "TaskCompletion",
    "TaskFact",
    "TaskProgress",
    "TaskStock",
    "TaskUnlock",
    "TaskVersion",
]
