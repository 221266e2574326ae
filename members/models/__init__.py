from .attributes import Attribute
from .catalogue import Product
from .consents import Consent, ConsentEntry
from .events import Event, EventType
from .identities import Identity, MergeCandidate
from .imports import ImportMapping
from .members import Member, MemberSummary
from .orders import Order, OrderLine, OrderNumber, Refund
from .organisation import Region, Source, Staff, Store
from .points import PointsAccount, PointsAllocation, PointsCurrency, PointsEntry, PointsHold, PointsLot
from .points_moves import PointsMove, PointsMoveStep

__all__ = [
    "Attribute",
    "Consent",
    "ConsentEntry",
    "Event",
    "EventType",
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
    "PointsMove",
    "PointsMoveStep",
    "Product",
    "Refund",
    "Region",
    "Source",
    "Staff",
    "Store",
]
