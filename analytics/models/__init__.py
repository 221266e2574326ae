from .lifecycle import LifecycleModel, LifecycleRun, MemberStage, StageChange
from .model_tags import ModelRun, ModelScore, ModelValue
from .rfm import RfmAggregate, RfmChange, RfmModel, RfmRun, RfmScore

__all__ = [
    "LifecycleModel",
    "LifecycleRun",
    "MemberStage",
    "ModelRun",
    "ModelScore",
    "ModelValue",
    "RfmAggregate",
    "RfmChange",
    "RfmModel",
    "RfmRun",
    "RfmScore",
    "StageChange",
]
