from .accounts import ApiKey, User
from .audit import AuditEntry
from .bitmaps import BitmapBlob, BitmapChange, BitmapSlot
from .idempotency import IdempotencyRecord
from .jobs import Job
from .notifications import Notification
from .views import SavedView

__all__ = [
    "ApiKey",
    "AuditEntry",
    "BitmapBlob",
    "BitmapChange",
    "BitmapSlot",
    "IdempotencyRecord",
    "Job",
    "Notification",
    "SavedView",
    "User",
]
