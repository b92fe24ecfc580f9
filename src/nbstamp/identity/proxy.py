"""The user as a reverse proxy names them in a header, after it has signed them in.

Believes nobody but the configured addresses; knows nothing of how people sign in.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from traitlets import List, Unicode

from nbstamp.core.errors import Forbidden
from nbstamp.core.parameters import printable
from nbstamp.core.user import User
from nbstamp.identity.base import Caller, Identity, Surroundings

LONGEST = 255
"""Characters of a user's name."""


class ProxyIdentity(Identity):
    """Users are signed in by a reverse proxy in front, which says who they are in a header."""

    header = Unicode(
        "X-Remote-User",
        help="""Header in which the proxy says who the user is. The proxy must set it in every
        request, and drop what a browser sends under this name.

        c.ProxyIdentity.header = "X-Remote-User"
        """,
    ).tag(config=True)
    proxies = List(
        Unicode(),
        help="""Addresses or networks of the proxy, as this server sees them. The header is refused
        from everywhere else. Without any the server does not start.

        c.ProxyIdentity.proxies = ["127.0.0.1", "10.0.3.0/24"]
        """,
    ).tag(config=True)

    def __init__(self, around: Surroundings, **kwargs: Any) -> None:
        super().__init__(around, **kwargs)
        if not self.proxies:
            raise ValueError(
                "ProxyIdentity.proxies is empty, so everybody could claim to be anybody; name the "
                "addresses of your proxy, such as ['127.0.0.1']"
            )
        self._networks = [_network(text) for text in self.proxies]

    async def user(self, caller: Caller) -> User | None:
        """The user of the header; None when there is none.

        Raises :class:`~nbstamp.core.errors.Forbidden` when the header does not come from the proxy,
        and when it is not one name.
        """
        told = caller.headers.get(self.header.lower())
        if told is None:
            return None
        if not self._is_proxy(caller.address):
            raise Forbidden(
                "This server believes its own proxy alone when it comes to who you are, and this "
                "request came another way. Please use the address that you were given.",
                log=f"{self.header} from {printable(caller.address) or 'an unknown address'}, "
                "which is not in ProxyIdentity.proxies",
            )
        name = _text(told)
        if not name:
            return None
        if "," in name or len(name) > LONGEST or not name.isprintable():
            raise Forbidden(
                "The proxy of this server did not say clearly who you are. Please tell the people "
                "who run it.",
                log=f"{self.header} holds more than one name, or one that cannot be a user's",
            )
        return User(name)

    def _is_proxy(self, address: str) -> bool:
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(found, IPv6Address) and found.ipv4_mapped:
            found = found.ipv4_mapped
        return any(found in network for network in self._networks)


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text.strip())
    except ValueError as err:
        raise ValueError(
            f"ProxyIdentity.proxies: {err}; an address like '10.0.3.1' or a network like "
            "'10.0.3.0/24' would be right"
        ) from err
    if network.prefixlen == 0:
        raise ValueError(
            f"ProxyIdentity.proxies: {text!r} is every address there is; name those of your proxy"
        )
    return network


def _text(value: str) -> str:
    """A header's value; UTF-8, which proxies send, where it is that (RFC 9110 knows no other
    characters than those of ISO 8859-1)."""
    try:
        return value.encode("latin-1").decode("utf-8").strip()
    except UnicodeError:
        return value.strip()
