"""The use cases, without HTTP: what templates there are, what would happen, make it happen.

Knows templates, languages, names and one storage; nothing of requests, pages, tokens or portals.
Stateless: everything that ``create`` must know comes back to it in a :class:`Confirmation`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from nbstamp.catalogue.base import Catalogue, Entry, Listing
from nbstamp.core.errors import Forbidden, TemplatingError, UnacceptableFileName
from nbstamp.core.instance import Instance, Origin, stamp
from nbstamp.core.languages import Languages
from nbstamp.core.languages.base import Language
from nbstamp.core.naming import (
    Target,
    below,
    fill,
    own_place,
    placeholders,
    target_folder,
    typed_folder,
    typed_name,
)
from nbstamp.core.parameters import Json, Limits, Parameters
from nbstamp.core.template import Template
from nbstamp.core.user import User
from nbstamp.storage.base import (
    Describing,
    Description,
    Download,
    Found,
    Outcome,
    Saved,
    Storage,
    Waiting,
)
from nbstamp.storage.download import DownloadStorage

__all__ = [
    "Changed",
    "Confirmation",
    "Download",
    "Entry",
    "Listing",
    "Preview",
    "Rules",
    "Saved",
    "Service",
    "Waiting",
    "Wish",
    "refuse_placeholders",
    "template_placeholders",
]
# Download, Entry, Listing, Saved and Waiting are here for those who show what a service answers.

audit = logging.getLogger("nbstamp.audit")

SMALL = 4096
"""Bytes of parameters from which on stamping would keep other requests waiting; for fewer, another
thread would cost more than stamping does. The slowest language takes 30 ms for so many."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the site decides about new notebooks."""

    limits: Limits = field(default_factory=Limits)
    target_folder: str = "notebooks/{folder}"
    """Folder for new notebooks; ``{folder}`` is the template's own, also ``{username}`` and
    ``{date}``."""
    text_languages: tuple[str, ...] = ("en",)
    """Order in which texts in several languages are resolved for file names."""
    object_parameter: str = "object_id"
    """Name of the parameter that holds the portal's id of the object."""
    user_in_notebook: bool = False
    """Write the user's name into the notebook's provenance."""
    kernel_names: Mapping[str, str] = field(default_factory=dict)
    """Kernels of templates to those that notebooks get instead."""
    file_name_in_log: bool = False
    """Write file names into the audit log; they may hold a parameter's value."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user asked for, checked but not yet looked at."""

    template: str
    """Path of the template."""
    parameters: Parameters
    portal: str = ""
    """Origin of the portal, if known."""
    name: str | None = None
    """File name as typed; None for the one the template gives."""
    folder: str | None = None
    """Folder as typed; None for the site's."""
    creation_id: str = field(default_factory=partial(secrets.token_hex, 16))
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    """When this was first shown to the user; ISO 8601 in UTC."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What was shown to the user, and nothing else, as they confirmed it."""

    user: str
    template: str
    content_hash: str
    parameters_hash: str
    target: Target
    portal: str
    creation_id: str
    time: str
    looked: bool = True
    """False when it could not be seen what is there already."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What would happen."""

    wish: Wish
    template: Template
    title: str
    """The template's title, or its file name."""
    language: Language | None
    """None when nothing is to be stamped."""
    target: Target
    description: Description
    """What the storage knows about the target."""
    saves: bool
    """False when the notebook is a download."""
    missing: Mapping[str, str]
    """Pieces of the file name that the parameters did not give, each with the reason."""
    warnings: Sequence[str]
    files: Sequence[str]
    """Names of the data files that will stand beside the notebook."""
    object_id: Json
    """The portal's id of the object, if it was sent."""
    template_changed: bool = False
    """The notebook that is there already was made from another version of the template."""
    values_changed: bool = False
    """The notebook that is there already was made with other parameters."""

    def confirmation(self, user: User) -> Confirmation:
        """What ``create`` needs when the user says yes to this."""
        return Confirmation(
            user=user.name,
            template=self.wish.template,
            content_hash=self.template.content_hash,
            parameters_hash=self.wish.parameters.hash,
            target=self.target,
            portal=self.wish.portal,
            creation_id=self.wish.creation_id,
            time=self.wish.time,
            looked=self.description.looked,
        )


@dataclass(frozen=True, slots=True)
class _Draft:
    """What a wish comes to, before anything is written."""

    template: Template
    language: Language | None
    target: Target
    missing: Mapping[str, str]
    instance: Instance


class Changed(TemplatingError):
    """What the user confirmed is not what would be made now; show it to them again."""

    code = "changed"
    status = 409
    title = "Something has changed"


class Service:
    """The use cases. One object for the whole process; safe for concurrent requests."""

    def __init__(
        self, *, catalogue: Catalogue, storage: Storage, languages: Languages, rules: Rules
    ) -> None:
        self._catalogue = catalogue
        self._storage = storage
        self._describing = storage if isinstance(storage, Describing) else None
        self.languages = languages
        self.rules = rules

    @property
    def saves(self) -> bool:
        """False when notebooks are downloads."""
        return self._storage.saves

    def listing(self) -> Listing:
        """All templates known at this moment."""
        return self._catalogue.listing()

    async def template(self, path: str) -> Template:
        """Raises :class:`~nbstamp.core.errors.UnknownTemplate`."""
        if recent := self._catalogue.recent(path):
            return recent
        return await asyncio.to_thread(self._catalogue.get, path)

    async def preview(self, user: User, wish: Wish) -> Preview:
        """Say what would happen; writes nothing.

        Raises the errors of the catalogue, the language (for any parameter that cannot be stamped)
        and of :mod:`nbstamp.core.naming` for a typed name.
        """
        draft = await self._draft(user, wish)
        description = await self._describe(user, draft.target, wish, wish.parameters)
        found = description.found
        return Preview(
            wish=wish,
            template=draft.template,
            title=draft.template.title or wish.template.rpartition("/")[2],
            language=draft.language,
            target=draft.target,
            description=description,
            saves=self.saves,
            missing=draft.missing,
            warnings=[
                *_warnings(draft.language, wish.parameters),
                *description.warnings,
                *self._kernel_warnings(draft.template, description),
            ],
            files=[file.name for file in draft.instance.files],
            object_id=wish.parameters.get(self.rules.object_parameter),
            template_changed=_differs(found, "content_hash", draft.template.content_hash),
            values_changed=_differs(found, "parameters_hash", wish.parameters.hash),
        )

    async def create(
        self, user: User, confirmation: Confirmation, parameters: Parameters
    ) -> Outcome:
        """Make the notebook that was confirmed; the same confirmation again gives the same one.

        Raises :class:`Forbidden` for another user's confirmation, :class:`Changed` when the
        template or the parameters are not those that were confirmed or something can be seen now
        that the confirmation could not show, and the storage's errors.
        """
        instance = await self._confirmed(user, confirmation, parameters)
        if not confirmation.looked:
            await self._look_now(user, confirmation, parameters)
        return await self._save(self._storage, user, confirmation.target, instance)

    async def download(
        self, user: User, confirmation: Confirmation, parameters: Parameters
    ) -> Outcome:
        """The same notebook as a download, for when the storage cannot keep it.

        Raises as :meth:`create`.
        """
        instance = await self._confirmed(user, confirmation, parameters)
        return await self._save(DownloadStorage(), user, confirmation.target, instance)

    async def create_unseen(self, user: User, wish: Wish) -> tuple[Outcome, Sequence[str]]:
        """Make the notebook that a program wishes for, with the warnings that a person would see.

        Raises as :meth:`preview` and :meth:`create`, and :class:`UnacceptableFileName` when a
        piece of the name is missing.
        """
        draft = await self._draft(user, wish)
        for key, reason in draft.missing.items():
            raise UnacceptableFileName(f"{reason} Give a “name”.", parameter=key)
        outcome = await self._save(self._storage, user, draft.target, draft.instance)
        return outcome, _warnings(draft.language, wish.parameters)

    def require_owner(self, user: User, confirmation: Confirmation) -> None:
        """Raise :class:`Forbidden` when ``confirmation`` was shown to somebody else."""
        if confirmation.user != user.name:
            raise Forbidden("This confirmation belongs to another user. Nothing was created.")

    def folder(self, user: User, wish: Wish) -> tuple[str, ...]:
        """The folder for a new notebook: the site's, or the one that was typed.

        Raises :class:`UnacceptableFileName` for one that cannot be used, or is not below the
        user's own where users have folders of their own.
        """

        def filled(setting: str) -> tuple[str, ...]:
            return target_folder(
                setting,
                folder=wish.template.rpartition("/")[0],
                username=user.name,
                date=wish.time[:10],
            )

        if wish.folder is None:
            return filled(self.rules.target_folder)
        return below(typed_folder(wish.folder), filled(own_place(self.rules.target_folder)))

    async def _draft(self, user: User, wish: Wish) -> _Draft:
        """What ``wish`` comes to. It is stamped even to be looked at only: every refusal of a name
        or a value is to come before the user confirms."""
        template = await self.template(wish.template)
        pattern = wish.template.rpartition("/")[2]
        filled = fill(pattern, wish.parameters, languages=self.rules.text_languages)
        name, missing = filled.name, filled.missing
        if wish.name is not None:
            name, missing = typed_name(wish.name), {}
            refuse_placeholders(name, filled.missing)
        parts = self.folder(user, wish)
        language = self._language(template, wish.parameters)
        instance = await self._stamp(user, wish, template, wish.parameters, language)
        return _Draft(template, language, Target(parts, name), missing, instance)

    async def _confirmed(
        self, user: User, confirmation: Confirmation, parameters: Parameters
    ) -> Instance:
        self.require_owner(user, confirmation)
        if confirmation.parameters_hash != parameters.hash:
            raise Changed("The values are not the ones that were shown before.")
        template = await self.template(confirmation.template)
        if template.content_hash != confirmation.content_hash:
            raise Changed(
                "The template has changed since this page was made. Please look at it once more."
            )
        language = self._language(template, parameters)
        return await self._stamp(user, confirmation, template, parameters, language)

    async def _look_now(
        self, user: User, confirmation: Confirmation, parameters: Parameters
    ) -> None:
        description = await self._describe(user, confirmation.target, confirmation, parameters)
        found = description.found
        template = await self.template(confirmation.template)
        again = found and found.provenance.get("creation_id") == confirmation.creation_id
        if (found and not again) or (
            description.looked and self._kernel_warnings(template, description)
        ):
            raise Changed(
                "Your Jupyter server is running now, and there is something to see before the "
                "notebook is made. Nothing was created yet."
            )

    async def _stamp(
        self,
        user: User,
        act: Wish | Confirmation,
        template: Template,
        parameters: Parameters,
        language: Language | None,
    ) -> Instance:
        origin = Origin(
            template=act.template,
            creation_id=act.creation_id,
            time=act.time,
            portal=act.portal,
            object_id=parameters.get(self.rules.object_parameter),
            user=user.name if self.rules.user_in_notebook else "",
        )
        made = partial(
            stamp,
            template,
            parameters,
            origin,
            language,
            files=self._storage.keeps_files,
            kernel_names=self.rules.kernel_names,
        )
        return made() if parameters.size < SMALL else await asyncio.to_thread(made)

    async def _save(
        self, storage: Storage, user: User, target: Target, instance: Instance
    ) -> Outcome:
        about = instance.provenance
        facts = (
            f"user={user.name!r} template={about['template']!r} "
            f"content_hash={about['content_hash']} creation_id={instance.creation_id} "
            f"storage={type(storage).__name__}"
        )
        try:
            outcome = await storage.save(user, target, instance)
        except TemplatingError as err:
            audit.warning("%s outcome=%s reason=%r", facts, err.code, err.log)
            raise
        match outcome:
            case Download():
                done = "download"
            case Waiting():
                done = "waiting"
            case Saved():
                done = "existed" if outcome.existed else "saved"
                if self.rules.file_name_in_log:
                    done += f" path={outcome.target.path!r}"
        audit.info("%s outcome=%s", facts, done)
        return outcome

    def _language(self, template: Template, parameters: Parameters) -> Language | None:
        return self.languages.find(template.kernel) if parameters else None

    async def _describe(
        self, user: User, target: Target, act: Wish | Confirmation, parameters: Parameters
    ) -> Description:
        if not self._describing:
            return Description(place=" / ".join(target.folder), taken=False)
        object_id = parameters.get(self.rules.object_parameter)

        def same(provenance: Mapping[str, Json]) -> bool:
            if provenance.get("template") != act.template:
                return False
            if object_id is None:
                return provenance.get("parameters_hash") == parameters.hash
            return (provenance.get("portal") or "", provenance.get("object_id")) == (
                act.portal,
                object_id,
            )

        return await self._describing.describe(user, target, same)

    def _kernel_warnings(self, template: Template, description: Description) -> list[str]:
        """What becomes of the template's kernel where the notebook will be opened."""
        named = template.kernel.name
        name = self.rules.kernel_names.get(named, named)
        warnings = []
        if name != named:
            warnings.append(f"The template asks for the kernel “{named}”; here it gets “{name}”.")
        if name and description.kernels and name not in description.kernels:
            there = ", ".join(
                f"{known} ({title})" if title else known
                for known, title in sorted(description.kernels.items())
            )
            warnings.append(
                f"Your Jupyter server has no kernel “{name}”. It has {there}. Jupyter will ask "
                "which one to use."
            )
        return warnings


def refuse_placeholders(name: str, missing: Mapping[str, str]) -> None:
    """Raise :class:`UnacceptableFileName` when ``name`` still has a placeholder of ``missing``."""
    for key, reason in missing.items():
        if f"{{{key}}}" in name:
            raise UnacceptableFileName(
                f"{reason} Please write something in place of {{{key}}}.", parameter=key
            )


def _differs(found: Found | None, key: str, value: str) -> bool:
    return found is not None and found.provenance.get(key) not in (None, value)


def _warnings(language: Language | None, parameters: Parameters) -> list[str]:
    if language is None:
        return []
    return [warning for name in parameters if (warning := language.name_warning(name))]


def template_placeholders(path: str) -> tuple[str, ...]:
    """The parameters that the file name of the template at ``path`` asks for."""
    return placeholders(path.rpartition("/")[2])
