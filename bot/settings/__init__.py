"""The configuration: read from file, environment and `.env`, checked whole, handed out frozen."""

from bot.settings.load import Settings, load_settings
from bot.settings.mount import AccountSettings, ProviderSettings, ToolServer
from bot.settings.tree import Agent, AliasChoice, LoggingSection, ModelEntry, ModelUse, Tree, Warming

__all__ = [
    "AccountSettings",
    "Agent",
    "AliasChoice",
    "LoggingSection",
    "ModelEntry",
    "ModelUse",
    "ProviderSettings",
    "Settings",
    "ToolServer",
    "Tree",
    "Warming",
    "load_settings",
]
