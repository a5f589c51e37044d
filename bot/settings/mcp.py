"""Servers that offer tools over the Model Context Protocol: how each is reached, and who may use what."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from bot.settings.fields import Flag, Name, Section, Text, Url
from bot.settings.shapes import Named

_CHILD = ("args", "env", "cwd")
_HTTP = ("headers", "transport")


class McpServer(Section):
    """One server: a program that is started (`command`) or an address (`url`), never both."""

    command: Name | None = Field(
        default=None, description="Program to start; it speaks on its standard input and output."
    )
    args: tuple[Text, ...] = Field(default=(), description="Arguments of the program.")
    env: Annotated[dict[str, SecretStr], Named("VARIABLE")] = Field(
        default_factory=dict,
        description="Variables of the program beside HOME, PATH, USER, LOGNAME, SHELL and TERM; it gets no others.",
    )
    cwd: Name | None = Field(
        default=None, description="Folder that the program starts in; none: the daemon's."
    )
    url: Url | None = Field(default=None, description="Where a server that runs already is reached.")
    headers: Annotated[dict[str, SecretStr], Named("HEADER")] = Field(
        default_factory=dict, description="Sent with each request to the URL."
    )
    transport: Literal["http", "sse"] = Field(
        default="http",
        description="http: streamable HTTP; sse: the older way, for servers that know no other.",
    )
    enabled: Flag = Field(default=True, description="Whether it is used.")
    agents: tuple[Name, ...] = Field(
        default=(), description='Agents of agents.list that may use it, or "defaults"; empty: all.'
    )
    trust: Literal["owners", "members"] = Field(
        default="owners",
        description="For whom: owners of an account, or members too (named in its allow). Never for anybody else.",
    )
    reach: Literal["outside", "local"] = Field(
        default="outside",
        description="Where its tools can send what they are given; local: nowhere but this machine.",
    )
    foreign: Literal["all", "results", "nothing"] | None = Field(
        default=None,
        description="What of its words is somebody else's: all (the descriptions of its tools too), results, or "
        "nothing; none: results of a command, all of a URL. After foreign words calls are asked about each time.",
    )
    tools: tuple[Name, ...] = Field(
        default=(), description="Names of the tools that are offered, * for any letters; empty: all."
    )
    confirm: Literal["sideEffects", "always", "never"] = Field(
        default="sideEffects",
        description="Whose calls need a press of a button; sideEffects: of tools not said to be read-only.",
    )
    confirm_except: tuple[Name, ...] = Field(
        default=(),
        description="Names of tools, * for any letters, whose calls need none whatever `confirm` says.",
    )

    @property
    def has_foreign_words(self) -> bool:
        """Whether its descriptions may be anybody's. A program could do anything here anyway."""
        return self.foreign == "all" or (self.foreign is None and self.url is not None)

    @model_validator(mode="after")
    def _is_reached_one_way(self) -> Self:
        if (self.command is None) == (self.url is None):
            found = "both command and url are" if self.command is not None else "neither command nor url is"
            raise ValueError(f"{found} set; allowed: exactly one of command (a program) and url (an address)")
        foreign, own = (_HTTP, "command") if self.command is not None else (_CHILD, "url")
        for key in foreign:
            if key in self.model_fields_set:
                raise ValueError(f"{key} has no meaning beside {own}; allowed: leave it out")
        return self


class McpSection(Section):
    """Servers of the Model Context Protocol."""

    servers: Annotated[dict[Name, McpServer], Named("NAME")] = Field(
        default_factory=dict, description="Servers of tools by name."
    )
