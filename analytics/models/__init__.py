from .lifecycle import LifecycleModel, LifecycleRun, MemberStage, StageChange
from .rfm import RfmAggregate, RfmChange, RfmModel, RfmRun, RfmScore

__all__ = [
    "LifecycleModel",
    "LifecycleRun",
    "MemberStage",
    "RfmAggregate",
    "RfmChange",
    "RfmModel",
    "RfmRun",
    "RfmScore",
    "StageChange",
]
