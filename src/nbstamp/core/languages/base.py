"""What a kernel language must be able to say: one assignment per parameter, never code."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from nbstamp.core.errors import UnacceptableParameter
from nbstamp.core.parameters import Json


@dataclass(frozen=True, slots=True)
class NameProblem:
    """Why a name cannot be a variable, as the end of a sentence, and a name that could."""

    reason: str
    suggestion: str | None = None


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
    comment: ClassVar[str] = "#"
    """What starts a comment line. A parameter cell always starts with a comment, so that no
    parameter can be the first thing a kernel reads (magics, shebangs)."""

    @abstractmethod
    def assignment(self, name: str, value: Json) -> str:
        """Return the source that gives ``value`` to the variable ``name``, without a final newline.

        ``name`` has passed :meth:`name_problem`. Raises :class:`UnacceptableParameter` when the
        language cannot hold the value.
        """

    def name_problem(self, name: str) -> NameProblem | None:
        """Say why ``name`` cannot be used as a variable, or None when it can."""
        return None

    def name_warning(self, name: str) -> str | None:
        """A sentence for the template's author when a usable name is a bad idea, else None."""
        return None

    def cell(self, parameters: Mapping[str, Json]) -> str:
        """Return the source of the whole parameter cell, in the order of ``parameters``.

        Raises :class:`UnacceptableParameter` for the first name or value that cannot be used.
        """
        lines = [f"{self.comment} Parameters"]
        for name, value in parameters.items():
            if problem := self.name_problem(name):
                raise UnacceptableParameter(
                    name,
                    f"“{name}” cannot be a variable in {self.title}: {problem.reason}"
                    + (f" “{problem.suggestion}” would do." if problem.suggestion else ""),
                    suggestion=problem.suggestion,
                )
            lines.append(self.assignment(name, value))
        return "\n".join(lines)
