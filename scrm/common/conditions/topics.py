"""What the answer of a condition hangs on, so that a batch of facts only evaluates what it can have changed."""

from __future__ import annotations

from scrm.common.conditions.tree import Leaf, Node, leaves

# Every condition hangs on it: that there is a member at all. In `Facts.topics` when a batch made somebody.
CREATED = "created"


def dependencies(node: Node) -> frozenset[str]:
    """The topics of the tree; facts whose `topics` share none of them cannot change its answer for anybody.

    "created" (in every answer: somebody new is evaluated by every condition), "profile", "region" (of stores),
    "attribute", "identity", "consent", "order", "event:<type key>", "tag", "segment:<id>" together with the topics of
    that segment's own condition, "rfm", "lifecycle", "model", "message", "points:<currency>", "tier", "benefit",
    "task", "task.state" (whether tasks are active, and until when), "checkin".
    """
    return frozenset({CREATED}).union(*(topics_of(leaf) for leaf in leaves(node)))


def topics_of(leaf: Leaf) -> frozenset[str]:
    """What one leaf hangs on."""
    topics = leaf.field.topics
    return topics(leaf) if callable(topics) else topics
