"""What a template declares about its parameters, in its own cell tagged ``parameters``.

So far that is one thing: which values are to come in a data file beside the notebook instead of in
the parameter cell. The declaration is papermill's ``type:`` comment behind an assignment, in
whatever language the cell is: ``temperature_log = None  # type: data``.
"""

from __future__ import annotations

import re

_ASSIGNMENT = re.compile(r"([^\W\d][\w.]*)[ \t]*(?::[^=\n]*)?(?:<-|=(?!=))")
_COMMENT = re.compile(r"(?:#|//|%|--)[ \t]*type:[ \t]*data\b")


def data_parameters(defaults: str) -> frozenset[str]:
    """The parameters that the source of a cell tagged ``parameters`` declares as ``data``."""
    if "type:" not in defaults:
        return frozenset()
    return frozenset(
        assignment[1]
        for line in defaults.splitlines()
        if (comment := _COMMENT.search(line))
        and (assignment := _ASSIGNMENT.search(line, 0, comment.start()))
    )
