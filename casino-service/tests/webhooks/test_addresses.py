"""No spelling of a private address is a webhook's: what got past the guards of other senders, made by a generator.

The spellings are those of public reports: IPv4 in octal, hexadecimal, one number or fewer parts; IPv4 mapped,
compatible, translated (NAT64, also its local prefix), tunnelled (6to4, Teredo) in IPv6; trailing dots; digits of other
scripts; user names; backslashes, tabs and line feeds. Names that resolve to such addresses: test_sender.py.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casino.webhooks.addresses import Endpoint, endpoint_of, is_public, may_connect

PRIVATE_V4 = [
    *("127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254"),
    *("169.254.170.2", "100.64.0.1", "100.100.100.200", "0.0.0.0", "0.1.2.3", "192.0.0.192", "198.18.0.1", "224.0.0.1"),
    *("239.255.255.250", "255.255.255.255", "240.0.0.1", "192.0.2.1", "168.63.129.16", "192.88.99.1"),
]
PUBLIC = ["93.184.216.34", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:2800:220:1::1", "2a00:1450:4001:81b::200e"]
PRIVATE_V6 = [
    *("::1", "::", "fe80::1", "febf::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1"),
    *("3fff::1", "100::1", "2001:10::1", "2001:20::1", "2620:4f:8000::1", "3ffe::1", "5f00::1"),
]

private_v4 = st.one_of(
    st.sampled_from(PRIVATE_V4).map(IPv4Address),
    *(
        st.integers(int(IPv4Address(first)), int(IPv4Address(last))).map(IPv4Address)
        for first, last in [
            ("10.0.0.0", "10.255.255.255"), ("127.0.0.0", "127.255.255.255"), ("169.254.0.0", "169.254.255.255"),
            ("172.16.0.0", "172.31.255.255"), ("192.168.0.0", "192.168.255.255"), ("100.64.0.0", "100.127.255.255"),
            ("224.0.0.0", "255.255.255.255"), ("0.0.0.0", "0.255.255.255"),
        ]
    ),
)  # fmt: skip


def parts(address: IPv4Address) -> list[int]:
    return list(address.packed)


def embedded(address: IPv4Address) -> list[IPv6Address]:
    """Every way in which IPv6 carries it."""
    low, teredo = int(address), int(address) ^ 0xFFFFFFFF
    return [
        IPv6Address((0xFFFF << 32) | low),  # mapped
        IPv6Address((0xFFFF << 48) | low),  # translated (SIIT)
        IPv6Address(low),  # compatible
        IPv6Address(int(IPv6Address("64:ff9b::")) | low),  # NAT64
        IPv6Address(int(IPv6Address("64:ff9b:1::")) | low),  # NAT64 of a local prefix
        IPv6Address((0x2002 << 112) | (low << 80) | 1),  # 6to4
        IPv6Address((0x20010000 << 96) | teredo),  # Teredo, the client
        IPv6Address((0x20010000 << 96) | (low << 64) | teredo),  # Teredo, the server
        IPv6Address(int(IPv6Address("fe80::5efe:0:0")) | low),  # ISATAP
    ]


@st.composite
def hosts_of_v4(draw: st.DrawFn) -> str:
    """A spelling of a private IPv4 address that some parser takes for it."""
    address = draw(private_v4)
    a, b, c, d = parts(address)
    number = int(address)
    styles = {
        "plain": str(address),
        "octal": ".".join(f"0{each:o}" for each in (a, b, c, d)),
        "long octal": ".".join(f"{each:08o}" for each in (a, b, c, d)),
        "hexadecimal": ".".join(f"0x{each:x}" for each in (a, b, c, d)),
        "capitals": ".".join(f"0X{each:02X}" for each in (a, b, c, d)),
        "mixed": f"0x{a:x}.{b}.0{c:o}.{d}",
        "one number": str(number),
        "one hexadecimal": f"0x{number:08x}",
        "one octal": f"0{number:o}",
        "overflown": str(number + 2**32),
        "two parts": f"{a}.{number & 0xFFFFFF}",
        "three parts": f"{a}.{b}.{number & 0xFFFF}",
        "five parts": f"{address}.0",
        "padded": ".".join(f"{each:03d}" for each in (a, b, c, d)),
        "wrapped": f"{a + 256}.{b}.{c}.{d}",
        "empty hexadecimal": f"{a}.{b}.{c}.0x",
        "full width": str(address).translate({ord("0") + each: 0xFF10 + each for each in range(10)}),
        "circled": str(address).replace("1", "①").replace("0", "⓪").replace("2", "②"),
        "ideographic stop": str(address).replace(".", "。"),
        "halfwidth stop": str(address).replace(".", "｡"),
        "encoded": "".join(f"%{ord(each):02x}" for each in str(address)),
        "encoded dots": str(address).replace(".", "%2e"),
        "soft hyphen": str(address).replace(".", "\u00ad.", 1),
        "zero width": "\u200b" + str(address),
        "brackets": f"[{address}]",
        "zone": f"[::ffff:{address}%25eth0]",
    }
    host = styles[draw(st.sampled_from(sorted(styles)))]
    return host + draw(st.sampled_from(["", ".", ".."]))


@st.composite
def hosts_of_v6(draw: st.DrawFn) -> str:
    """A spelling of a private IPv6 address, in brackets."""
    address = draw(
        st.one_of(
            st.sampled_from(PRIVATE_V6).map(IPv6Address), private_v4.flatmap(lambda v4: st.sampled_from(embedded(v4)))
        )
    )
    low = IPv4Address(int(address) & 0xFFFFFFFF)
    head = ":".join(address.exploded.split(":")[:6])
    styles = [
        str(address), address.exploded, str(address).upper(), f"{head}:{low}", f"{address}%lo", f"{address}%25lo",
        f"{address}.", f"0{address.exploded}",
    ]  # fmt: skip
    return f"[{draw(st.sampled_from(styles))}]"


names_of_the_own_machine = st.sampled_from(
    ["localhost", "LOCALHOST", "localhost.", "a.localhost", "LocalHost.", "loc\u00adalhost", "ⓛocalhost", "lo%63alhost"]
)
private_hosts = st.one_of(hosts_of_v4(), hosts_of_v6(), names_of_the_own_machine)
shapes = st.sampled_from(
    [
        "https://{}", "https://{}/", "https://{}:443/x", "https://{}:8443/x?y", "HTTPS://{}/", "https://{}:0/",
        "https://{}?x", "https://{}#x", "https://u:p@{}/", "https://good.example@{}/", "https://{}@good.example/",
        "https://{}\\@good.example/", "https://good.example\\@{}/", "https:\\\\{}\\", "https:/{}/", "https:{}/",
        "//{}/",
        "https://good.example#@{}/", "https://good.example?@{}", "https://{}\t/", "https://\n{}/", " https://{}/",
        "https://{} /", "https://{}%00.good.example/", "https://{}:80:443/", "https://{}:/x", "https://{},good.example/",
        "https://{};good.example/", "ftp://{}/", "file://{}/", "gopher://{}/_x", "http://{}/", "jar:https://{}!/",
        "https://[{}]/", "https://{}]/", "https://good.example\r\nHost: {}/",
    ]
)  # fmt: skip
"""A question mark or a port after the host does not move it: these must be refused for the host alone."""


@given(shapes, private_hosts)
def test_no_url_of_a_private_host_is_taken(shape: str, host: str) -> None:
    try:
        endpoint = endpoint_of(shape.format(host), demo=False)
    except ValueError:
        return
    assert (endpoint.scheme, endpoint.host) == ("https", "good.example"), "the private host is in the path at most"
    assert shape in {"https://good.example?@{}"}


@given(shapes, private_hosts)
def test_in_demo_mode_http_goes_to_the_own_machine_alone(shape: str, host: str) -> None:
    try:
        endpoint = endpoint_of(shape.format(host), demo=True)
    except ValueError:
        return
    if endpoint.scheme == "https":
        assert endpoint.host == "good.example"
    else:
        is_name = endpoint.host.split(".")[-1] == "localhost"
        assert is_name or ip_address(endpoint.host).is_loopback


@given(private_v4.flatmap(lambda v4: st.sampled_from([v4, *embedded(v4)])))
def test_no_connection_goes_to_a_private_address_however_ipv6_carries_it(address: IPv4Address | IPv6Address) -> None:
    assert not may_connect("https", address, demo=False)
    assert not may_connect("https", address, demo=True)
    assert not may_connect("http", address, demo=False)


@pytest.mark.parametrize("text", PRIVATE_V4 + PRIVATE_V6)
def test_private_addresses(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses(text: str) -> None:
    assert is_public(ip_address(text))
    assert may_connect("https", ip_address(text), demo=False)
    assert not may_connect("http", ip_address(text), demo=True)


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_what_the_standard_library_calls_private_is_never_public(address: IPv4Address) -> None:
    assert not is_public(address) or (address.is_global and not address.is_multicast)


@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_what_the_standard_library_calls_private_is_never_public_v6(address: IPv6Address) -> None:
    assert not is_public(address) or (address.is_global and not address.is_multicast and not address.ipv4_mapped)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://hooks.example", Endpoint("https", "hooks.example", 443, "/")),
        ("https://Hooks.Example:8443/in/x?y=1&z=%20@", Endpoint("https", "hooks.example", 8443, "/in/x?y=1&z=%20@")),
        ("https://xn--bcher-kva.example?x", Endpoint("https", "xn--bcher-kva.example", 443, "/?x")),
        ("https://8.8.8.8/", Endpoint("https", "8.8.8.8", 443, "/")),
        ("https://[2606:2800:0220:1::1]:444/", Endpoint("https", "2606:2800:220:1::1", 444, "/")),
        ("https://a_b.example-1.com/", Endpoint("https", "a_b.example-1.com", 443, "/")),
        ("https://7f000001.nip.io/", Endpoint("https", "7f000001.nip.io", 443, "/")),
    ],
)
def test_good_urls(url: str, expected: Endpoint) -> None:
    assert endpoint_of(url, demo=False) == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://intranet/", "https://-a.example/", "https://a..example/", "https://" + "a" * 64 + ".example/",
        "https://" + "a." * 127 + "example/", "https://hooks.example:65536/", "https://hooks.example:0/", "https:///x",
        "https://hooks.example/" + "x" * 2048, "https://bücher.example/", "https://hooks.example/ä",
        "https://u@hooks.example/",
        "https://hooks.example/#x", "https://hooks.example/a b", "https://hooks.example\n",
        "https://hooks.example/\n", "",
        "hooks.example", "http://hooks.example/",
    ],
)  # fmt: skip
def test_bad_urls(url: str) -> None:
    for demo in (False, True):
        with pytest.raises(ValueError, match="Expected"):
            endpoint_of(url, demo=demo)


def test_the_host_header_has_brackets_and_the_port_that_is_not_the_default() -> None:
    assert endpoint_of("https://[2606:2800:220:1::1]/", demo=False).authority == "[2606:2800:220:1::1]"
    assert endpoint_of("https://hooks.example:443/", demo=False).authority == "hooks.example"
    assert endpoint_of("http://localhost:8443/", demo=True).authority == "localhost:8443"
