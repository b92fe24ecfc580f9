"""``Data_Analysis_{measurement_name}.ipynb`` and parameters to one safe relative path.

The rules are those of facts/security.md section 3: placeholders are filled once by a pattern of
our own, never by ``str.format``; values become part of one path component and nothing else.
Knows nothing of any file system.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from nbstamp.core.errors import UnacceptableFileName
from nbstamp.core.parameters import Json, json_type, language_text, printable

SUFFIX = ".ipynb"
LONGEST = 240
"""Bytes of one path component: ``-999`` and a sync tool's marks still fit into 255."""
DEEPEST = 20
"""Levels of a typed folder: each one may have to be made."""


class Target(NamedTuple):
    """Where a notebook is to go, relative to the storage's own root."""

    folder: tuple[str, ...]
    """Parts of the folder, each one safe path component."""
    name: str
    """File name with its ``.ipynb``, one safe path component."""

    @property
    def path(self) -> str:
        """``folder/sub/name.ipynb``."""
        return "/".join((*self.folder, self.name))

    def numbered(self, number: int) -> Target:
        """The same with ``-number`` before the suffix; 0 is the target itself."""
        return Target(self.folder, numbered(self.name, number))

    def in_series(self, name: str) -> bool:
        """True for ``name.ipynb`` and ``name-1.ipynb``, ``name-2.ipynb``, … of this target."""
        stem = re.escape(self.name.removesuffix(SUFFIX))
        return re.fullmatch(rf"{stem}(?:-[1-9][0-9]{{0,3}})?{re.escape(SUFFIX)}", name) is not None


def numbered(name: str, number: int) -> str:
    """``name-1.ipynb`` for ``name.ipynb`` and 1."""
    return f"{name.removesuffix(SUFFIX)}-{number}{SUFFIX}" if number else name


_PLACEHOLDER = re.compile(r"\{([^\W\d]\w*)\}")


def placeholders(name: str) -> tuple[str, ...]:
    """The parameters that a template's file name asks for, in order, each once.

    Raises :class:`UnacceptableFileName` when the name is not one that this server can fill: a
    brace that is not part of ``{name}``, or a hidden file.
    """
    rest = _PLACEHOLDER.sub("", name)
    if "{" in rest or "}" in rest:
        raise UnacceptableFileName(
            f"The file name “{printable(name)}” has a brace that is not part of a placeholder such "
            "as {sample_name}."
        )
    if name.startswith("."):
        raise UnacceptableFileName(
            f"The file name “{printable(name)}” starts with a dot: Jupyter hides such files."
        )
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(name)))


class FilledName(NamedTuple):
    """A file name made from a pattern."""

    name: str
    """Safe; placeholders in ``missing`` are still in it."""
    missing: Mapping[str, str]
    """Placeholders that could not be filled, with the reason as a sentence."""


def fill(
    pattern: str, parameters: Mapping[str, Json], *, languages: tuple[str, ...] = ("en",)
) -> FilledName:
    """Fill the placeholders of a template's file name.

    A text, a number or a text in several languages can be part of a name; for everything else
    (null, true, a list, a missing parameter) the placeholder stays in the name and is listed in
    ``missing``, so that a page can ask for the piece.
    """
    missing: dict[str, str] = {}

    def piece(match: re.Match[str]) -> str:
        key = match[1]
        try:
            return _piece(key, parameters, languages)
        except UnacceptableFileName as err:
            missing[key] = err.message
            return match[0]

    filled = _PLACEHOLDER.sub(piece, pattern.removesuffix(SUFFIX))
    return FilledName(safe_component(filled + SUFFIX) or f"notebook{SUFFIX}", missing)


def _piece(key: str, parameters: Mapping[str, Json], languages: tuple[str, ...]) -> str:
    if key not in parameters:
        raise UnacceptableFileName(
            f"The file name needs the parameter “{key}”, and it was not sent.", parameter=key
        )
    value = parameters[key]
    if (text := language_text(value, languages)) is None:
        if isinstance(value, str):
            text = value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            text = repr(value)
        else:
            raise UnacceptableFileName(
                f"The file name needs “{key}”, and its value is {json_type(value)}: only a text "
                "or a number can be part of a name.",
                parameter=key,
            )
    cleaned = safe_text(text)
    if not cleaned:
        raise UnacceptableFileName(
            f"The file name needs “{key}”, and its value has no character that can be part of a "
            "name.",
            parameter=key,
        )
    return cleaned


_SEPARATING = re.compile(r"[\s\u0085\u2028\u2029]+")
_FORBIDDEN = str.maketrans(dict.fromkeys('/\\:*?"<>|', "_"))
_DROPPED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_DEVICES = re.compile(r"(?:CON|PRN|AUX|NUL|COM[0-9¹²³]|LPT[0-9¹²³]) *(?:$|\.)", re.IGNORECASE)


_SAFE = re.compile(r"[A-Za-z0-9_()+,=~-]+(?:[ .]+[A-Za-z0-9_()+,=~-]+)*")
_SPACES = re.compile(" +")


def safe_text(text: str) -> str:
    """``text`` without anything that cannot be in a file name on any platform; may be empty."""
    if "  " not in text and _SAFE.fullmatch(text):  # as nearly every one is
        return text
    text = _SEPARATING.sub(" ", unicodedata.normalize("NFC", text))
    text = "".join(c for c in text if unicodedata.category(c) not in _DROPPED)
    text = _SPACES.sub(" ", unicodedata.normalize("NFC", text).translate(_FORBIDDEN))
    return text.strip(" .")


def safe_component(name: str) -> str:
    """``name`` as one safe path component: neither hidden, nor a device name of Windows, nor
    longer than :data:`LONGEST` bytes; empty when nothing is left. Applying it twice changes
    nothing more.

    A name that had to be cut ends in ``~`` and eight digits of its own hash, so that two long
    names stay different.
    """
    stem, suffix = (name[: -len(SUFFIX)], SUFFIX) if name.endswith(SUFFIX) else (name, "")
    stem = safe_text(stem)
    if not suffix and stem.endswith(SUFFIX):  # what hid the suffix is gone
        return safe_component(stem)
    if not stem:
        return ""
    if _DEVICES.match(stem + suffix):
        stem = f"_{stem}"
    room = LONGEST - len(suffix)
    if len(stem.encode("utf-8")) > room:
        mark = "~" + hashlib.sha256(stem.encode("utf-8")).hexdigest()[:8]
        kept = stem.encode("utf-8")[: room - len(mark)].decode("utf-8", "ignore")
        stem = kept.rstrip(" .") + mark
    return stem + suffix


def typed_name(text: str) -> str:
    """A file name as a person typed it, ``.ipynb`` added when it is not there.

    Raises :class:`UnacceptableFileName` when it is not usable as it stands; the message says
    what would be.
    """
    wanted = text.strip()
    if not wanted.endswith(SUFFIX):
        wanted += SUFFIX
    safe = safe_component(wanted)
    if not safe:
        raise UnacceptableFileName("Please give the notebook a name.")
    if unicodedata.normalize("NFC", wanted) != safe:
        raise UnacceptableFileName(
            f"“{printable(wanted, 120)}” cannot be used as a file name. “{printable(safe, 120)}” "
            "would do."
        )
    return safe


def typed_folder(text: str) -> tuple[str, ...]:
    """The parts of a folder as a person typed it (``notebooks/sem``); empty for the top.

    Raises :class:`UnacceptableFileName` as :func:`typed_name`.
    """
    parts = [part.strip() for part in text.strip().strip("/").split("/") if part.strip()]
    safe = [safe_component(part) for part in parts]
    if [unicodedata.normalize("NFC", part) for part in parts] != safe:
        would = "/".join(part for part in safe if part)
        raise UnacceptableFileName(
            f"“{printable(text, 120)}” cannot be used as a folder."
            + (f" “{printable(would, 120)}” would do." if would else "")
        )
    if len(safe) > DEEPEST:
        raise UnacceptableFileName(
            f"The folder is {len(safe)} levels deep; at most {DEEPEST} are accepted."
        )
    return tuple(safe)


def below(parts: tuple[str, ...], place: tuple[str, ...]) -> tuple[str, ...]:
    """``parts``, which must be in ``place`` or below it; raises :class:`UnacceptableFileName`."""
    if parts[: len(place)] != place:
        raise UnacceptableFileName(
            f"The folder must be “{'/'.join(place)}” or one below it, which is your own place."
        )
    return parts


def own_place(setting: str) -> str:
    """The part of the site's setting that leads to what is a user's own: all up to ``{username}``,
    or nothing where that does not occur."""
    before, username, after = setting.partition("{username}")
    return f"{before}{username}{after.partition('/')[0]}" if username else ""


_SETTING = re.compile(r"\{(folder|username|date)\}")


@lru_cache(256)
def target_folder(setting: str, *, folder: str, username: str, date: str) -> tuple[str, ...]:
    """The folder for new notebooks: the site's ``setting`` (``notebooks/{folder}``) with the
    template's own folder, the user's name and the date put in, each part made safe.

    Raises :class:`UnacceptableFileName` when the setting has ``{username}`` and the name is not a
    safe path component as it is: made safe, it could be another user's folder, or none.
    """
    if "{username}" in setting and not (username and safe_component(username) == username):
        raise UnacceptableFileName(
            f"The account name “{printable(username)}” cannot be the name of a folder. Please ask "
            "the administrator of this server."
        )
    given = {"folder": folder.replace("/", "_"), "username": username, "date": date}
    parts: list[str] = []
    for part in setting.split("/"):
        if part == "{folder}":
            parts += folder.split("/")
        else:
            parts.append(_SETTING.sub(lambda match: given[match[1]], part))
    return tuple(safe for part in parts if (safe := safe_component(part)))
