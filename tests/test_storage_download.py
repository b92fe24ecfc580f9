"""The storage ``download``, which keeps nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from creating import instance
from nbstamp.core.naming import Target
from nbstamp.core.user import NOBODY
from nbstamp.storage.base import Describing, Download
from nbstamp.storage.download import DownloadStorage


def test_the_notebook_is_handed_out_under_its_name() -> None:
    notebook = instance("first-one")
    outcome = asyncio.run(
        DownloadStorage().save(NOBODY, Target(("notebooks", "sem"), "Größe 1.ipynb"), notebook)
    )
    assert outcome == Download("Größe 1.ipynb", notebook)


def test_the_same_creation_again_is_handed_out_again() -> None:
    storage, target = DownloadStorage(), Target((), "Analysis.ipynb")
    first, second = (
        asyncio.run(storage.save(NOBODY, target, instance("first-one"))) for _ in range(2)
    )
    assert bytes(first.instance) == bytes(second.instance)
    assert first.name == second.name


def test_nothing_is_kept_and_nothing_can_be_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    storage = DownloadStorage()
    asyncio.run(storage.save(NOBODY, Target((), "Analysis.ipynb"), instance("first-one")))
    assert list(tmp_path.iterdir()) == []
    assert not storage.saves
    assert not isinstance(storage, Describing)
    assert list(storage.problems()) == []
