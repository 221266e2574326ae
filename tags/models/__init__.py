from .segments import Segment, SegmentMember, SegmentSize
from .tags import MemberTag, Tag, TagGroup, TagStatistic
from .watches import TagRule, Watch, WatchFlip, WatchMember

__all__ = [
    "MemberTag",
    "Segment",
    "SegmentMember",
    "SegmentSize",
    "Tag",
    "TagGroup",
    "TagRule",
    "TagStatistic",
    "Watch",
    "WatchFlip",
    "WatchMember",
]
