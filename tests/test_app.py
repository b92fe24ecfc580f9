"""The configuration: where it comes from, who wins, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from traitlets.config import Config

from nbstamp.app import (
    ConfigurationError,
    Server,
    build,
    configurables,
    options,
    read_command_line,
    read_environment,
)
from nbstamp.core.instance import Instance
from nbstamp.core.naming import Target
from nbstamp.core.user import User
from nbstamp.storage.base import Download, Storage


@pytest.fixture
def working(tmp_path: Path) -> Config:
    config = Config()
    config.Server.templates = [str(tmp_path)]
    config.Server.state_dir = str(tmp_path / "state")
    return config


def test_the_environment_sets_options_and_reads_secrets_from_files(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_text("first\nsecond\n")
    token = tmp_path / "token"
    token.write_text("of the hub\n")
    config = read_environment(
        {
            "NBSTAMP__SERVER__PORT": "9000",
            "NBSTAMP__SERVER__TEMPLATES": "/a,/b",
            "NBSTAMP__SERVER__SECRETS_FILE": str(file),
            "NBSTAMP__JUPYTERHUBIDENTITY__API_TOKEN_FILE": str(token),
            "NBSTAMP__LIMITS__BODY": "5000",
            "NBSTAMP_PORT": "tcp://10.0.0.1:80",
        }
    )
    assert config.Server.templates == ["/a", "/b"]
    assert config.Server.secrets == ["first", "second"]
    assert config.JupyterHubIdentity.api_token == "of the hub"
    assert options(configurables()[0])["port"].from_string(config.Server.port) == 9000


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("NBSTAMP__SERVER__PROT", "port"),
        ("NBSTAMP__SEVER__PORT", "SERVER"),
        ("NBSTAMP__SERVER__PORT_FILE", "port"),
    ],
)
def test_an_unknown_variable_names_the_nearest(variable: str, nearest: str) -> None:
    with pytest.raises(ConfigurationError, match=nearest):
        read_environment({variable: "1"})


@pytest.mark.parametrize("argument", ["--Server.port", "Server.port=1", "--port=1", "--Server.=1"])
def test_a_malformed_argument_says_how_options_look(argument: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--Server\.port=8803"):
        read_command_line([argument])


@pytest.mark.parametrize(
    ("section", "option", "value", "words"),
    [
        ("Server", "prot", 1, "port"),
        ("Sever", "port", 1, "Server"),
        ("Server", "port", "http", "port"),
        ("Server", "port", 99999, "port"),
        ("Server", "storage", "flder", "folder"),
        ("Server", "storage", "contents", "nobody"),
        ("Server", "storage", "nowhere.at:All", "imported"),
        ("Server", "storage", "pathlib:Path", "subclass"),
        ("Server", "identity", "jupyterhu", "nobody"),
        ("Server", "templates", [], "--templates"),
        ("Server", "public_url", "jupyter.example", "https://jupyter.example"),
        ("Server", "secrets", ["short"], "32"),
        ("Server", "secrets", ["a" * 64], "plain"),
        ("Server", "target_folder", "home/{username}", "username"),
        ("Server", "portals", {"sampledb.example": {}}, "https://sampledb.example"),
        ("Server", "portals", {"https://sampledb.example": {"nam": "x"}}, "name"),
        ("Server", "portals", {"https://sampledb.example": "x"}, "portals"),
    ],
)
def test_a_configuration_that_is_not_understood_stops_the_start(
    working: Config, section: str, option: str, value: object, words: str
) -> None:
    working[section][option] = value
    with pytest.raises(ConfigurationError, match=words):
        build(working)


def test_a_secret_is_made_once_for_its_owner_alone(working: Config, tmp_path: Path) -> None:
    build(working)
    file = tmp_path / "state" / "secret"
    first = file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert len(first) >= 32
    build(working)
    assert file.read_text() == first
    assert [path.name for path in file.parent.iterdir()] == ["secret"]


def test_a_state_directory_that_cannot_be_written_stops_the_start(
    working: Config, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    working.Server.state_dir = str(tmp_path / "file" / "below")
    with pytest.raises(ConfigurationError, match=r"Server\.secrets"):
        build(working)


class Shelf(Storage):
    """A storage of ten lines, as an admin would write it."""

    saves = False

    async def save(self, user: User, target: Target, instance: Instance) -> Download:
        return Download(target.name, instance)


class Empty(Storage):
    """Forgot its one method."""


def test_a_storage_of_ones_own_is_named_by_its_import_string(
    working: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "shelf", __import__("sys").modules[__name__])
    working.Server.storage = "shelf:Shelf"
    assert not build(working).service.saves
    working.Server.storage = "shelf.Shelf"
    build(working)
    working.Server.storage = "shelf:Empty"
    with pytest.raises(ConfigurationError, match="save"):
        build(working)


def test_every_option_has_help_and_an_example_to_paste() -> None:
    for cls in configurables():
        assert cls.__doc__
        for name, trait in options(cls).items():
            assert trait.help, (cls, name)
            text, _, example = trait.help.partition("\n\n")
            assert text.strip().endswith("."), (cls, name)
            assert f"c.{cls.__name__}.{name} = " in example, (cls, name)


def test_notebooks_go_to_each_users_own_jupyter_where_there_is_a_hub() -> None:
    assert Server().storage == "download"
    assert Server(identity="jupyterhub").storage == "contents"
    assert Server(identity="jupyterhub", storage="download").storage == "download"
