"""Which kernel language a template speaks."""

from __future__ import annotations

import pytest

from nbstamp.core.errors import UnacceptableParameter, UnsupportedLanguage
from nbstamp.core.languages import Languages
from nbstamp.core.languages.base import Language
from nbstamp.core.languages.python import Python
from nbstamp.core.parameters import Json
from nbstamp.core.template import Kernel
from nbstamp.testing import VALUES, generated


class Basic(Language):
    """A second language, as a third party would add it."""

    name = "basic"
    title = "BASIC"
    kernels = ("qbasic*",)
    comment = "REM"

    def assignment(self, name: str, value: Json) -> str:
        return f"LET {name} = {value}"


BOTH = Languages([Python(), Basic()])


@pytest.mark.parametrize(
    ("kernel", "name"),
    [
        (Kernel("python3", "Python 3", "python", "python"), "python"),
        (Kernel("anything", "", "python", ""), "python"),
        (Kernel("", "", "", "ipython"), "python"),
        (Kernel("", "", "something new", "python"), "python"),
        (Kernel("python3", "", "", ""), "python"),
        (Kernel("QBasic64", "", "", ""), "basic"),
        (Kernel("python3", "", "basic", ""), "basic"),
    ],
)
def test_a_kernel_is_known_by_what_the_notebook_says(kernel: Kernel, name: str) -> None:
    assert BOTH.find(kernel).name == name


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        (Kernel("python3", "", "cobol", ""), "cobol"),
        (Kernel("x", "", "", ""), "x"),
        (Kernel(), "does not say"),
        (Kernel("python3", "", "python", "basic"), "two things"),
    ],
)
def test_an_unknown_or_doubtful_language_is_refused_in_words(kernel: Kernel, words: str) -> None:
    with pytest.raises(UnsupportedLanguage, match=words):
        BOTH.find(kernel)


def test_names_are_compared_without_case() -> None:
    assert BOTH.by_name("IPython3").title == "Python"
    with pytest.raises(UnsupportedLanguage, match="BASIC, Python"):
        BOTH.by_name("fortran")


def test_two_languages_of_one_name_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="python"):
        Languages([Python(), Python()])


INSTALLED = Languages.installed()


@pytest.mark.parametrize(
    ("kernel", "name"),
    [
        # as the kernels write them into notebooks
        (Kernel("ir", "R", "r", "r"), "r"),
        (Kernel("ir", "R", "R".lower(), ""), "r"),
        (Kernel("xr", "R 4.3 (xr)", "r", "r"), "r"),
        (Kernel("julia-1.10", "Julia 1.10.4", "julia", "julia"), "julia"),
        (Kernel("julia-1.10", "", "", ""), "julia"),
        (Kernel("octave", "Octave", "octave", "octave"), "octave"),
        (Kernel("xoctave", "", "", ""), "octave"),
        (Kernel("matlab", "Matlab", "matlab", "matlab"), "matlab"),
        (Kernel("imatlab", "MATLAB", "matlab", "matlab"), "matlab"),
        (Kernel("jupyter_matlab_kernel", "MATLAB Kernel", "", ""), "matlab"),
        (Kernel("bash", "Bash", "bash", "bash"), "bash"),
        (Kernel("calysto_bash", "Calysto Bash", "bash", "bash"), "bash"),
        (Kernel("pysparkkernel", "PySpark", "python", "pyspark"), "python"),
        (Kernel("pysparkkernel", "PySpark", "", "pyspark"), "python"),
        (Kernel("pyspark3kernel", "PySpark3", "", "pyspark3"), "python"),
        (Kernel("apache_toree_pyspark", "Apache Toree - PySpark", "", ""), "python"),
        (Kernel("synapse_pyspark", "Synapse PySpark", "python", "python"), "python"),
        (Kernel("sparkrkernel", "SparkR", "", "sparkr"), "r"),
        (Kernel("apache_toree_sparkr", "Apache Toree - SparkR", "r", "r"), "r"),
        (Kernel("javascript", "JavaScript (Node.js)", "javascript", "javascript"), "javascript"),
        (Kernel("jslab", "JavaScript", "javascript", "javascript"), "javascript"),
        (Kernel("jslab", "JavaScript", "", ""), "javascript"),
        (Kernel("tslab", "TypeScript", "typescript", "typescript"), "typescript"),
        (Kernel("deno", "Deno", "typescript", "typescript"), "typescript"),
        (Kernel("deno", "", "", ""), "typescript"),
        (Kernel("ruby", "Ruby 3.1.2", "ruby", "ruby"), "ruby"),
        (Kernel("ruby3", "", "", ""), "ruby"),
        (Kernel("iperl", "IPerl 0.012", "perl", "perl"), "perl"),
        (Kernel("jupyter-php", "PHP", "php", "php"), "php"),
        (Kernel("xlua", "Lua (XLua)", "lua", "lua"), "lua"),
        (Kernel("lua", "Lua", "lua", "lua"), "lua"),
    ],
)
def test_kernels_in_the_wild_are_known(kernel: Kernel, name: str) -> None:
    assert INSTALLED.find(kernel).name == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [("c", "a program of its own"), ("SAS", "macro"), ("fortran", "“fortran”. This server knows")],
)
def test_what_is_refused_on_purpose_is_refused_with_its_reason(name: str, reason: str) -> None:
    with pytest.raises(UnsupportedLanguage, match=reason):
        INSTALLED.find(Kernel("x", "", name.lower(), ""))
    with pytest.raises(UnsupportedLanguage, match=reason):
        INSTALLED.by_name(name)


def test_languages_that_were_not_run_say_so() -> None:
    assert {one.name for one in INSTALLED if one.caution} == {"julia", "matlab"}
    assert "not in Julia itself" in INSTALLED.caution(Kernel("julia-1.10", "", "", ""))
    assert INSTALLED.caution(Kernel("python3", "", "python", "")) == ""
    assert INSTALLED.caution(Kernel("x", "", "cobol", "")) == ""
    assert INSTALLED.caution(None) == ""


@pytest.mark.parametrize("language", list(INSTALLED), ids=lambda language: language.name)
def test_no_cell_holds_a_character_that_people_cannot_see(language: Language) -> None:
    for value in [*VALUES, *generated(200)]:
        try:
            cell = language.cell({"value": value})
        except UnacceptableParameter:
            continue
        assert cell.replace("\n", "").isprintable(), ascii(value)
