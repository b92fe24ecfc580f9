"""Java parameter cells, run by JShell, which is what Java kernels are made of."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from nbstamp.core.errors import UnacceptableParameter
from nbstamp.core.languages.java import Java
from nbstamp.core.languages.layout import WIDTH
from nbstamp.core.parameters import Json
from nbstamp.testing import LanguageContract
from support import missing_tool

JAVA = Java()
HERE = Path(__file__).parent
QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")
"""For a machine that lives for seconds."""


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the compiled program that runs cells in JShell."""
    if not shutil.which("javac"):
        missing_tool("javac")
    folder = tmp_path_factory.mktemp("shell")
    subprocess.run(["javac", "-d", str(folder), str(HERE / "Shell.java")], check=True, timeout=60)
    return folder


class TestJShell(LanguageContract):
    """In JShell."""

    language = JAVA
    documents = 60
    batch = 60

    @pytest.fixture(autouse=True)
    def _shell(self, shell: Path) -> None:
        self.shell = shell

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        dumps = "".join(f"out.println(dump({name}));\n" for name in names)
        last = f'{{ var out = new java.io.PrintStream("dump", "UTF-8");\n{dumps}out.close(); }}\n'
        (folder / "cell").write_text(cell, encoding="utf-8")
        (folder / "last").write_text(last, encoding="utf-8")
        cells = [str(HERE / "dump.jshell"), *["cell"] * times, "last"]
        done = subprocess.run(
            ["java", *QUICK, "-Dfile.encoding=UTF-8", "-cp", str(self.shell), "Shell", *cells],
            cwd=folder,
            capture_output=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        lines = (folder / "dump").read_bytes().splitlines()
        return dict(zip(names, map(json.loads, lines), strict=True))


LAID_OUT: list[tuple[Json, str]] = [
    (None, "Object v = null;"),
    (True, "boolean v = true;"),
    (5, "int v = 5;"),
    (2**40, "long v = 1099511627776L;"),
    (2**63, 'BigInteger v = new BigInteger("9223372036854775808");'),
    (21.5, "double v = 21.5;"),
    ('a "b" \\ µ', 'String v = "a \\"b\\" \\\\ µ";'),
    ("\x00\xa0\u202e\U000e0041", 'String v = "\\000\\240\\u202e\\udb40\\udc41";'),
    ([], "List<Object> v = List.<Object>of();"),
    ({}, "Map<String, Object> v = Map.<String, Object>ofEntries();"),
    ([1, 2.5], "List<Double> v = List.of(1.0, 2.5);"),
    ([1, 2**40], "List<Long> v = List.of(1L, 1099511627776L);"),
    ([None], "List<Object> v = Arrays.asList((Object) null);"),
    (["a", None], 'List<String> v = Arrays.asList("a", null);'),
    (["a", 1], 'List<Object> v = List.<Object>of("a", 1);'),
    (
        {"a": None, "b": 1},
        """\
Map<String, Integer> v = new HashMap<String, Integer>() {{
    put("a", null); put("b", 1);
}};""",
    ),
    (
        {"units": "degC", "magnitude": 21.5},
        """\
Map<String, Object> v = Map.<String, Object>ofEntries(
    Map.entry("units", "degC"),
    Map.entry("magnitude", 21.5)
);""",
    ),
    (
        [["2026-11-01 00:00:00.000000", 293.15], ["2026-11-01 00:00:01.000000", None]],
        """\
List<List<Object>> v = List.<List<Object>>of(
    List.<Object>of("2026-11-01 00:00:00.000000", 293.15),
    Arrays.<Object>asList("2026-11-01 00:00:01.000000", null)
);""",
    ),
    (
        "A remark of several lines is put into the notebook as people write them:\nlike this.\n",
        """\
String v = String.join("",
    "A remark of several lines is put into the notebook as people write them:\\n",
    "like this.\\n"
);""",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), LAID_OUT)
def test_a_value_is_laid_out_for_people(value: Json, expected: str) -> None:
    assert JAVA.assignment("v", value) == expected


def test_lines_keep_to_the_margin_unless_a_text_is_longer() -> None:
    rows: Json = [[f"2026-11-01 00:00:{i:02}", i / 7, i] for i in range(150)]
    numbers: Json = [i / 7 for i in range(500)]
    for line in JAVA.cell({"rows": rows, "numbers": numbers}).splitlines():
        assert len(line) <= WIDTH
        assert line == line.rstrip()


def test_a_long_list_is_made_in_parts() -> None:
    source = JAVA.assignment("v", list(range(1000)))
    assert source.startswith(
        "List<Integer> v = Stream.<Supplier<List<Integer>>>of(\n    () -> List.of("
    )
    assert source.endswith("\n).flatMap(part -> part.get().stream()).toList();")


def test_large_values_arrive_whole(shell: Path, tmp_path: Path) -> None:
    values: list[Json] = [
        "x" * 200_000,
        "é\n" * 100_000,
        {"data": [[n / 7, None if n % 3 else n] for n in range(3000)], "unit": "K"},
        [{"n": n, "m": None} for n in range(200)],
    ]
    test = TestJShell()
    test.shell = shell
    test.assert_arrive(values, tmp_path)


@pytest.mark.parametrize(
    "value", [list(range(50_000)), {f"k{n}": n for n in range(2000)}], ids=["list", "object"]
)
def test_what_no_class_can_hold_is_refused_in_words(value: Json) -> None:
    with pytest.raises(UnacceptableParameter, match="Java virtual machine"):
        JAVA.cell({"value": value})


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("Sample Name", "Sample_Name"),
        ("2nd", "n2nd"),
        ("class", "class_"),
        ("yield", "yield_"),
        ("List", "List_"),
        ("java", "java_"),
        ("_", None),
    ],
)
def test_a_refused_name_comes_with_a_better_one(name: str, suggestion: str | None) -> None:
    problem = JAVA.name_problem(name)
    assert problem
    assert problem.suggestion == suggestion


def test_other_words_are_variables_in_jshell(shell: Path, tmp_path: Path) -> None:
    names = ["T", "temperature", "open", "to", "with", "module", "part", "put", "entry", "out_"]
    test = TestJShell()
    test.shell = shell
    cell = JAVA.cell(dict.fromkeys(names, 1.5))
    assert test.run(cell, names, tmp_path) == dict.fromkeys(names, 1.5)


@pytest.mark.parametrize("name", ["Math", "System", "Set"])
def test_names_that_hide_a_class_are_stamped_with_a_warning(name: str) -> None:
    assert JAVA.name_problem(name) is None
    assert f"{name}_" in (JAVA.name_warning(name) or "")
