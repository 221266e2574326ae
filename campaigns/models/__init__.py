from .campaigns import Campaign, CampaignChunk
from .channels import ChannelAccount, SandboxMessage
from .messages import Message, ShortLink
from .templates import MessageTemplate

__all__ = [
    "Campaign",
    "CampaignChunk",
    "ChannelAccount",
    "Message",
    "MessageTemplate",
    "SandboxMessage",
    "ShortLink",
]
