"""`make run` on one's own machine: plain HTTP on loopback, embedded services, everything else as in production."""

from .base import *  # noqa: F403

SESSION_COOKIE_NAME = "scrm_session"
