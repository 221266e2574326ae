from .adjustments import PointsAdjustment
from .attributes import Attribute
from .benefits import Benefit, BenefitClaimCode, BenefitCode, BenefitRule, BenefitStore, MemberBenefit, Partner
from .catalogue import Product
from .checkins import CheckIn, CheckInCalendar, CheckInReward
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
from .points_liability import PointsCohort, PointsExpiry, PointsLiability
from .points_moves import PointsMove, PointsMoveStep
from .tasks import Task, TaskCompletion, TaskFact, TaskFunnel, TaskProgress, TaskStock, TaskUnlock, TaskVersion
from .tiers import Membership, MembershipPlan, MemberTier, Tier, TierDay, TierMove, TierRung, TierScheme, TierTrial

__all__ = [
    "Attribute",
    "Benefit",
    "BenefitClaimCode",
    "BenefitCode",
    "BenefitRule",
    "BenefitStore",
    "CheckIn",
    "CheckInCalendar",
    "CheckInReward",
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
    "MemberBenefit",
    "MemberSummary",
    "MemberTier",
    "Membership",
    "MembershipPlan",
    "MergeCandidate",
    "Order",
    "OrderLine",
    "OrderNumber",
    "Partner",
    "PointsAccount",
    "PointsAdjustment",
    "PointsAllocation",
    "PointsCohort",
    "PointsCurrency",
    "PointsEarning",
    "PointsEntry",
    "PointsExpiry",
    "PointsHold",
    "PointsLiability",
    "PointsLot",
    "PointsMove",
    "PointsMoveStep",
    "Product",
    "Refund",
    "Region",
    "Source",
    "Staff",
    "Store",
    "Task",
    "TaskCompletion",
    "TaskFact",
    "TaskFunnel",
    "TaskProgress",
    "TaskStock",
    "TaskUnlock",
    "TaskVersion",
    "Tier",
    "TierDay",
    "TierMove",
    "TierRung",
    "TierScheme",
    "TierTrial",
]
