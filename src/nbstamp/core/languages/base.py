"""What a kernel language must be able to say: one assignment per parameter, never code."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from nbstamp.core.errors import UnacceptableParameter
from nbstamp.core.languages.names import NameProblem, Names
from nbstamp.core.parameters import Json, printable


class CannotHold(Exception):
    """A value that the language cannot hold; the text says why, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What each type of JSON value becomes in a language, and what the language cannot tell apart
    or refuses: one sentence each. The documentation shows it, and the tests hold the language to
    :meth:`Language.equivalent`, which says the same in code.
    """

    null: str
    boolean: str
    integer: str
    number: str
    text: str
    list: str
    object: str


class Language(ABC):
    """A kernel language. A third party subclasses it and names it in the entry point group
    ``nbstamp.languages``; instances hold no state.
    """

    name: ClassVar[str]
    """Canonical lower-case name, e.g. ``python``."""
    title: ClassVar[str]
    """The name as people write it, e.g. ``Python``."""
    aliases: ClassVar[tuple[str, ...]] = ()
    """Other lower-case values of ``kernelspec.language`` and ``language_info.name``."""
    kernels: ClassVar[tuple[str, ...]] = ()
    """Kernel names (``fnmatch`` patterns) that speak it when the notebook says nothing else."""
    meaning: ClassVar[Meaning]
    """For people; see :class:`Meaning`."""
    checked: ClassVar[str] = "run"
    """How its cells are tested: ``run`` in a real interpreter, or ``rule`` by a strict reader of
    the language's lexical rules where no interpreter can be had."""
    names: ClassVar[Names] = Names()
    """Which names can be variables."""
    imports: ClassVar[tuple[tuple[str, str], ...]] = ()
    """What the source may mention, and the line that makes it known to the kernel; a cell holds
    the lines that it needs, before its assignments."""
    comment: ClassVar[str] = "#"
    """What starts a comment line. A parameter cell always starts with a comment, so that no
    parameter can be the first thing a kernel reads (magics, shebangs)."""

    @property
    def caution(self) -> str:
        """What people should know before they rely on a cell, as a sentence; usually nothing."""
        if self.checked == "run":
            return ""
        return (
            f"Cells in {self.title} are tested by its rules and not in {self.title} itself, which "
            "cannot be had for the tests."
        )

    @abstractmethod
    def assignment(self, name: str, value: Json) -> str:
        """Return the source that gives ``value`` to the variable ``name``, without a final newline.

        ``name`` has passed :meth:`name_problem`. Raises :class:`CannotHold` for a value that the
        language cannot hold.
        """

    def equivalent(self, value: Json) -> Json:
        """``value`` as far as this language can tell values apart.

        Two values with the same result are the same to the language: where a list of one number is
        that number, ``[1]`` gives 1. The variable that :meth:`assignment` makes, written back as
        JSON, is equivalent to what was sent.
        """
        return value

    def name_problem(self, name: str) -> NameProblem | None:
        """Say why ``name`` cannot be used as a variable, or None when it can."""
        return self.names.problem(name)

    def name_warning(self, name: str) -> str | None:
        """A sentence for the template's author when a usable name is a bad idea, else None."""
        if name not in self.names.shadowed:
            return None
        return (
            f"“{name}” hides what {self.title} itself calls {name} in this notebook. The author of "
            f"the template or of the action may want to call it {name}_ instead."
        )

    def reading(self, name: str, value: Json, file: str) -> str:
        """Return the source that reads ``value`` from the JSON file ``file`` of the notebook's own
        folder into the variable ``name``; it may use no other name.

        Raises :class:`CannotHold` when the language has no JSON reader of its own, or one that
        would change ``value``.
        """
        raise CannotHold(
            "the template asks for it in a data file, and JSON files can only be read with a "
            "package. Its author can take the comment “type: data” away."
        )

    def cell(self, parameters: Mapping[str, Json], files: Mapping[str, str] | None = None) -> str:
        """Return the source of the whole parameter cell, in the order of ``parameters``; those in
        ``files`` are read from the file of that name.

        Raises :class:`UnacceptableParameter` for the first name that cannot be used, or else for
        the first value.
        """
        self._require_names(tuple(parameters))
        lines: list[str] = []
        for name, value in parameters.items():
            try:
                if files and name in files:
                    lines.append(self.reading(name, value, files[name]))
                else:
                    lines.append(self.assignment(name, value))
            except CannotHold as err:
                raise UnacceptableParameter(
                    name, f"The value of “{name}” cannot be a value in {self.title}: {err}"
                ) from None
        if self.imports:
            source = "\n".join(lines)
            needed = [line for mentioned, line in self.imports if mentioned in source]
            lines = [*dict.fromkeys(needed), *lines]
        return "\n".join([f"{self.comment} Parameters", *lines])

    @lru_cache  # noqa: B019 - a language lives as long as the process
    def _require_names(self, names: tuple[str, ...]) -> None:
        # kept, because portals send the same names again and again
        for name in names:
            if problem := self.name_problem(name):
                raise UnacceptableParameter(
                    name,
                    f"“{printable(name)}” cannot be a variable in {self.title}: {problem.reason}"
                    + (f" “{problem.suggestion}” would do." if problem.suggestion else ""),
                    suggestion=problem.suggestion,
                )
