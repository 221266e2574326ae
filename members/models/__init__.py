from .attributes import Attribute
from .catalogue import Product
from .consents import Consent, ConsentEntry
from .earning import EarningBudget, EarningPeriod, EarningRule, EarningRuleVersion, EarningTrial, PointsEarning
from .events import Event, EventType
from .grants import Grant
from .identities import Identity, MergeCandidate
from .imports import ImportMapping
from .members import Member, MemberSummary
from .orders import Order, OrderLine, OrderNumber, Refund
from .organisation import Region, Source, Staff, Store
from .points import PointsAccount, PointsAllocation, PointsCurrency, PointsEntry, PointsHold, PointsLot
from .tiers import Membership, MembershipPlan, MemberTier, Tier, TierDay, TierMove, TierRung, TierScheme

__all__ = [
    "Attribute",
    "Consent",
    "ConsentEntry",
    "EarningBudget",
    "EarningPeriod",
    "EarningRule",
    "EarningRuleVersion",
    "EarningTrial",
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
    "PointsEarning",
    "PointsEntry",
    "PointsHold",
    "PointsLot",
    "Product",
    "Refund",
    "Region",
    "Source",
    "Staff",
    "Store",
    "Membership",
    "MembershipPlan",
    "MemberTier",
    "Tier",
    "TierDay",
    "TierMove",
    "TierRung",
    "TierScheme",
]
