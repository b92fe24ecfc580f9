"""The promises of storages and kernel languages as suites of tests, for us and for third parties.

Needs pytest; nothing of the server imports it. For failures that show their values, call
``pytest.register_assert_rewrite("nbstamp.testing")`` in ``conftest.py``.
"""

# ruff: noqa: S101 - asserting is what this is for

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from nbstamp.core.errors import NoFreeName, UnacceptableParameter
from nbstamp.core.instance import DataFile, Instance, Origin, stamp
from nbstamp.core.languages.base import Language
from nbstamp.core.naming import LONGEST, SUFFIX, Target
from nbstamp.core.parameters import Json, Parameters
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

    def test_data_files_are_beside_their_notebook(self, storage: Storage) -> None:
        if not storage.keeps_files:
            pytest.skip("this storage keeps notebooks alone")
        target = Target(("notebooks",), "Analysis.ipynb")
        instances = [replace(_instance(f"data-{n}"), files=_FILES) for n in range(2)]
        saved = self.save(storage, *((target, instance) for instance in instances))
        wanted = {"Analysis.ipynb", "Analysis-1.ipynb", *(file.name for file in _FILES)}
        assert len(saved) == 2
        assert self.names(storage, target.folder) == wanted
        for file in _FILES:
            assert self.read(storage, Target(target.folder, file.name)) == file.data

    def test_a_data_file_that_was_changed_stays_as_it_is(self, storage: Storage) -> None:
        if not storage.keeps_files:
            pytest.skip("this storage keeps notebooks alone")
        target = Target(("notebooks",), "Analysis.ipynb")
        beside = Target(target.folder, _FILES[0].name)
        self.write(storage, beside, b"[0]")
        with pytest.raises(NoFreeName, match=_FILES[0].name):
            self.save(storage, (target, replace(_instance("first-one"), files=_FILES)))
        assert self.read(storage, beside) == b"[0]"
        assert self.names(storage, target.folder) == {beside.name}

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


_FILES = (DataFile("log-0123456789abcdef.json", b"[1, 2]\n"), DataFile("größe-ä.json", b"{}\n"))
_OWN = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


@cache
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


# --- Kernel languages ---------------------------------------------------------------------------

_TEXTS = (
    "",
    " ",
    "a",
    "'",
    '"',
    "'''",
    '"""',
    "\\",
    "\\\\",
    "\\'",
    '\\"',
    "ends with a backslash\\",
    "\\n",
    "\\x41\\u0041\\101\\N{DIGIT ONE}",
    "\n",
    "\r",
    "\r\n",
    "\t",
    "two\nlines",
    "\nlines\n\n",
    "a line that is too long for one line of the cell\nand another one, just as long as that\n",
    "\x00",
    "a\x001",
    "\x01f",
    "\x1b[31mred\x1b[0m",
    "\x7f",
    "\x80\x85\xa0\xad",
    "é",
    "e\u0301",
    "ÿ",
    "ß",
    "Ångström",
    "日本",
    "試料",
    "\u200b",
    "\u200d",
    "\u202ereversed\u202c",
    "\u2066isolated\u2069",
    "\u2028",
    "\u2029",
    "\ufeff",
    "\ufffd\uffff",
    "\ue000",
    "😀",
    "👩\u200d🔬",
    "\U000e0041",
    "\U0010ffff",
    "%",
    "%%bash",
    "%s %d %(x)s",
    "{}",
    "{0}{x.__class__}",
    "{{x}}",
    "${x}",
    "$x",
    "$(id)",
    "#{x}",
    "`id`",
    "!id",
    "!!",
    "?",
    "x?",
    "??/",
    "~",
    "*",
    "&",
    "|",
    ";",
    "<b>&amp;</b>",
    "# Parameters",
    "// comment",
    "/* comment */",
    "-- comment",
    "<!-- comment -->",
    "None",
    "null",
    "True",
    "NaN",
    "1",
    "1e3",
    "0x10",
    "[1]",
    '{"a": 1}',
    "__proto__",
    "\\u0022; x",
    "x" * 100,
    "x " * 500,
    "line\n" * 50,
)
_BITS = (7, 8, 15, 16, 31, 32, 53, 63, 64)
_NUMBERS: tuple[int | float, ...] = (
    *(sign * (2**bits + step) for bits in _BITS for step in (-1, 0, 1) for sign in (1, -1)),
    0,
    10**20,
    10**399,
    -(10**399),
    0.0,
    -0.0,
    0.1,
    -1.5,
    1 / 3,
    3.0,
    1e16,
    1e22,
    1e-7,
    1.25e-9,
    5e-324,
    2.2250738585072014e-308,
    1e308,
    1.7976931348623157e308,
    123456789.12345679,
)  # fmt: skip
_CONTAINERS: tuple[Json, ...] = (
    [],
    {},
    [[]],
    [{}],
    {"a": {}},
    {"a": []},
    [None],
    [1],
    [1, 2, 3],
    [1, 2.5],
    [1, None, 3],
    [True, False],
    [True, 1],
    ["a", "b c"],
    ["a", 1, None, True, [2], {"k": 3}],
    [[1, 2], [3, 4]],
    [[1, 2], [3]],
    [["2026-11-01 00:00:00.000000", 293.15], ["2026-11-01 00:00:01.000000", None]],
    {"": 1},
    {" ": 1},
    {"a": 1, "b": 2},
    {"a b": 1, "1": 2, "class": 3, "é": 4, "\n": 5, '"': 6, "'": 7, "\\": 8, "$x": 9},
    {"__proto__": 1, "constructor": 2, "length": 3},
    {"a": None, "b": [None, {"c": None}]},
    {"en": "glass", "de": "Glas größer"},
    {
        "_type": "quantity",
        "units": "degC",
        "magnitude": 21.5,
        "dimensionality": "[temperature]",
        "magnitude_in_base_units": 294.65,
    },
    list(range(200)),
    [i / 7 for i in range(100)],
    [f"row {i}" for i in range(60)],
    [{"t": i, "v": i / 3, "s": f"s{i}"} for i in range(40)],
    {f"key_{i}": i for i in range(40)},
)


def _nested(depth: int) -> Json:
    value: Json = "innermost, and long enough that it does not fit on the same line as the rest"
    for level in range(depth):
        value = [value, level] if level % 2 else {"deeper": value}
    return value


VALUES: tuple[Json, ...] = (None, True, False, *_NUMBERS, *_TEXTS, *_CONTAINERS, _nested(32))
"""What a portal may send; every language gives each one back, or refuses it in words."""

_COMMANDS = (
    "touch {marker}",
    "import os; open({marker!r}, 'w')",
    "__import__('os').system('touch {marker}')",
    "get_ipython().system('touch {marker}')",
    "!touch {marker}",
    "%%bash\ntouch {marker}",
    "%sx touch {marker}",
    "$(touch {marker})",
    "`touch {marker}`",
    "${{touch {marker}}}",
    "$(run(`touch {marker}`))",
    "#{{system(%q(touch {marker}))}}",
    'system("touch {marker}")',
    "require('fs').writeFileSync('{marker}', '')",
)
_WRAPPERS = (
    "{}",
    '"; {} #',
    "'; {} #",
    '"\n{}\n"',
    "'\n{}\n'",
    '\\"\n{} #',
    '""" \n{}\n"""',
    "''' \n{}\n'''",
    '")\n{}\n("',
    "\r{}\r",
    "\u2028{}\u2028",
    "\n{}",
    "*/ {} /*",
    "{{{}}}",
    "??/\"; {} //",
)  # fmt: skip


def attacks(marker: str) -> list[str]:
    """Texts that make the file ``marker`` wherever one of them is run as code."""
    return [
        wrapper.format(command.format(marker=marker))
        for command in _COMMANDS
        for wrapper in _WRAPPERS
    ]


def same(one: Json, other: Json) -> bool:
    """Equal in value and in type, all the way down: 1 is neither 1.0 nor true, 0.0 is not -0.0."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and repr(one) == repr(other)


def generated(count: int, seed: str = "nbstamp") -> list[Json]:
    """Documents as no person would write them, the same ones each time."""
    chance = Random(seed)  # noqa: S311 - these are no secrets
    texts = [*_TEXTS, *(attack for attack in attacks("marker")[::7])]

    def text() -> str:
        if chance.random() < 0.4:
            return chance.choice(texts)
        ranges = ((32, 126), (0, 160), (0xA0, 0x24F), (0x2000, 0x206F), (0x3000, 0xD7FF))
        picked = (chance.choice((*ranges, (0xE000, 0xFFFD), (0x1F300, 0x1FAFF))) for _ in range(40))
        return "".join(chr(chance.randint(*one)) for one in picked)[: chance.randint(0, 40)]

    def number() -> Json:
        match chance.randrange(4):
            case 0:
                return chance.randint(-100, 100)
            case 1:
                return chance.choice(_NUMBERS)
            case 2:
                return chance.uniform(-1, 1) * float(f"1e{chance.randint(-300, 300)}")
        return chance.getrandbits(chance.randint(1, 70)) * chance.choice((1, -1))

    def value(depth: int) -> Json:
        kind = chance.randrange(8 if depth < 5 else 4)
        if kind < 2:
            return text()
        if kind < 4:
            return number() if kind == 3 else chance.choice((None, True, False))
        length = chance.choice((0, 1, 1, 2, 3, 5, 9))
        if kind < 6:
            same_kind = chance.random() < 0.5
            one = chance.choice((text, number))
            return [one() if same_kind else value(depth + 1) for _ in range(length)]
        return {text(): value(depth + 1) for _ in range(length)}

    return [value(chance.choice((0, 1, 1, 2, 3))) for _ in range(count)]


class LanguageContract:
    """What every kernel language promises; subclass it in a module of tests and run the cells in
    the real interpreter::

        class TestBasic(LanguageContract):
            language = Basic()
            def run(self, cell, names, folder, *, times=1): …

    The numbers below fit a fast interpreter; where each run takes seconds, as with a compiler,
    fewer documents and larger batches are right. ``NBSTAMP_DOCUMENTS=5000`` in the environment
    asks for that many documents, whatever a class says.
    """

    language: Language
    documents: int = 500
    """Generated documents that are sent."""
    batch: int = 1000
    """Parameters that :meth:`run` is given at once."""
    rows: int = 5000
    """Rows of a time series that arrive whole."""

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        """Run ``cell`` ``times`` times in one session whose working directory is ``folder``, and
        return the variables ``names`` with the JSON type that each has there."""
        raise NotImplementedError

    def refuses(self, value: Json) -> bool:
        """True for a value that the language cannot hold."""
        return False

    def arrived(self, found: Json, sent: Json) -> bool:
        """True when ``found`` is what was sent, as far as the language can tell."""
        return same(self.language.equivalent(found), self.language.equivalent(sent))

    def assert_arrive(self, sent: Sequence[Json], folder: Path, *, times: int = 1) -> None:
        """Send every value that the language can hold, and compare what arrives."""
        held = [value for value in sent if not self.refuses(value)]
        wrong: list[tuple[Json, Json]] = []
        for start in range(0, len(held), self.batch):
            values = {f"v{n}": value for n, value in enumerate(held[start : start + self.batch])}
            found = self.run(self.language.cell(values), list(values), folder, times=times)
            wrong += [
                (value, found[name])
                for name, value in values.items()
                if not self.arrived(found[name], value)
            ]
        assert not wrong, f"{len(wrong)} wrong, such as {wrong[:5]!r}"

    def test_every_value_arrives_with_its_type(self, tmp_path: Path) -> None:
        self.assert_arrive(VALUES, tmp_path)

    def test_generated_documents_arrive(self, tmp_path: Path) -> None:
        count = int(os.environ.get("NBSTAMP_DOCUMENTS", "0")) or self.documents
        self.assert_arrive(generated(count), tmp_path)

    def test_a_long_time_series_arrives_whole(self, tmp_path: Path) -> None:
        series: list[Json] = [
            [
                f"2026-11-01 {n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}.000000",
                293.15 + n / 7,
                20.5,
            ]
            for n in range(self.rows)
        ]
        numbers: list[Json] = [n / 7 for n in range(self.rows)]
        self.assert_arrive([series, numbers], tmp_path)

    def test_what_the_language_cannot_hold_is_refused_by_name(self) -> None:
        for value in filter(self.refuses, VALUES):
            with pytest.raises(UnacceptableParameter) as refused:
                self.language.cell({"value": value})
            assert refused.value.parameter == "value"
            assert self.language.title in refused.value.message

    def test_running_the_cell_twice_gives_the_same(self, tmp_path: Path) -> None:
        self.assert_arrive([1, "text", [1, 2], {"k": 1}, None, True, []], tmp_path, times=2)

    def test_no_text_is_ever_run(self, tmp_path: Path) -> None:
        texts: list[Json] = [text for text in attacks("marker") if not self.refuses(text)]
        together: list[Json] = [
            texts,
            {f"k{n}": text for n, text in enumerate(texts)},
            {str(text): n for n, text in enumerate(texts)},
        ]
        self.assert_arrive([*texts, *together], tmp_path)
        assert not list(tmp_path.rglob("marker*"))

    def test_data_is_read_from_its_file_where_the_language_can(self, tmp_path: Path) -> None:
        data: Json = {"unit": "degC", "rows": [["2026-11-01", 1.5], ["2026-11-02", 2.5]]}
        (tmp_path / "log-1.json").write_text(json.dumps(data))
        try:
            cell = self.language.cell({"series": data, "n": 1}, {"series": "log-1.json"})
        except UnacceptableParameter as err:
            if err.parameter == "series" and "data file" in err.message:
                return
            raise
        found = self.run(cell, ["series", "n"], tmp_path)
        assert self.arrived(found["series"], data)
        assert self.arrived(found["n"], 1)

    def test_no_name_is_ever_code(self) -> None:
        for name in [
            *attacks("marker"),
            "",
            " ",
            "a b",
            "a;b",
            "a\nb",
            "1a",
            "a=1",
            "a-b",
            "(a)",
        ]:
            with pytest.raises(UnacceptableParameter) as refused:
                self.language.cell({name: 1})
            assert refused.value.parameter == name
            if refused.value.suggestion:
                self.language.cell({refused.value.suggestion: 1})

    def test_the_cell_starts_with_a_comment(self) -> None:
        first = self.language.cell({"a": 1}).splitlines()[0]
        assert first.startswith(self.language.comment)
