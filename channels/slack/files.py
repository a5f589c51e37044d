"""Files that people send. The bot's token goes to Slack's own hosts and nowhere else."""

from __future__ import annotations

from urllib.parse import urlsplit

from channels.errors import Gone, GoneWhat, Refused, TooLong
from channels.slack.calls import Api
from channels.slack.content import BY_ID, dereference, url_of

_HTML = ("text/html", "application/xhtml+xml")


def is_slacks(url: str, api_base: str) -> bool:
    """Whether the address is Slack's: files.slack.com and the like, or the server that is configured."""
    try:
        parts, own = urlsplit(url), urlsplit(api_base)
        same = (parts.scheme, parts.hostname, parts.port) == (own.scheme, own.hostname, own.port)
    except ValueError:
        return False
    host = parts.hostname or ""
    is_secure = parts.scheme == "https" and parts.port in (None, 443) and parts.username is None
    return same or (is_secure and host.endswith((".slack.com", ".slack-gov.com", ".slack-files.com")))


async def fetch(api: Api, api_base: str, ref: str, max_bytes: int, seconds: float) -> bytes:
    """The bytes of an attachment. Raises TooLong, Gone, Refused and Unavailable."""
    found = await _by_id(api, ref.removeprefix(BY_ID)) if ref.startswith(BY_ID) else dereference(ref)
    if found is None:
        raise Gone(GoneWhat.MESSAGE, "not a file of Slack")
    url, mime = found
    if not is_slacks(url, api_base):
        raise Refused("foreign_host", "the file does not lie at Slack; the bot's token is not sent there")
    async with api.download(url, seconds) as response:
        if response.status in (301, 302, 303, 307, 308):
            raise Refused("not_a_file", "Slack asked for a login; the app lacks the scope files:read")
        if response.status in (404, 410):
            raise Gone(GoneWhat.MESSAGE, "the file is gone")
        if response.status != 200:
            raise Refused("not_a_file", f"the file was answered with HTTP status {response.status}")
        if response.content_type in _HTML and mime not in _HTML:
            # Without files:read Slack answers with the page of its login and status 200.
            raise Refused(
                "not_a_file", "Slack answered with its login page; the app lacks the scope files:read"
            )
        if (response.content_length or 0) > max_bytes:
            raise TooLong(f"{response.content_length} of {max_bytes} bytes")
        data = bytearray()
        async for chunk in response.content.iter_any():
            data += chunk
            if len(data) > max_bytes:
                raise TooLong(f"more than {max_bytes} bytes")
        return bytes(data)


async def _by_id(api: Api, number: str) -> tuple[str, str] | None:
    data = await api.ask("files.info", {"file": number})
    return url_of(data.get("file"))
