"""Which URLs may be asked: hundreds of ways into a network of one's own, and the ways out of it."""

from __future__ import annotations

import ipaddress
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.addresses import BadUrl, Forbidden, all_public, checked, is_public, redirected
from tests.generated import generated

PRIVATE = (
    "0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.254 127.0.0.1 127.1.2.3 169.254.169.254 169.254.170.2 "
    "172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.7 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 "
    "198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 100.100.100.200 168.63.129.16 "
    ":: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 "
    "100::1 2001::1 2001:db8::1 2001:10::1 2002:7f00:1:: 2002:808:808::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%1 fec0::1 "
    "ff02::1 ff0e::1 3fff::1 5f00::1"
).split()
PUBLIC = "1.1.1.1 8.8.8.8 93.184.216.34 172.15.0.1 172.32.0.1 2606:4700::1111 2a00:1450:4001::1 64:ff9b::808:808".split()


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_a_network_of_our_own_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    assert not all_public([address])
    assert not all_public(["8.8.8.8", address])


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_no_address_and_what_is_none_are_not_public() -> None:
    assert not all_public([])
    assert not all_public(["localhost"])


@generated
@given(st.ip_addresses(v=4))
def test_wrapping_an_address_does_not_make_it_public(address: ipaddress.IPv4Address) -> None:
    for prefix in ("::ffff:0:0", "::", "2002::"):
        shift = 80 if prefix == "2002::" else 0
        wrapped = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | int(address) << shift)
        assert not is_public(wrapped)
    nat64 = ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) | int(address))
    assert is_public(nat64) == is_public(address)


@generated
@given(st.ip_addresses())
def test_what_python_knows_to_be_private_never_counts_as_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if is_public(address) and not (address.version == 6 and str(address).startswith("64:ff9b::")):
        assert address.is_global and not address.is_private and not address.is_loopback


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://example.com/", BadUrl.SCHEME),
        ("file:///etc/passwd", BadUrl.SCHEME),
        ("gopher://example.com/", BadUrl.SCHEME),
        ("data:text/plain,x", BadUrl.SCHEME),
        ("//example.com/x", BadUrl.SCHEME),
        ("example.com/x", BadUrl.SCHEME),
        ("", BadUrl.SCHEME),
        ("http:///x", BadUrl.MALFORMED),
        ("http://[::1/x", BadUrl.MALFORMED),
        ("http://example.com:99999/", BadUrl.MALFORMED),
        ("http://exa mple.com/", BadUrl.MALFORMED),
        ("http://example.com/\r\nHost: inside", BadUrl.MALFORMED),
        ("http://example.com\\@inside/", BadUrl.MALFORMED),
        ("http://" + "a" * 300 + ".com/", BadUrl.MALFORMED),
        ("http://example.com/" + "a" * 5000, BadUrl.MALFORMED),
        ("http://user:secret@example.com/", BadUrl.CREDENTIALS),
        ("http://8.8.8.8@127.0.0.1/", BadUrl.CREDENTIALS),
        ("http://@example.com/", BadUrl.CREDENTIALS),
        ("http://example.com:22/", BadUrl.PORT),
        ("http://example.com:25/", BadUrl.PORT),
        ("https://example.com:0/", BadUrl.PORT),
    ],
)
def test_a_url_that_may_not_be_asked(url: str, why: BadUrl) -> None:
    with pytest.raises(Forbidden) as raised:
        checked(url)
    assert raised.value.why is why


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("HTTP://Example.COM", "http://example.com/"),
        ("https://example.com:8443/a?b=c#d", "https://example.com:8443/a?b=c"),
        ("http://bücher.example/ü", "http://xn--bcher-kva.example/ü"),
        ("http://１２７.0.0.1/", "http://127.0.0.1/"),
        ("http://[2606:4700:0:0::1111]/", "http://[2606:4700::1111]/"),
        ("http://example.com./", "http://example.com/"),
    ],
)
def test_a_url_is_asked_in_its_usual_form(url: str, asked: str) -> None:
    assert checked(url) == asked


def test_a_redirect_is_checked_like_any_url() -> None:
    assert redirected("http://a.example/x/y", "../z") == "http://a.example/z"
    assert redirected("http://a.example/", "//b.example/c") == "http://b.example/c"
    for target, why in (
        ("http://a.example/", BadUrl.DOWNGRADE),
        ("file:///etc/passwd", BadUrl.SCHEME),
        ("https://u:p@b.example/", BadUrl.CREDENTIALS),
    ):
        with pytest.raises(Forbidden) as raised:
            redirected("https://a.example/", target)
        assert raised.value.why is why


@generated
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_a_url_or_none_and_nothing_else(url: str, target: str) -> None:
    for attempt in (
        partial(checked, url),
        partial(checked, f"http://{url}"),
        partial(redirected, "https://a.example/", target),
    ):
        try:
            found = attempt()
        except Forbidden:
            continue
        assert found.startswith(("http://", "https://"))
        assert found.isprintable() and "@" not in found.split("/")[2]
