"""What a browser meets: the public address, and a request as large as a portal may send."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from nbstamp.app import Ready
from nbstamp.cli.doctor.results import Result, Verdict, fine, unseen, wrong
from nbstamp.cli.serve import at
from nbstamp.identity.jupyterhub import JupyterHubIdentity
from nbstamp.portals.base import web_origin
from nbstamp.web.flow import ARRIVAL
from nbstamp.web.tokens import BadToken

if TYPE_CHECKING:
    from httpx2 import AsyncClient, Response

PATIENCE = 60.0
"""Seconds for a large request."""
PATH = "t/doctor.ipynb"
"""Where a click arrives; the intake does not ask whether there is such a template."""


def address(ready: Ready, given: str | None) -> str:
    """Where browsers find this server, with a slash at the end; empty when nobody has said so."""
    if given:
        return given.rstrip("/") + "/"
    identity = ready.identity
    hub = identity.hub_url if isinstance(identity, JupyterHubIdentity) else ""
    origin = web_origin(ready.server.public_url) or web_origin(hub)
    return origin + ready.base_url if origin else ""


async def public(ready: Ready, where: str) -> AsyncIterator[Result]:
    """The public address ``where``, from here."""
    on_hub = isinstance(ready.identity, JupyterHubIdentity)
    if not where:
        yield unseen(
            "public address",
            "nobody has said under which address browsers see this server",
            _FOR_HUB if on_hub else _FOR_SERVER,
        )
        return
    if urlsplit(where).scheme == "http" and not _local(urlsplit(where).hostname or ""):
        yield wrong(
            "https",
            f"{where} is not encrypted: whoever is on the way can read sessions and values",
            f"Put a proxy with a certificate in front.\n{_FOR_HUB if on_hub else _FOR_SERVER}",
        )
    try:
        import httpx2
    except ImportError:
        yield unseen("public address", "asking needs a package", "pip install 'nbstamp[hub]'")
        return
    async with httpx2.AsyncClient(timeout=PATIENCE, trust_env=False) as client:
        async for result in _reached(client, ready, where):
            yield result
            if result.verdict is not Verdict.FINE:
                return
        async for result in _arrives(client, ready, where):
            yield result
    yield fine("for SampleDB", f"SAMPLEDB_JUPYTERHUB_TEMPLATES_URL={where.rstrip('/')}")


_FOR_HUB = """\
In jupyterhub_config.py:
  c.JupyterHub.public_url = "https://jupyter.example"
"""
_FOR_SERVER = 'c.Server.public_url = "https://notebooks.example"'


def _local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


async def _reached(client: AsyncClient, ready: Ready, where: str) -> AsyncIterator[Result]:
    answer = await _ask(client, "GET", f"{where}readyz")
    found = _readiness(answer)
    prefix = _prefix(ready)
    if found is None and prefix not in ("", ready.base_url):
        yield wrong(
            "public address",
            f"{_told(answer)} at {where}. A hub has its services at services/ and their name, and "
            "nowhere else",
            f'c.Server.base_url = "{prefix}"',
        )
        return
    if found is None:
        directly = _readiness(await _ask(client, "GET", f"{_listens(ready)}readyz"))
        if directly is None:
            text = f"{_told(answer)} at {where}, and nothing of ours at {_listens(ready)} either"
            yield wrong("public address", text, "Start it: nbstamp serve, or the hub with it.")
            return
        path = urlsplit(where).path
        yield wrong(
            "public address",
            f"{_told(answer)} at {where}; the server itself runs at {_listens(ready)}. The proxy "
            f"in front does not lead {path} to it, or the address is another one",
            f"""
            c.Server.public_url = "https://<the host that browsers see>"
            c.Server.base_url = "{path}"
            """,
        )
        return
    for problem in found.get("problems") or ():
        yield wrong("public address", f"the server at {where} is not ready: {problem}")
        return
    yield fine("public address", f"{where} leads to a server that is ready")


def _prefix(ready: Ready) -> str:
    """Where a JupyterHub has this service; empty without one."""
    if not isinstance(ready.identity, JupyterHubIdentity):
        return ""
    hub = urlsplit(ready.identity.hub_url).path.rstrip("/").removesuffix("/hub")
    return f"{hub}/services/{ready.identity.client_id.removeprefix('service-')}/"


def _listens(ready: Ready) -> str:
    return at(ready.server.ip or "127.0.0.1", ready.server.port, ready.base_url)


def _readiness(answer: Response | str) -> Mapping[str, Any] | None:
    """What ``/readyz`` of nbstamp says; None for every other server."""
    if isinstance(answer, str):
        return None
    try:
        found = answer.json()
    except ValueError:
        return None
    return found if isinstance(found, dict) and "problems" in found else None


# --- A click --------------------------------------------------------------------------------------


async def _arrives(client: AsyncClient, ready: Ready, where: str) -> AsyncIterator[Result]:
    """A small click, so that what is said about a large one is about its size."""
    answer = await _click(client, where, _form(ready, 1000))
    if isinstance(answer, str) or answer.status_code != 200 or not _arrival(answer):
        yield _not_arrived(answer, where)
        return
    if _sealed_elsewhere(ready, _arrival(answer)):
        yield wrong(
            "keys",
            f"the server at {where} has other secrets than this configuration, so that a page of "
            "one replica means nothing to another. Give all of them the same ones",
            'c.Server.secrets = ["<output of: openssl rand -hex 32>"]',
        )
    size = 2 * ready.service.rules.limits.body
    answer = await _click(client, where, _form(ready, size))
    if isinstance(answer, str) or answer.status_code != 200:
        yield wrong(
            "large objects",
            f"{_told(answer)} to a click with {size / 2**20:.0f} MiB, the most that a page of this "
            "server sends: a proxy in front takes less, or has no room for it",
            f"""
            nginx:   client_max_body_size {size // 2**20}m;
            Apache:  LimitRequestBody {size}
            ingress-nginx:  nginx.ingress.kubernetes.io/proxy-body-size: "{size // 2**20}m"
            """,
        )
    else:
        yield fine("large objects", f"a click with {size / 2**20:.0f} MiB arrives")


def _not_arrived(answer: Response | str, where: str) -> Result:
    status = 0 if isinstance(answer, str) else answer.status_code
    elsewhere = "" if isinstance(answer, str) else answer.headers.get("location", "")
    if status in (301, 302, 303) and urlsplit(elsewhere).path.endswith(PATH):
        return wrong(
            "click",
            f"a click on {where} is redirected with status {status}, and browsers then leave its "
            "parameters behind. 307 and 308 keep them",
            "nginx:   return 308 https://<the right address>;\n"
            "Apache:  Redirect 308 … https://<the right address>",
        )
    if status in (301, 302, 303, 401, 403):
        return wrong(
            "click",
            f"status {status} to a click on {where}: something in front wants people to have "
            "signed in. A click comes from another site, without cookies; nbstamp itself asks "
            "people to sign in and keeps their parameters meanwhile",
            f"Let POST {urlsplit(where).path}t/ through without a sign-in.",
        )
    return wrong("click", f"{_told(answer)} to a click on {where}, and not our page")


def _form(ready: Ready, size: int) -> bytes:
    """A form of ``size`` bytes whose parameters are within all limits; every character of a value
    takes three bytes."""
    limits = ready.service.rules.limits
    piece = min(limits.value // 2, 2**20)
    values: list[str] = []
    left = size // 3 - 1000
    while left > 0 and len(values) < limits.parameters:
        values.append(f"%22v{len(values)}%22:%22{'%41' * min(piece, left)}%22")
        left -= piece
    return b"params={" + ",".join(values).encode() + b"}"


async def _click(client: AsyncClient, where: str, form: bytes) -> Response | str:
    """Post as a portal's page does, and go on where a redirect keeps the form."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    url = where + PATH
    for _ in range(4):
        answer = await _ask(client, "POST", url, content=form, headers=headers)
        if isinstance(answer, str) or answer.status_code not in (307, 308):
            break
        url = urljoin(url, answer.headers.get("location", ""))
    return answer


def _arrival(answer: Response) -> str:
    """The token of the page that comes back; empty when the page is not ours."""
    found = re.search(r'name="arrival" value="([^"]+)"', answer.text)
    return found[1] if found else ""


def _sealed_elsewhere(ready: Ready, arrival: str) -> bool:
    try:
        ready.tokens.open(ARRIVAL, arrival)
    except BadToken:
        return True
    return False


async def _ask(client: AsyncClient, method: str, url: str, **options: Any) -> Response | str:
    """The answer, or in words why there is none."""
    import httpx2

    try:
        return await client.request(method, url, **options)
    except (httpx2.HTTPError, httpx2.InvalidURL) as err:
        return str(err) or type(err).__name__


def _told(answer: Response | str) -> str:
    if isinstance(answer, str):
        return f"no answer ({answer})"
    server = answer.headers.get("server")
    return f"status {answer.status_code}" + (f" from {server}" if server else "")
