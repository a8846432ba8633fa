"""How may a server be reached, and with which credentials?

The user of the command line names what he likes. A service clones what others name to it: it reaches
public addresses only, besides those that its operator lists, and it never lends them the login of the
user that it runs as. The addresses that were checked are those that git then connects to.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import shlex
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from repoctx.errors import BackendError, RefusedError, UsageError
from repoctx.source import git, urls
from repoctx.source.urls import Place

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_DEFAULT_USER = "x-access-token"  # what GitHub documents for tokens; GitLab and Gitea take any name
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")  # all of IPv6 that is routed in public (RFC 4291, IANA)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address
_SIX_TO_FOUR = ipaddress.ip_network("2002::/16")  # RFC 3056: bytes two to five are one
_CONFIG_VARIABLES = (2, 31)  # the first git that reads GIT_CONFIG_COUNT
_PINNING = (2, 37)  # the first git that knows http.curloptResolve


@dataclass(frozen=True, slots=True)
class Access:
    """Which servers may be reached, and the login for them. UsageError for an entry that is not valid."""

    # None: a local user asks, and nothing is guarded. Otherwise the private hosts that are allowed: a name,
    # `*.corp.example`, an address or a network (`10.0.0.0/8`), each with or without `:port`.
    hosts: tuple[str, ...] | None = None
    token: str = field(default="", repr=False)  # for https: a token or a password
    user: str = ""  # for https, with the token: "x-access-token" if empty
    key_file: str = ""  # for ssh: the file of a private key

    def __post_init__(self) -> None:
        for entry in self.hosts or ():
            _parse(entry)
        if ":" in self.user or not (self.user + self.token).isprintable():
            raise UsageError("A user name or token holds a character that cannot be sent, such as a line feed.")

    @property
    def guarded(self) -> bool:
        """Whether somebody else than the local user names what is cloned."""
        return self.hosts is not None

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may show."""
        return (_basic(self), self.token) if self.token else ()


LOCAL_USER = Access()


class _Entry(NamedTuple):
    """One entry of `Access.hosts`."""

    name: str  # "" of an address or network
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None
    port: int | None

    def names(self, host: str) -> bool:
        if self.name.startswith("*."):
            return host.endswith(self.name[1:]) and len(host) >= len(self.name)
        return self.name == host

    def holds(self, address: _Address) -> bool:
        return self.network is not None and address in self.network


def check(url: str, access: Access) -> tuple[str, ...]:
    """The addresses that the host of a URL may be reached at: those to connect to; none if it is an address itself.

    Nothing is looked up, and nothing returned, where access is not guarded.

    Raises:
        UsageError: the URL is not one that is ever allowed.
        RefusedError: the host is private, or spoken to by http, and the setting `clone.hosts` does not list it.
        BackendError: the host is not known.
    """
    if access.hosts is None:
        return ()
    if not urls.is_url(url) or url.lower().startswith("file:"):
        raise RefusedError(
            "Paths and file URLs are for the local user: a service clones from servers, see clone.hosts."
        )
    urls.check_url(url, plain_http=True)
    scheme, host, port = where = urls.place(url)
    entries = [entry for entry in map(_parse, access.hosts) if entry.port in (None, port)]
    literal = _literal(host)
    addresses = [str(literal)] if literal else _resolve(url, where)
    allowed = any(entry.names(host) for entry in entries) or all(
        any(entry.holds(_unmapped(address)) for entry in entries) for address in addresses
    )
    if scheme == "http" and not allowed:
        raise RefusedError(
            f"http is open to change on its way, and the setting clone.hosts does not list {host}: "
            "use https, or list it."
        )
    for address in addresses:
        known = _unmapped(address)
        if not (allowed or _is_public(known) or any(entry.holds(known) for entry in entries)):
            raise RefusedError(
                f"{host} is, or leads to, an address that is not public, and the setting clone.hosts "
                "does not list it."
            )
    return () if literal else tuple(addresses)


def variables(url: str, access: Access, addresses: Sequence[str]) -> dict[str, str]:
    """What the environment of a git that fetches a URL has besides `git.environment`.

    It holds the login: no other process may get it. `addresses` are what `check` returned.
    """
    where = urls.place(url)
    if where.scheme == "ssh":
        return _ssh(where, access, addresses)
    if where.scheme == "file" or not (access.guarded or access.token):
        return {}
    if git.version() < _CONFIG_VARIABLES:
        raise RefusedError("git 2.31 or newer is needed to clone with a token or for others.")
    origin = f"{where.scheme}://{where.host}:{where.port}/"
    settings = [
        ("credential.helper", ""),  # an empty value forgets those that were named before
        ("http.emptyAuth", "false"),  # no Kerberos ticket
        # After a redirect git would send the login to the other server, which nobody has checked either.
        ("http.followRedirects", "false"),
    ]
    if access.guarded:
        settings.append(("http.proxy", ""))  # a proxy would look the host up anew
        # Before 2.37 git looks the host up anew: a server of names may give it another address than us,
        # and no check of ours can prevent that.
        if addresses and git.version() >= _PINNING:
            pinned = ",".join(f"[{address}]" if ":" in address else address for address in addresses)
            settings.append(("http.curloptResolve", f"{where.host}:{where.port}:{pinned}"))
    if access.token:
        settings.append((f"http.{origin}.extraHeader", f"Authorization: Basic {_basic(access)}"))
    found = {"GIT_CONFIG_COUNT": str(len(settings)), "GIT_ASKPASS": ""}  # it would get the login to see
    for number, (key, value) in enumerate(settings):
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return found | (_NOBODY if access.guarded else {})


# The login of the user that a service runs as is in his configuration and in his ~/.netrc; what
# `url.*.insteadOf` says there would lead git elsewhere than to the host that was checked.
_NOBODY = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "HOME": os.devnull}


def _ssh(where: Place, access: Access, addresses: Sequence[str]) -> dict[str, str]:
    """The ssh command. Options of the command line come before those of any configuration."""
    if access.key_file and (not os.path.isfile(access.key_file) or re.search("[%$]", access.key_file)):
        raise UsageError(f"There is no key file {access.key_file}, or its path holds % or $, which ssh replaces.")
    command = ["ssh", "-oBatchMode=yes"]
    if access.key_file:
        command += ["-i", os.path.abspath(access.key_file), "-oIdentitiesOnly=yes"]
    if not access.guarded:
        return {"GIT_SSH_COMMAND": shlex.join(command)} if access.key_file else {}
    # Nothing of the configuration counts, which may name other hosts, keys and commands; known_hosts does.
    command += ["-F", os.devnull, "-oIdentityAgent=none", "-oStrictHostKeyChecking=yes"]
    if not access.key_file:
        command.append("-oPubkeyAuthentication=no")
    if addresses:  # ssh knows one only
        # Without a port, an alias is looked up in known_hosts as it is.
        alias = where.host if where.port == 22 else f"[{where.host}]:{where.port}"
        command += [f"-oHostName={addresses[0]}", f"-oHostKeyAlias={alias}"]
    return {"GIT_SSH_COMMAND": shlex.join(command)} | _NOBODY


def _basic(access: Access) -> str:
    login = f"{access.user or _DEFAULT_USER}:{access.token}"
    return base64.b64encode(login.encode()).decode()


def _parse(entry: str) -> _Entry:
    """An entry of `Access.hosts`."""
    parts = re.fullmatch(r"(\[[0-9a-f:.]+\](?:/\d+)?|\[[0-9a-f:.]+/\d+\]|[^:\[\]]+)(?::(\d{1,5}))?", entry.lower())
    host, port = parts.groups() if parts else (entry.lower(), None)
    try:
        network = ipaddress.ip_network(re.sub(r"[\[\]]", "", host), strict=False)
    except ValueError:
        if not parts or not re.fullmatch(r"(?:\*\.)?[a-z0-9_][a-z0-9._-]*", host):
            raise UsageError(
                f"{entry!r} in clone.hosts is not a host name, `*.name`, an address or a network."
            ) from None
        return _Entry(host, None, int(port) if port else None)
    return _Entry("", network, int(port) if port else None)


def _literal(host: str) -> _Address | None:
    """The address that a host of a URL is; None if it is a name. RefusedError for unusual spellings of either.

    Those mean one thing to one program and another to the next: `0x7f.1`, `2130706433`, `127.0.0.1.`.
    """
    try:
        if host.startswith("["):
            return ipaddress.IPv6Address(host[1:-1])
        if not re.search(r"(?:^|\.)(?:\d+|0x[0-9a-f]*)\.*$", host) and not host.endswith("."):
            return None
        return ipaddress.IPv4Address(host)
    except ValueError:
        raise RefusedError(
            f"{host} is an unusual spelling of a host: write its name or address as clone.hosts would."
        ) from None


def _resolve(url: str, where: Place) -> list[str]:
    """All addresses of a host, in the order in which they are best tried."""
    unknown = BackendError(f"{url} cannot be fetched (no address of {where.host} is known).")
    try:
        found = socket.getaddrinfo(where.host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise unknown from error
    if not found:
        raise unknown
    return list(dict.fromkeys(str(row[4][0]) for row in found))


def _unmapped(address: str) -> _Address:
    """An address as a number; an IPv4 address within IPv6 is the former."""
    found = ipaddress.ip_address(address)
    return getattr(found, "ipv4_mapped", None) or found


def _is_public(address: _Address) -> bool:
    """Whether an address is one of the internet's, for one host, and not a private one in disguise."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return _is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address in _SIX_TO_FOUR or address not in _GLOBAL_UNICAST:  # nobody serves by 6to4 any more
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved)
