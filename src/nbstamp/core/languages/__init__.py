"""The kernel languages that parameter cells can be written in, found by entry point."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from importlib.metadata import entry_points

from nbstamp.core.errors import UnsupportedLanguage
from nbstamp.core.languages.base import Language
from nbstamp.core.parameters import printable
from nbstamp.core.template import Kernel

GROUP = "nbstamp.languages"
"""Entry point group; each entry is a subclass of :class:`~nbstamp.core.languages.base.Language`."""

REFUSED = {
    "c": "its kernels compile each cell as a program of its own, so that a variable of one cell is "
    "not there in the next",
    "sas": "its macro language reads every text once more, and there is nothing to test it with",
    "stata": "its macros are expanded inside of texts, and there is nothing to test it with",
    "sql": "it has no variables that the next cell could use",
}
"""Languages that parameter cells are not written in on purpose, with the reason."""


class Languages:
    """Kernel languages by what notebooks say about their kernels."""

    def __init__(self, languages: Iterable[Language]) -> None:
        self._languages = sorted(languages, key=lambda language: language.name)
        self._by_name: dict[str, Language] = {}
        for language in self._languages:
            for name in (language.name, *language.aliases):
                if name in self._by_name:
                    raise ValueError(
                        f"two languages are called {name!r}: {type(self._by_name[name]).__name__} "
                        f"and {type(language).__name__}"
                    )
                self._by_name[name] = language

    @classmethod
    def installed(cls) -> Languages:
        """Every language of this installation.

        Raises :class:`TypeError` naming the entry point that is not a language.
        """
        found = []
        for point in entry_points(group=GROUP):
            kind = point.load()
            if not (isinstance(kind, type) and issubclass(kind, Language)):
                raise TypeError(f"{point.name} = {point.value} is not a subclass of Language")
            found.append(kind())
        return cls(found)

    def __iter__(self) -> Iterator[Language]:
        return iter(self._languages)

    def by_name(self, name: str) -> Language:
        """The language of this name or alias, whatever its case.

        Raises :class:`UnsupportedLanguage`.
        """
        if found := self._by_name.get(name.lower()):
            return found
        reason = f": {REFUSED[name.lower()]}" if name.lower() in REFUSED else ""
        raise UnsupportedLanguage(
            f"Parameter cells cannot be written in “{printable(name)}”{reason}. This server knows "
            f"{self._titles()}."
        )

    def find(self, kernel: Kernel) -> Language:
        """The language of a notebook: as its kernelspec names it, else its ``language_info``, else
        by the name of the kernel (facts/parameter_cells.md section 4, rule 5).

        Raises :class:`UnsupportedLanguage` when the notebook names none, or names two.
        """
        said = {
            found.name: found
            for name in (kernel.language, kernel.info)
            if (found := self._by_name.get(name))
        }
        if len(said) > 1:
            raise UnsupportedLanguage(
                f"The template says two things about its language: “{printable(kernel.language)}” "
                f"in its kernelspec and “{printable(kernel.info)}” in its language_info. Its "
                "author should open it with the right kernel and save it again."
            )
        if said:
            return next(iter(said.values()))
        if named := kernel.language or kernel.info:
            return self.by_name(named)
        for language in self._languages:
            if any(fnmatchcase(kernel.name.lower(), pattern) for pattern in language.kernels):
                return language
        known = f" (“{printable(kernel.name)}”)" if kernel.name else ""
        raise UnsupportedLanguage(
            f"The template does not say which language its kernel{known} speaks. Its author should "
            f"open it in Jupyter, choose a kernel and save it again. This server knows "
            f"{self._titles()}."
        )

    def caution(self, kernel: Kernel | None) -> str:
        """What people should know about the language of a template; usually nothing."""
        try:
            return self.find(kernel).caution if kernel else ""
        except UnsupportedLanguage:
            return ""

    def _titles(self) -> str:
        return ", ".join(language.title for language in self._languages)
