from .segments import Segment, SegmentMember
from .tags import MemberTag, Tag, TagGroup

__all__ = ["MemberTag", "Segment", "SegmentMember", "Tag", "TagGroup"]
