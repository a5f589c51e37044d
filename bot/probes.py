"""Asking every account's channel whether the account can work: side by side, bounded, each by its own probe.

What a probe finds is for the owner; secrets that a stranger's probe lets slip are masked all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bot.redact import Redactor
from bot.remedies import Silence, silence_remedy
from bot.settings import AccountSettings
from channels.base import Finding, Level

DEADLINE = 10.0
"""Seconds that one probe gets, as the contract says (channels.base.ChannelSpec)."""

TOTAL = 25.0
"""Seconds that all of them get together."""

AT_ONCE = 8
"""Probes that run side by side; each holds a connection and perhaps an SDK."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What was found out about one account; at least one finding."""

    account: AccountSettings
    findings: tuple[Finding, ...]

    @property
    def name(self) -> str:
        """The account as people call it."""
        return f"{self.account.channel}/{self.account.name}"

    @property
    def worst(self) -> Level:
        """The gravest level among the findings."""
        levels = {finding.level for finding in self.findings}
        return next(level for level in (Level.PROBLEM, Level.WARNING, Level.OK) if level in levels)


async def probe_accounts(
    accounts: Sequence[AccountSettings],
    secrets: Sequence[str] = (),
    *,
    deadline: float = DEADLINE,
    total: float = TOTAL,
) -> list[Probed]:
    """Probe the accounts that run in the daemon, in their order. Takes at most `total` seconds; never raises."""
    end = asyncio.get_running_loop().time() + total
    gate = asyncio.Semaphore(AT_ONCE)
    redactor = Redactor(secrets)

    async def look(account: AccountSettings) -> Probed:
        try:
            async with asyncio.timeout_at(end), gate, asyncio.timeout(deadline):
                found = await _findings(account)
        except TimeoutError:
            remedy = silence_remedy(Silence.UNANSWERED, account.path)
            found = (Finding(Level.PROBLEM, "did not answer in time", remedy),)
        except Exception as error:  # noqa: BLE001 - a stranger's probe must not take the others down
            remedy = silence_remedy(Silence.PROBE_FAILED, account.path)
            found = (Finding(Level.PROBLEM, f"its probe failed: {type(error).__name__}: {error}", remedy),)
        return Probed(account, tuple(_masked(finding, redactor) for finding in found))

    async with asyncio.TaskGroup() as tasks:
        looking = [tasks.create_task(look(each)) for each in accounts if not each.spec.is_foreground]
    return [task.result() for task in looking]


async def _findings(account: AccountSettings) -> Sequence[Finding]:
    probe = account.spec.probe
    if probe is None:
        return (Finding(Level.OK, "can be checked only while it runs"),)
    return await probe(account.name, account.settings) or (Finding(Level.OK, "is in order"),)


def _masked(finding: Finding, redactor: Redactor) -> Finding:
    return Finding(finding.level, redactor.text(finding.what), redactor.text(finding.remedy))
