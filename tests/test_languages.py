"""Which kernel language a template speaks."""

from __future__ import annotations

import pytest

from nbstamp.core.errors import UnsupportedLanguage
from nbstamp.core.languages import Languages
from nbstamp.core.languages.base import Language
from nbstamp.core.languages.python import Python
from nbstamp.core.parameters import Json
from nbstamp.core.template import Kernel


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


def test_the_installed_languages_include_python() -> None:
    assert "python" in {language.name for language in Languages.installed()}
