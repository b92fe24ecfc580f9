"""The composition root: configuration to ready objects. The only place that wires.

An administrator writes ``c.Server.port = 8803`` in a file, ``--Server.port=8803`` on the command
line or ``NBSTAMP__SERVER__PORT=8803`` in the environment; the later of these wins over the earlier
in the order file, environment, command line.
"""

from __future__ import annotations

import ast
import difflib
import os
import secrets as randomness
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp
from traitlets import Bool, Dict, Int, List, TraitError, Unicode, default
from traitlets.config import Config, Configurable
from traitlets.config.loader import DeferredConfigString, PyFileConfigLoader

from nbstamp.catalogue.base import Catalogue
from nbstamp.catalogue.folders import FolderCatalogue
from nbstamp.core.errors import StorageUnavailable
from nbstamp.core.languages import Languages
from nbstamp.core.parameters import Limits as CoreLimits
from nbstamp.identity.base import Identity, Surroundings
from nbstamp.portals.base import named_portals, web_origin
from nbstamp.service import Rules, Service
from nbstamp.storage.base import Privileged, Storage
from nbstamp.web.app import create_app
from nbstamp.web.pages import Look
from nbstamp.web.tokens import SHORTEST_SECRET, Tokens


class ConfigurationError(Exception):
    """The configuration cannot be used; the text says which option and what would be right."""


class Server(Configurable):
    """The server: where templates are, where notebooks go, who may use it."""

    templates = List(
        Unicode(),
        help="""Folders with templates; sub-folders are instruments. When a path exists in two, the
        first folder counts.

        c.Server.templates = ["/srv/templates"]
        """,
    ).tag(config=True)
    storage = Unicode(
        help="""Where notebooks go: the name of an installed storage (download, folder, contents,
        shared), or an import string of a class of your own. Default: contents with the identity
        jupyterhub, else download.

        c.Server.storage = "folder"
        """,
    ).tag(config=True)
    identity = Unicode(
        "nobody",
        help="""Who is asking: the name of an installed identity (nobody, jupyterhub, proxy), or an
        import string of a class of your own. A service that a JupyterHub starts has jupyterhub.

        c.Server.identity = "jupyterhub"
        """,
    ).tag(config=True)
    ip = Unicode(
        "127.0.0.1",
        help="""Address to listen on; 0.0.0.0 for all.

        c.Server.ip = "0.0.0.0"
        """,
    ).tag(config=True)
    port = Int(
        8803,
        min=0,
        max=65535,
        help="""Port to listen on; 0 takes a free one and prints it.

        c.Server.port = 8803
        """,
    ).tag(config=True)
    base_url = Unicode(
        "/templates/",
        help="""Path below which everything is served. The default is the one that SampleDB uses
        when only SAMPLEDB_JUPYTERHUB_URL is set.

        c.Server.base_url = "/services/templates/"
        """,
    ).tag(config=True)
    public_url = Unicode(
        "",
        help="""Address under which browsers see this server, when a proxy stands in front. Only
        scheme, host and port count. Default: JUPYTERHUB_PUBLIC_URL, else what a request says.

        c.Server.public_url = "https://jupyter.example"
        """,
    ).tag(config=True)
    hosts = List(
        Unicode(),
        help="""Host names under which requests are accepted; empty accepts any. Set it when the
        server is reached without a proxy in front.

        c.Server.hosts = ["jupyter.example"]
        """,
    ).tag(config=True)
    secrets = List(
        Unicode(),
        help="""Secrets that seal what passes through the browser, newest first; each at least 32
        characters. All replicas need the same ones. To rotate: put a new one in front, keep the
        old one for a day. Without any, one is made in the state directory. Also from a file, one
        per line, named in the environment variable NBSTAMP__SERVER__SECRETS_FILE.

        c.Server.secrets = ["<output of: openssl rand -hex 32>"]
        """,
    ).tag(config=True, secret=True)
    state_dir = Unicode(
        help="""Folder for the secret that this server makes when none is configured. Nothing else
        is kept there.

        c.Server.state_dir = "/var/lib/nbstamp"
        """,
    ).tag(config=True)
    name = Unicode(
        "Notebooks",
        help="""Name of this service in the header of its pages.

        c.Server.name = "Jupyter at the Example Facility"
        """,
    ).tag(config=True)
    contact = Unicode(
        "",
        help="""Whom users may ask, shown on every page.

        c.Server.contact = "jupyter@facility.example"
        """,
    ).tag(config=True)
    portals = Dict(
        help="""Portals by the origin of their pages, with a name and, if their objects are not at
        <origin>/objects/<object_id>, the address of an object's page.

        c.Server.portals = {"https://sampledb.example": {"name": "SampleDB"}}
        """,
    ).tag(config=True)
    target_folder = Unicode(
        "notebooks/{folder}",
        help="""Folder for new notebooks. {folder} is the template's own, {username} the user's
        name, {date} today's date.

        c.Server.target_folder = "notebooks/{folder}/{date}"
        """,
    ).tag(config=True)
    text_languages = List(
        Unicode(),
        default_value=["en"],
        help="""Order in which texts in several languages are resolved for file names.

        c.Server.text_languages = ["de", "en"]
        """,
    ).tag(config=True)
    object_parameter = Unicode(
        "object_id",
        help="""Parameter that holds the portal's id of the object.

        c.Server.object_parameter = "object_id"
        """,
    ).tag(config=True)
    user_in_notebook = Bool(
        False,
        help="""Write the user's name into the metadata of new notebooks.

        c.Server.user_in_notebook = True
        """,
    ).tag(config=True)
    kernel_names = Dict(
        Unicode(),
        help="""Kernels of templates that do not exist here, and the ones that notebooks get
        instead, by the names of their kernelspecs. The confirmation page says so.

        c.Server.kernel_names = {"python3.8": "python3"}
        """,
    ).tag(config=True)
    file_name_in_log = Bool(
        False,
        help="""Write file names into the audit log. They may hold values, such as a sample's name.

        c.Server.file_name_in_log = True
        """,
    ).tag(config=True)

    @default("storage")
    def _storage(self) -> str:
        return "contents" if self.identity == "jupyterhub" else "download"

    @default("state_dir")
    def _state_dir(self) -> str:
        home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
        return str(Path(home) / "nbstamp")


class Limits(Configurable):
    """How much one request may hold. Rate limits are the job of the proxy in front."""

    body = Int(
        8 * 2**20,
        min=1000,
        help="""Bytes of one request.

        c.Limits.body = 8 * 2**20
        """,
    ).tag(config=True)
    parameters = Int(
        500,
        min=1,
        help="""Number of parameters.

        c.Limits.parameters = 500
        """,
    ).tag(config=True)
    name = Int(
        63,
        min=1,
        help="""Characters of a parameter's name.

        c.Limits.name = 63
        """,
    ).tag(config=True)
    depth = Int(
        32,
        min=1,
        max=100,
        help="""Levels of nesting of a value.

        c.Limits.depth = 32
        """,
    ).tag(config=True)
    digits = Int(
        400,
        min=20,
        max=4000,
        help="""Digits of an integer.

        c.Limits.digits = 400
        """,
    ).tag(config=True)
    value = Int(
        4 * 2**20,
        min=1000,
        help="""Bytes of one value in the parameter cell, as JSON.

        c.Limits.value = 4 * 2**20
        """,
    ).tag(config=True)
    template = Int(
        64 * 2**20,
        min=1000,
        help="""Bytes of a template.

        c.Limits.template = 64 * 2**20
        """,
    ).tag(config=True)

    def checked(self) -> CoreLimits:
        """The same as the core has it."""
        return CoreLimits(**{name: getattr(self, name) for name in CoreLimits._fields})


@dataclass(frozen=True)
class Ready:
    """Everything that serves, made from one configuration."""

    app: ASGIApp
    server: Server
    base_url: str
    """Starts and ends with a slash."""
    catalogue: Catalogue
    identity: Identity
    storage: Storage
    tokens: Tokens
    service: Service

    @contextmanager
    def started(self) -> Iterator[Sequence[str]]:
        """Start what the storage needs, and say what an administrator should know, in words.

        Raises :class:`ConfigurationError` when the storage cannot work at all.
        """
        if not isinstance(self.storage, Privileged):
            yield self.storage.problems()
            return
        try:
            self.storage.start()
        except StorageUnavailable as err:
            raise ConfigurationError(err.log) from None
        try:
            yield self.storage.problems()
        finally:
            self.storage.stop()

    def give_up_rights(self) -> None:
        """Keep no right that serving does not need. Raises :class:`ConfigurationError` when that
        cannot be done; the process must end then."""
        if isinstance(self.storage, Privileged):
            try:
                self.storage.give_up_rights()
            except StorageUnavailable as err:
                raise ConfigurationError(err.log) from None


PAIRS = {
    "nobody": ("download", "folder"),
    "jupyterhub": ("contents", "shared", "folder", "download"),
    "proxy": ("shared", "folder", "download"),
}
"""Which built-in storages go with which built-in identity (DESIGN section 4)."""


def build(config: Config) -> Ready:
    """Make the application that ``config`` describes.

    Raises :class:`ConfigurationError` for anything that is not understood.
    """
    check(config)
    try:
        return _build(config)
    except TraitError as err:
        raise ConfigurationError(str(err)) from err


def _build(config: Config) -> Ready:
    server, limits = Server(config=config), Limits(config=config).checked()
    base_url = "/" + "".join(part + "/" for part in server.base_url.split("/") if part)
    public = web_origin(server.public_url)
    if server.public_url and not public:
        raise ConfigurationError(
            f"Server.public_url is {server.public_url!r}; an address such as "
            "'https://jupyter.example' would be right"
        )
    if server.identity == "nobody" and "{username}" in server.target_folder:
        raise ConfigurationError(
            "Server.target_folder has {username}, and with the identity 'nobody' no one has a name"
        )
    if not server.templates:
        raise ConfigurationError(
            "no templates: name a folder with --templates DIR or Server.templates"
        )
    if server.storage not in PAIRS.get(server.identity, (server.storage,)) and (
        server.storage in {name for names in PAIRS.values() for name in names}
    ):
        raise ConfigurationError(
            f"storage {server.storage!r} does not go with identity {server.identity!r}, which has "
            f"no place of a user's own to write to; {' or '.join(PAIRS[server.identity])} does"
        )
    try:
        portals = named_portals(server.portals)
    except (ValueError, TypeError, AttributeError) as err:
        raise ConfigurationError(f"Server.portals: {err}") from err
    tokens = Tokens(_secrets(server))
    keeps = _plugin("nbstamp.storages", server.storage, Storage, "save")
    kind = _plugin("nbstamp.identities", server.identity, Identity, "user")
    try:
        storage: Storage = keeps(config=_one_hub(config))
        identity: Identity = kind(Surroundings(tokens, base_url, public), config=config)
    except ImportError as err:
        raise ConfigurationError(
            f"the identity {server.identity!r} and the storage {server.storage!r} need more Python "
            f"packages ({err.name}): pip install 'nbstamp[hub]'"
        ) from err
    except ValueError as err:
        raise ConfigurationError(str(err)) from err
    catalogue = FolderCatalogue(
        roots=[Path(folder) for folder in server.templates], limits=limits, config=config
    )
    service = Service(
        catalogue=catalogue,
        storage=storage,
        languages=Languages.installed(),
        rules=Rules(
            limits=limits,
            target_folder=server.target_folder,
            text_languages=tuple(server.text_languages),
            object_parameter=server.object_parameter,
            user_in_notebook=server.user_in_notebook,
            kernel_names=server.kernel_names,
            file_name_in_log=server.file_name_in_log,
        ),
    )
    app = create_app(
        service=service,
        identity=identity,
        tokens=tokens,
        portals=portals,
        look=Look(site=server.name, contact=server.contact),
        base_url=base_url,
        public_origin=public,
        hosts=server.hosts,
        ready=storage.problems,
    )
    return Ready(
        app=app,
        server=server,
        base_url=base_url,
        catalogue=catalogue,
        identity=identity,
        storage=storage,
        tokens=tokens,
        service=service,
    )


def _one_hub(config: Config) -> Config:
    """The same, with the hub of the identity also for the storage that does not name one."""
    told = config.get("JupyterHubIdentity", {})
    hub = {option: told[option] for option in ("api_url", "hub_url") if option in told}
    merged = Config({"ContentsStorage": hub})
    merged.merge(config)
    return merged


def _plugin(group: str, name: str, base: type, required: str) -> Any:
    """The class with this entry point name or import string, ``module:Class``."""
    kind = group.rpartition(".")[2]
    installed = {point.name: point for point in entry_points(group=group)}
    if name in installed:
        found = installed[name].load()
    elif ":" in name or "." in name:
        module, _, attribute = name.replace(":", ".").rpartition(".")
        try:
            found = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as err:
            raise ConfigurationError(f"{name!r} cannot be imported: {err}") from err
    else:
        raise ConfigurationError(
            f"{name!r} is none of the installed {kind}: {', '.join(sorted(installed))}"
            + _nearest(name, installed)
        )
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ConfigurationError(f"{name!r} is not a subclass of {base.__module__}.{base.__name__}")
    if getattr(getattr(found, required), "__isabstractmethod__", False):
        raise ConfigurationError(f"{name!r} has no method {required!r}")
    return found


def _secrets(server: Server) -> Sequence[str]:
    for secret in server.secrets:
        if len(secret) < SHORTEST_SECRET or len(set(secret)) < 10:
            raise ConfigurationError(
                f"a secret in Server.secrets is too short or too plain: at least {SHORTEST_SECRET} "
                "random characters are needed, such as the output of “openssl rand -hex 32”"
            )
    return server.secrets or [_own_secret(Path(server.state_dir))]


def _own_secret(folder: Path) -> str:
    """The secret in the state directory, made when it is not there; two processes that start
    together end up with the same one."""
    file = folder / "secret"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = folder / f".secret-{randomness.token_hex(8)}"
        if not file.exists():
            with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as made:
                made.write(randomness.token_hex(32))
            try:
                os.link(draft, file)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        secret = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigurationError(
            f"no secret: {file} cannot be made or read ({type(err).__name__}). Set Server.secrets, "
            "or Server.state_dir to a folder that this process may write"
        ) from err
    if len(secret) < SHORTEST_SECRET:
        raise ConfigurationError(f"the secret in {file} is too short; delete the file")
    return secret


def configurables() -> list[type[Configurable]]:
    """Every class with options: our own and those of installed plug-ins."""
    found: list[type[Configurable]] = [Server, Limits, FolderCatalogue]
    for group in ("nbstamp.storages", "nbstamp.identities"):
        for point in sorted(entry_points(group=group)):
            plugin = point.load()
            if issubclass(plugin, Configurable) and plugin.class_own_traits(config=True):
                found.append(plugin)
    return found


def options(cls: type[Configurable]) -> dict[str, Any]:
    """The options of a class by name."""
    return dict(sorted(cls.class_traits(config=True).items()))


def check(config: Config) -> None:
    """Raise :class:`ConfigurationError` for a section or an option that does not exist, naming the
    nearest one."""
    known = {cls.__name__: cls for cls in configurables()}
    for section, values in config.items():
        cls = known.get(section)
        if cls is None:
            if "." not in str(config.get("Server", {}).get("storage", "")):
                raise ConfigurationError(
                    f"there is no section {section!r}" + _nearest(section, known)
                )
            continue  # options of a class that is named by an import string
        for option in values:
            if option not in options(cls):
                raise ConfigurationError(
                    f"there is no option {section}.{option}"
                    + _nearest(option, options(cls), prefix=f"{section}.")
                )


def _nearest(name: str, known: Iterable[str], *, prefix: str = "") -> str:
    by_lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    return f"; did you mean {prefix + by_lower[near[0]]!r}?" if near else ""


def read_file(path: Path) -> Config:
    """Read ``nbstamp_config.py``. Raises :class:`ConfigurationError`."""
    if not path.is_file():
        raise ConfigurationError(f"there is no configuration file {path}")
    try:
        return PyFileConfigLoader(path.name, path=str(path.parent)).load_config()
    except Exception as err:
        raise ConfigurationError(f"{path} cannot be read: {type(err).__name__}: {err}") from err


def read_hub_environment(environ: Mapping[str, str]) -> Config:
    """Read where to listen, under which path and who the users are from what a JupyterHub tells a
    service that it starts itself; every other source wins over it.

    A terminal in a user's Jupyter server has most of these variables, too, but no service's name.
    """
    config = Config()
    if not environ.get("JUPYTERHUB_SERVICE_NAME"):
        return config
    config.Server.identity = "jupyterhub"
    if prefix := environ.get("JUPYTERHUB_SERVICE_PREFIX"):
        config.Server.base_url = prefix
    if public := web_origin(environ.get("JUPYTERHUB_PUBLIC_URL")):
        config.Server.public_url = public
    if where := environ.get("JUPYTERHUB_SERVICE_URL"):
        parts = urlsplit(where)
        config.Server.ip, config.Server.port = parts.hostname or "", parts.port or 80
    return config


PREFIX = "NBSTAMP__"


def read_environment(environ: Mapping[str, str]) -> Config:
    """Read ``NBSTAMP__CLASS__OPTION`` variables, and ``NBSTAMP__CLASS__OPTION_FILE`` for secrets.

    Names are compared without case. Raises :class:`ConfigurationError` for one that is not known.
    """
    config = Config()
    known = {cls.__name__.upper(): cls for cls in configurables()}
    for variable, value in sorted(environ.items()):
        if not variable.startswith(PREFIX):
            continue
        section, _, option = variable.removeprefix(PREFIX).partition("__")
        cls = known.get(section.upper())
        if cls is None:
            raise ConfigurationError(
                f"{variable}: there is no section {section!r}" + _nearest(section, known)
            )
        traits = {name.upper(): (name, trait) for name, trait in options(cls).items()}
        name, trait = traits.get(option.upper(), ("", None))
        from_file = False
        if trait is None and option.upper().endswith("_FILE"):
            name, trait = traits.get(option.upper().removesuffix("_FILE"), ("", None))
            from_file = trait is not None and bool(trait.metadata.get("secret"))
        if trait is None or (option.upper() not in traits and not from_file):
            raise ConfigurationError(
                f"{variable}: there is no option {cls.__name__}.{option.lower()}"
                + _nearest(option, (each.lower() for each in traits))
            )
        if from_file:
            try:
                text = Path(value).read_text(encoding="utf-8")
            except OSError as err:
                raise ConfigurationError(f"{variable}: {err.strerror}: {value}") from err
            config[cls.__name__][name] = text.split() if isinstance(trait, List) else text.strip()
        else:
            config[cls.__name__][name] = _read(trait, value)
    return config


def _read(trait: Any, text: str) -> Any:
    """An option's value from a text: lists as ``a,b`` or as Python, the rest as traitlets reads
    it."""
    if isinstance(trait, List) and not text.lstrip().startswith("["):
        return [part for part in text.split(",") if part]
    if isinstance(trait, List | Dict):
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError):
            raise ConfigurationError(f"{text!r} is not a list or dictionary in Python") from None
    return DeferredConfigString(text)


def read_command_line(arguments: Iterable[str]) -> Config:
    """Read ``--Class.option=value`` arguments. Raises :class:`ConfigurationError`."""
    config = Config()
    known = {cls.__name__: options(cls) for cls in configurables()}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        section, dot, option = name.removeprefix("--").partition(".")
        if not (argument.startswith("--") and dot and equals and section and option):
            raise ConfigurationError(
                f"{argument!r} is not understood; options look like --Server.port=8803"
            )
        config[section][option] = _read(known.get(section, {}).get(option), value)
    return config
