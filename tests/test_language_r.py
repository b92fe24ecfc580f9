"""R parameter cells, run in R and in a real kernel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from kernels import run_cells
from nbstamp.core.errors import UnacceptableParameter
from nbstamp.core.languages.layout import WIDTH
from nbstamp.core.languages.r import R
from nbstamp.core.parameters import Json
from nbstamp.testing import LanguageContract
from support import is_whole_double, missing_tool

LANGUAGE = R()
UTF8 = {"LC_ALL": "C.UTF-8"}
DUMP = r"""
dump <- function(names, file) {
  text <- function(s) {
    units <- function(x) {
      b <- as.character(iconv(enc2utf8(x), "UTF-8", "UTF-16BE", toRaw = TRUE)[[1]])
      n <- seq_along(b)
      paste0('"', paste0("\\u", b[n %% 2 == 1], b[n %% 2 == 0], collapse = ""), '"')
    }
    vapply(s, function(x) if (is.na(x)) "null" else if (x == "") '""' else units(x), "",
           USE.NAMES = FALSE)
  }
  numbers <- function(x) {
    s <- sprintf("%.17g", x)
    ifelse(is.na(x), "null", ifelse(grepl("[.e]", s), s, paste0(s, ".0")))
  }
  items <- function(x) switch(typeof(x),
    "logical" = ifelse(is.na(x), "null", ifelse(x, "true", "false")),
    "integer" = ifelse(is.na(x), "null", sprintf("%d", x)),
    "double" = numbers(x),
    "character" = text(x),
    "list" = vapply(x, one, ""))
  one <- function(x) {
    if (is.null(x)) return("null")
    if (is.atomic(x) && length(x) == 1 && is.null(names(x))) return(items(x))
    if (is.list(x) && !is.null(names(x)))
      paste0("{", paste(text(names(x)), items(x), sep = ":", collapse = ","), "}")
    else paste0("[", paste(items(x), collapse = ","), "]")
  }
  all <- vapply(names, function(name) one(get(name, envir = globalenv())), "")
  writeLines(paste0("[", paste(all, collapse = ",\n"), "]"), file)
}
dump(strsplit("{names}", " ")[[1]], "found.json")
"""


def found(names: Sequence[str], folder: Path) -> dict[str, Json]:
    """What the dump says about the variables ``names``."""
    values = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    return dict(zip(names, values, strict=True))


def rscript(cells: Sequence[str], folder: Path) -> None:
    """Run ``cells`` in one session of R."""
    if not shutil.which("Rscript"):
        missing_tool("Rscript")
    for number, cell in enumerate(cells):
        (folder / f"{number}.R").write_text(cell, encoding="utf-8")
    run = f'for (.n in 1:{len(cells)}) source(paste0(.n - 1, ".R"), encoding = "UTF-8")'
    done = subprocess.run(
        ["Rscript", "--vanilla", "-e", run],
        cwd=folder,
        env=os.environ | UTF8,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]


def refused(value: Json) -> bool:
    """True for what R cannot hold: integers between two doubles, and NUL in a text."""
    match value:
        case bool() | None | float():
            return False
        case int():
            return not is_whole_double(value)
        case str():
            return "\x00" in value
        case list():
            return any(map(refused, value))
    return any(map(refused, [*value, *value.values()]))


class InR(LanguageContract):
    language = LANGUAGE

    def refuses(self, value: Json) -> bool:
        return refused(value)

    def cells(self, cell: str, names: Sequence[str], times: int) -> list[str]:
        return [cell] * times + [DUMP.replace("{names}", " ".join(names))]


class TestR(InR):
    """In a process of its own, as a script."""

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        rscript(self.cells(cell, names, times), folder)
        return found(names, folder)


class TestIRkernel(InR):
    """In a real kernel."""

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        installed = ["Rscript", "-e", "stopifnot(requireNamespace('IRkernel', quietly = TRUE))"]
        if (
            not shutil.which("R")
            or subprocess.run(installed, check=False, capture_output=True).returncode
        ):
            missing_tool("IRkernel")
        command = ["R", "--slave", "-e", "IRkernel::main()", "--args"]
        run_cells(command, self.cells(cell, names, times), folder, environment=UTF8)
        return found(names, folder)


def test_decimals_are_read_as_the_doubles_that_were_sent(tmp_path: Path) -> None:
    """R rounds twice, which changes about one of 6,000 decimals that Python writes."""
    chance = Random(0)
    known = [2.0323055002726748e-08, -9.38042574340107e-06, 2.0607955435818639e164]
    numbers: list[float] = [
        *known,
        *(chance.uniform(-1, 1) * 10.0 ** chance.randint(-12, 12) for _ in range(50_000)),
        *(chance.uniform(-1, 1) * 10.0 ** chance.randint(-323, 308) for _ in range(50_000)),
    ]
    dump = 'writeLines(sprintf("%a", numbers), "found")'
    rscript([LANGUAGE.cell({"numbers": list(numbers)}), dump], tmp_path)
    read = map(float.fromhex, (tmp_path / "found").read_text().split())
    assert list(read) == numbers


@pytest.mark.parametrize(("empty_keys", "deepest"), [(False, 47), (True, 24)])
def test_values_are_held_as_deep_as_the_parser_reads(
    tmp_path: Path, empty_keys: bool, deepest: int
) -> None:
    deep: Json = 1
    for _ in range(deepest):
        deep = {"": deep} if empty_keys else [[], deep]
    rscript([LANGUAGE.cell({"v": deep}), 'stopifnot(exists("v"))'], tmp_path)
    with pytest.raises(UnacceptableParameter, match="deeply"):
        LANGUAGE.cell({"v": [[], {"": deep}]})


LAID_OUT: list[tuple[Json, str]] = [
    (None, "v <- NULL"),
    (True, "v <- TRUE"),
    (3, "v <- 3L"),
    (3.0, "v <- 3.0"),
    (2**31 - 1, "v <- 2147483647L"),
    (-(2**31), "v <- -2147483648"),
    (10**20, "v <- 1e+20"),
    ('it\'s "A" \\', 'v <- "it\'s \\"A\\" \\\\"'),
    ("µ 日本 😀", 'v <- "µ 日本 😀"'),
    ("\x01\u202e\u2028\U000e0041", r'v <- "\u0001\u202e\u2028\U000e0041"'),
    ([], "v <- list()"),
    ({}, "v <- structure(list(), names = character(0))"),
    ([1, None, 2.5], "v <- c(1, NA, 2.5)"),
    ([None], "v <- list(NULL)"),
    (["a", None], 'v <- c("a", NA)'),
    ([[1]], "v <- list(c(1L))"),
    ([True, 1], "v <- list(TRUE, 1L)"),
    ({"a b": [1, "x"]}, 'v <- list("a b" = list(1L, "x"))'),
    ({"": 1, "a": 2}, 'v <- structure(list(1L, 2L), names = c("", "a"))'),
    (
        [["2026-11-01", 1.5], ["2026-11-02", 2.5]],
        'v <- list(\n    list("2026-11-01", 1.5),\n    list("2026-11-02", 2.5)\n)',
    ),
    (
        "A remark of several lines is put into the notebook as people write them:\nlike this.\n",
        """\
v <- paste0(
    "A remark of several lines is put into the notebook as people write them:\\n",
    "like this.\\n"
)""",
    ),
]


@pytest.mark.parametrize(("value", "expected"), LAID_OUT)
def test_a_value_is_laid_out_for_people(value: Json, expected: str) -> None:
    assert LANGUAGE.assignment("v", value) == expected


def test_lines_keep_to_the_margin_unless_a_text_is_longer() -> None:
    rows: Json = [{"t": f"2026-11-01 00:00:{i:02}", "values": [i / 7] * 3} for i in range(50)]
    numbers: Json = [i / 7 for i in range(500)]
    for line in LANGUAGE.cell({"rows": rows, "numbers": numbers}).splitlines():
        assert len(line) <= WIDTH


NAMES = ["x", "Sample_1", "sample.name", ".x", "c", "list", "größe", "µm"[1:], "試料", "paste0"]


def test_usable_names_are_variables(tmp_path: Path) -> None:
    assert [name for name in NAMES if LANGUAGE.name_problem(name)] == []
    values: dict[str, Json] = dict.fromkeys(NAMES, "text\n" * 20)
    rscript([LANGUAGE.cell(values), 'writeLines(ls(all.names = TRUE), "found")'], tmp_path)
    assert set(NAMES) <= set((tmp_path / "found").read_text(encoding="utf-8").split("\n"))


def test_letters_of_names_are_letters_to_r(tmp_path: Path) -> None:
    letters = [chr(code) for code in range(0xA1, 0x3000)]
    usable = [f"a{letter}" for letter in letters if not LANGUAGE.name_problem(f"a{letter}")]
    usable += [letter for letter in letters if not LANGUAGE.name_problem(letter)]
    assert len(usable) > 3000
    names = ", ".join(f'"{name}"' for name in usable)
    name = "parse(text = paste0(n, '<-1'))[[1]][[2]]"
    check = f"for (n in names) stopifnot(identical({name}, as.name(n)))"
    rscript([f"names <- c({names})", check], tmp_path)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("Sample Name", "Sample_Name"),
        ("_x", "x"),
        (".2way", "n2way"),
        ("2nd", "n2nd"),
        ("function", "function_"),
        ("TRUE", "TRUE_"),
        ("NA_real_", "NA_real"),
        ("...", None),
        ("..1", "n1"),
        (".Random.seed", "Random_seed"),
        ("e\u0301", "é"),
    ],
)
def test_a_refused_name_comes_with_a_better_one(name: str, suggestion: str | None) -> None:
    problem = LANGUAGE.name_problem(name)
    assert problem
    assert problem.suggestion == suggestion


@pytest.mark.parametrize("name", ["T", "pi", "letters"])
def test_names_that_hide_something_are_stamped_with_a_warning(name: str) -> None:
    assert LANGUAGE.name_problem(name) is None
    assert f"{name}_" in (LANGUAGE.name_warning(name) or "")
    assert LANGUAGE.name_warning("df") is None


def test_papermill_gives_equal_values_where_it_can(tmp_path: Path) -> None:
    from papermill.translators import RTranslator

    values: dict[str, Json] = {"a": 1, "b": 1.5, "c": True, "d": 'it\'s "A"\n', "e": None}
    values |= {"f": [1, "x"], "g": {"k": [1, 2.5]}}
    theirs = RTranslator.codify(values)
    rscript([LANGUAGE.cell(values), DUMP.replace("{names}", " ".join(values))], tmp_path)
    ours = found(list(values), tmp_path)
    rscript([theirs, DUMP.replace("{names}", " ".join(values))], tmp_path)
    assert {name: LANGUAGE.equivalent(value) for name, value in ours.items()} == {
        name: LANGUAGE.equivalent(value) for name, value in found(list(values), tmp_path).items()
    }
