"""The promises of storages and kernel languages as suites of tests, for us and for third parties.

Needs pytest; nothing of the server imports it. For failures that show their values, call
``pytest.register_assert_rewrite("nbstamp.testing")`` in ``conftest.py``.
"""

# ruff: noqa: S101 - asserting is what this is for

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from nbstamp.core.instance import Instance, Origin, stamp
from nbstamp.core.naming import LONGEST, SUFFIX, Target
from nbstamp.core.parameters import Parameters
from nbstamp.core.template import index
from nbstamp.core.user import NOBODY, User
from nbstamp.storage.base import Describing, Description, Saved, Storage

AWKWARD_NAMES = (
    "Data Analysis 50 % #1.ipynb",
    "Größe β 漢字 🔬.ipynb",
    "-rf --no.ipynb",
    "$(id) `id` ; & !.ipynb",
    "it's [1]{2}(3).ipynb",
    "%2e%2e%2f.ipynb",
    "name-1.ipynb",
    "a..b.tar.gz.ipynb",
    "~.ipynb",
    "n" * (LONGEST - len(SUFFIX)) + SUFFIX,
)
"""File names that a template, a value or a person may lead to."""


class StorageContract:
    """What every storage that keeps notebooks promises; subclass it in a module of tests.

    A storage that re-writes notebooks (as Jupyter's contents API does) overrides
    :meth:`assert_holds`, one with users of its own sets :attr:`user`::

        class TestShelf(StorageContract):
            @pytest.fixture
            def storage(self, tmp_path): return ShelfStorage(root=str(tmp_path))
            def read(self, storage, target): …
            def write(self, storage, target, data): …
            def names(self, storage, folder): …
    """

    user: User = NOBODY
    """Who saves."""

    @pytest.fixture
    def storage(self) -> Storage:
        """The storage, with nothing in it."""
        raise NotImplementedError

    def read(self, storage: Any, target: Target) -> bytes:
        """The bytes of a file as the user finds it."""
        raise NotImplementedError

    def write(self, storage: Any, target: Target, data: bytes) -> None:
        """Make or replace a file and the folders above it, as the user would."""
        raise NotImplementedError

    def names(self, storage: Any, folder: tuple[str, ...]) -> set[str]:
        """Names of the files that the user sees in a folder; empty when there is none."""
        raise NotImplementedError

    def assert_holds(self, data: bytes, instance: Instance) -> None:
        """Assert that a file is this notebook."""
        assert data == bytes(instance)

    def save(self, storage: Storage, *wishes: tuple[Target, Instance]) -> list[Saved]:
        """Save all at once."""

        async def together() -> list[Saved]:
            saved = await asyncio.gather(*(storage.save(self.user, *wish) for wish in wishes))
            return [outcome for outcome in saved if isinstance(outcome, Saved)]

        return asyncio.run(together())

    def test_a_saved_notebook_is_the_one_that_was_stamped(self, storage: Storage) -> None:
        target, instance = Target(("notebooks", "sem"), "Analysis.ipynb"), _instance("first-one")
        (saved,) = self.save(storage, (target, instance))
        assert saved.target == target
        assert saved.place.endswith(" / notebooks / sem / Analysis.ipynb")
        assert not saved.existed
        self.assert_holds(self.read(storage, target), instance)

    def test_a_notebook_can_go_to_the_top(self, storage: Storage) -> None:
        target, instance = Target((), "Analysis.ipynb"), _instance("first-one")
        self.save(storage, (target, instance))
        self.assert_holds(self.read(storage, target), instance)

    def test_a_second_notebook_gets_a_number(self, storage: Storage) -> None:
        target = Target(("notebooks",), "Analysis.ipynb")
        instances = [_instance(f"number-{number}") for number in range(3)]
        saved = [self.save(storage, (target, instance))[0] for instance in instances]
        assert [each.target.name for each in saved] == [
            "Analysis.ipynb",
            "Analysis-1.ipynb",
            "Analysis-2.ipynb",
        ]
        for each, instance in zip(saved, instances, strict=True):
            self.assert_holds(self.read(storage, each.target), instance)

    def test_a_file_of_the_users_own_is_never_replaced(self, storage: Storage) -> None:
        target, instance = Target(("notebooks",), "Analysis.ipynb"), _instance("first-one")
        self.write(storage, target, _OWN)
        (saved,) = self.save(storage, (target, instance))
        assert saved.target == target.numbered(1)
        assert self.read(storage, target) == _OWN
        self.assert_holds(self.read(storage, saved.target), instance)

    def test_sixteen_at_once_are_sixteen_complete_notebooks(self, storage: Storage) -> None:
        target = Target(("notebooks",), "Analysis.ipynb")
        instances = [_instance(f"at-once-{number}", size=100_000) for number in range(16)]
        saved = self.save(storage, *((target, instance) for instance in instances))
        wanted = {target.numbered(number).name for number in range(16)}
        assert {each.target.name for each in saved} == wanted
        assert self.names(storage, target.folder) == wanted
        for each, instance in zip(saved, instances, strict=True):
            self.assert_holds(self.read(storage, each.target), instance)

    def test_the_same_creation_again_is_the_same_notebook(self, storage: Storage) -> None:
        target = Target(("notebooks",), "Analysis.ipynb")
        instances = [_instance(f"again-{number}") for number in range(3)]
        first = [self.save(storage, (target, instance))[0] for instance in instances]
        again = [self.save(storage, (target, instance))[0] for instance in instances]
        assert [each.target for each in again] == [each.target for each in first]
        assert all(each.existed for each in again)
        assert len(self.names(storage, target.folder)) == 3

    def test_the_same_creation_twice_at_once_is_one_notebook(self, storage: Storage) -> None:
        target = Target(("notebooks",), "Analysis.ipynb")
        instances = [_instance(f"click-{number}") for number in range(4)]
        saved = self.save(storage, *((target, instances[n % 4]) for n in range(16)))
        assert len(self.names(storage, target.folder)) == 4
        for number, instance in enumerate(instances):
            same = saved[number::4]
            assert len({each.target for each in same}) == 1
            assert sum(not each.existed for each in same) == 1
            self.assert_holds(self.read(storage, same[0].target), instance)

    def test_an_edited_notebook_is_never_touched(self, storage: Storage) -> None:
        target, instance = Target(("notebooks",), "Analysis.ipynb"), _instance("first-one")
        self.save(storage, (target, instance))
        edited = json.loads(self.read(storage, target))
        edited["cells"][0]["source"] = ["My own words"]
        data = json.dumps(edited, indent=1, sort_keys=True).encode()
        self.write(storage, target, data)
        (again,) = self.save(storage, (target, instance))
        (other,) = self.save(storage, (target, _instance("second-one")))
        assert (again.target, again.existed) == (target, True)
        assert other.target == target.numbered(1)
        assert self.read(storage, target) == data

    @pytest.mark.parametrize("name", AWKWARD_NAMES)
    def test_an_awkward_name_is_kept(self, storage: Storage, name: str) -> None:
        target, instance = Target((name.removesuffix(".ipynb"),), name), _instance("first-one")
        (saved,) = self.save(storage, (target, instance))
        assert saved.target == target
        assert self.names(storage, target.folder) == {name}
        self.assert_holds(self.read(storage, target), instance)

    def test_a_large_notebook_is_complete(self, storage: Storage) -> None:
        target, instance = (
            Target(("notebooks",), "Large.ipynb"),
            _instance("large", size=20 * 10**6),
        )
        self.save(storage, (target, instance))
        self.assert_holds(self.read(storage, target), instance)

    def test_looking_finds_the_newest_of_the_same_and_changes_nothing(
        self, storage: Storage
    ) -> None:
        if not isinstance(storage, Describing):
            pytest.skip("this storage does not look before it writes")
        target = Target(("notebooks", "sem"), "Analysis.ipynb")

        def describe(creation_id: str) -> Description:
            return asyncio.run(
                storage.describe(
                    self.user, target, lambda origin: origin["creation_id"] == creation_id
                )
            )

        nothing = describe("first-one")
        assert (nothing.taken, nothing.found) == (False, None)
        assert self.names(storage, ("notebooks",)) == set()
        self.save(storage, (target, _instance("first-one")))
        self.save(storage, (target, _instance("second-one")))
        found = describe("second-one")
        assert found.place.endswith(" / notebooks / sem")
        assert found.taken
        assert found.found is not None
        assert found.found.target == target.numbered(1)
        assert found.found.provenance["template"] == "some/template.ipynb"
        assert describe("third-one").found is None
        assert self.names(storage, target.folder) == {"Analysis.ipynb", "Analysis-1.ipynb"}


_OWN = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


def _instance(creation_id: str, *, size: int = 1000) -> Instance:
    """A notebook of about ``size`` bytes, other bytes for another id."""
    cell = {
        "cell_type": "markdown",
        "metadata": {},
        "source": [f"{creation_id} {line}\n" for line in range(size // (len(creation_id) + 12))],
    }
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    template = index(json.dumps(notebook, indent=1).encode())
    origin = Origin("some/template.ipynb", creation_id, "2025-01-01T00:00:00+00:00")
    return stamp(template, Parameters(), origin, None)
