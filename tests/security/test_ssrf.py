"""Addresses that a stranger names: hundreds of ways into a network of our own, none of which the one fetcher goes."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest_asyncio

from bot.fetch import Fault, Fetcher, FetchError
from tests.bot.test_fetch import Server, answer, fault, loopback_is_public, redirect

INSIDE = (
    "127.0.0.1 127.1.2.3 0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 168.63.129.16 169.254.169.254 169.254.170.2 "
    "172.16.0.1 172.31.255.254 192.0.0.192 192.168.1.1 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255"
).split()
"""Loopback, private, shared, link-local, the clouds' metadata, multicast, reserved (IANA registries, 2026-11)."""

NAMES = {
    "localhost": ["127.0.0.1", "::1"],
    "localhost.localdomain": ["127.0.0.1"],
    "ip6-localhost": ["::1"],
    "x.localhost": ["127.0.0.1"],
    "metadata.google.internal": ["169.254.169.254"],
    "metadata": ["169.254.169.254"],
    "instance-data": ["169.254.169.254"],
    "instance-data.ec2.internal": ["169.254.169.254", "fd00:ec2::254"],
    "kubernetes.default.svc": ["10.96.0.1"],
    "host.docker.internal": ["192.168.65.2"],
    "router.lan": ["192.168.0.1"],
    "both.example": ["8.8.8.8", "10.0.0.1"],
    "both-six.example": ["2606:4700::1111", "fe80::1"],
    "other-order.example": ["10.0.0.1", "8.8.8.8"],
    "nowhere.example": [],
    "odd.example": ["not an address"],
    "xn--lcalhost-11a.example": ["127.0.0.1"],
}
"""What the name servers of this test say."""

SIX = (
    "::1 :: fe80::1 fe80::a9fe:a9fe fec0::1 fc00::1 fd00:ec2::254 ff02::1 ff0e::1 100::1 2001:db8::1 2001::1 2001:10::1 "
    "3fff::1 5f00::1 0:0:0:0:0:0:0:1 ::0001 0000:0000:0000:0000:0000:0000:0000:0001 64:ff9b:1::1"
).split()

SCHEMES = (
    "file:///etc/passwd file://localhost/etc/passwd ftp://{h}/ gopher://{h}:6379/_INFO dict://{h}:11211/stats "
    "ldap://{h}/ tftp://{h}/x jar:http://{h}!/x netdoc:///etc/passwd data:text/plain,x javascript:alert(1) "
    "blob:http://{h}/x view-source:http://{h}/ ws://{h}/ wss://{h}/ unix:///var/run/docker.sock ssh://{h}/ "
    "//{h}/ {h}/x /etc/passwd \\\\{h}\\share ///{h}/ http:{h} http:/{h}/ http://// http:///{h} h\u200bttp://{h}/"
).split()

PORTS = (
    1,
    7,
    19,
    21,
    22,
    23,
    25,
    53,
    79,
    110,
    111,
    135,
    139,
    143,
    389,
    445,
    465,
    514,
    587,
    631,
    636,
    873,
    990,
    995,
)

HIDDEN = (
    "http://a:b@{h}/",
    "http://@{h}/",
    "http://outside.example@{h}/",
    "http://{h}@outside.example/",
    "http://outside.example%40{h}@{h}/",
    "http://outside.example#@{h}:80@{h}/",
    "http://outside.example\\@{h}/",
    "http://{h}\\.outside.example/",
    "http://{h}\r\nHost: x/",
    "http://outside.example/\r\n\r\nGET http://{h}/ HTTP/1.1",
    "http://outside.example/ HTTP/1.1\r\nHost: {h}\r\n\r\n",
    "http://{h}\t/",
    "http://{h}\n/",
    "http://\x00{h}/",
    "http://{h}\x7f/",
    "http://\u202e{h}/",
    "http://[{h}]/",
    "http://[::1/",
    "http://::1/",
    "http://[::1]x/",
    "http://[fe80::1%25eth0]/",
    "http://[::1%25lo]/",
    "http://{h}:80:80/",
    "http://{h}:99999/",
    "http://{h}:-1/",
    "http://{h}:\u0661/",
    "http:// {h}/",
    "http://{h} /",
    "http://.{h}/",
    "http://{h}../",
    "http://" + "a" * 70 + ".{h}/",
    "http://{h}/" + "a" * 5000,
)


def forms(address: str) -> Iterator[tuple[str, str]]:
    """The ways to write an IPv4 address as a host: how, and the host."""
    number = int(ipaddress.IPv4Address(address))
    a, b, c, d = address.split(".")
    high, low = f"{number >> 16:x}", f"{number & 0xFFFF:x}"
    yield from {
        "dotted": address,
        "decimal": str(number),
        "hexadecimal": hex(number),
        "capitals": f"0X{number:08X}",
        "octal": f"0{number:o}",
        "dotted hexadecimal": ".".join(hex(int(each)) for each in (a, b, c, d)),
        "dotted octal": ".".join(f"0{int(each):o}" for each in (a, b, c, d)),
        "many noughts": ".".join(f"{int(each):08o}" for each in (a, b, c, d)),
        "mixed": f"{hex(int(a))}.0{int(b):o}.{c}.{d}",
        "two parts": f"{a}.{number & 0xFFFFFF}",
        "three parts": f"{a}.{b}.{number & 0xFFFF}",
        "a dot at the end": f"{address}.",
        "full width": address.translate({ord(str(each)): chr(0xFF10 + each) for each in range(10)}),
        "in circles": "".join(chr(0x245F + int(each)) if each in "123456789" else each for each in address),
        "another script's dots": address.replace(".", "\u3002"),
        "half-width dots": address.replace(".", "\uff61"),
        "percent-encoded": "".join(f"%{ord(each):02x}" for each in address),
        "mapped": f"[::ffff:{address}]",
        "mapped in hexadecimal": f"[0:0:0:0:0:ffff:{high}:{low}]",
        "compatible": f"[::{address}]",
        "translated": f"[::ffff:0:{high}:{low}]",
        "6to4": f"[2002:{high}:{low}::]",
        "NAT64": f"[64:ff9b::{high}:{low}]",
        "local NAT64": f"[64:ff9b:1::{high}:{low}]",
        "Teredo": f"[2001:0:{high}:{low}::1]",
    }.items()


def vectors(port: int, host: str = "127.0.0.1") -> Iterator[tuple[str, str]]:
    """Everything: kind and URL. `port`: that of the trap, where connections would be counted."""
    for address in INSIDE:
        for kind, written in forms(address):
            yield kind, f"http://{written}:{port}/"
    for address in SIX:
        yield "IPv6", f"http://[{address}]:{port}/"
    for name in NAMES:
        yield "names", f"http://{name}:{port}/"
        yield "names in capitals", f"https://{name.upper()}.:{port}/"
    for scheme in SCHEMES:
        yield "schemes", scheme.replace("{h}", f"{host}:{port}")
    for number in (0, *PORTS):
        yield "ports", f"http://8.8.8.8:{number}/"
    for hidden in HIDDEN:
        yield "hidden", hidden.replace("{h}", host)


async def known(host: str, port: int) -> Sequence[str]:
    """The table for names, and our machine's own reading of numbers; no network is asked."""
    name = host.rstrip(".").lower()
    if name in NAMES:
        return NAMES[name]
    try:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except UnicodeError:
        raise OSError("no name") from None
    return [str(each[4][0]) for each in found]


@pytest_asyncio.fixture
async def trap() -> AsyncIterator[Server]:
    """A service inside that nobody from outside may reach; `heads` are the requests that did."""
    made = Server(pages={"/": answer(b"secret")})
    listener = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield made


async def outcome(url: str, fetcher: Fetcher) -> Fault | None:
    """Why it was not fetched; None when it was."""
    try:
        await fetcher.get(url)
    except FetchError as error:
        return error.fault
    return None


async def test_no_way_of_writing_an_address_leads_inside(trap: Server) -> None:
    fetcher = Fetcher(known)
    table = list(vectors(trap.port))
    faults = {url: await outcome(url, fetcher) for _, url in table}
    reached = {url: found for url, found in faults.items() if found not in (Fault.FORBIDDEN, Fault.UNKNOWN)}
    assert reached == {}
    assert trap.heads == []
    assert len(faults) >= 500, Counter(kind for kind, _ in table)
    assert sum(found is Fault.FORBIDDEN for found in faults.values()) >= 450, (
        "most are understood, then refused"
    )
    # The trap works: with a rule that takes 127.0.0.1 for the internet, the same address is reached.
    assert await outcome(f"http://127.0.0.1:{trap.port}/", Fetcher(known, loopback_is_public)) is None
    assert len(trap.heads) == 1


async def test_no_redirect_leads_inside_however_it_is_written(trap: Server) -> None:
    """Each over a real connection: the first answer comes from outside, the second would not."""
    fetcher = Fetcher(known, loopback_is_public)
    targets = [
        f"http://{host}/"
        for address in INSIDE[1:]
        for kind, host in forms(address)
        if kind in ("dotted", "decimal", "mapped")
    ]
    targets += [
        url for kind, url in vectors(trap.port, "10.0.0.1") if kind in ("IPv6", "schemes", "ports", "hidden")
    ]
    # No server can put these into a header.
    targets = [each for each in targets if not any(char in each for char in "\r\n\x00")]
    fetched = []
    for target in targets:
        trap.pages["/go"] = redirect(target.encode().decode("latin-1"))
        if await outcome(f"http://127.0.0.1:{trap.port}/go", fetcher) is None:
            fetched.append(target)
    assert fetched == []
    assert len(targets) >= 100
    assert len([head for head in trap.heads if head.startswith("GET /go ")]) == len(targets)


async def test_a_name_is_looked_up_anew_for_each_redirect(trap: Server) -> None:
    """A name that is public for the first request and leads inside for the second."""
    answers = [["127.0.0.1"], ["169.254.169.254"]]

    async def rebinding(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    trap.pages["/first"] = redirect(f"http://rebind.example:{trap.port}/")
    error = await fault(f"http://rebind.example:{trap.port}/first", Fetcher(rebinding, loopback_is_public))
    assert (error.fault, error.detail, len(trap.heads), answers) == (Fault.FORBIDDEN, "private", 1, [])


async def test_between_check_and_connection_no_name_is_looked_up(trap: Server) -> None:
    """Two answers, the second one inside: the connection goes to what was checked."""
    asked = 0

    async def turning(host: str, port: int) -> Sequence[str]:
        nonlocal asked
        asked += 1
        return ["127.0.0.1"] if asked == 1 else ["10.0.0.1"]

    fetcher = Fetcher(turning, loopback_is_public)
    assert await outcome(f"http://turning.example:{trap.port}/", fetcher) is None
    assert (asked, len(trap.heads)) == (1, 1)
