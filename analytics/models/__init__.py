from .alerts import Alert, AlertRule
from .lifecycle import LifecycleModel, LifecycleRun, LifecycleVersion, MemberStage, StageChange
from .model_tags import ModelRun, ModelScore, ModelValue
from .rfm import RfmAggregate, RfmChange, RfmModel, RfmModelVersion, RfmRun, RfmScore

__all__ = [
    "Alert",
    "AlertRule",
    "LifecycleModel",
    "LifecycleRun",
    "LifecycleVersion",
    "MemberStage",
    "ModelRun",
    "ModelScore",
    "ModelValue",
    "RfmAggregate",
    "RfmChange",
    "RfmModel",
    "RfmModelVersion",
    "RfmRun",
    "RfmScore",
    "StageChange",
]
