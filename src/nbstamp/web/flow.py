"""The way of one request as DESIGN section 3 draws it: intake, confirmation, creation.

Everything that must survive between two steps is in the form of the page; nothing is kept here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from nbstamp.core.errors import (
    MalformedRequest,
    NotSignedIn,
    StorageBusy,
    StorageFull,
    StorageUnavailable,
    TemplatingError,
    TooLarge,
    UnacceptableFileName,
)
from nbstamp.core.forms import read_form
from nbstamp.core.naming import Target, typed_name
from nbstamp.core.parameters import Limits, Parameters, read_parameters
from nbstamp.core.user import User
from nbstamp.identity.base import Identity, SigningIn
from nbstamp.portals.base import Portals
from nbstamp.service import (
    Changed,
    Confirmation,
    Download,
    Saved,
    Service,
    Waiting,
    Wish,
    refuse_placeholders,
)
from nbstamp.web.pages import Notice, Pages, Retry
from nbstamp.web.requests import Sender, caller, read_form_body, require_own_page, sent_from
from nbstamp.web.responses import attachment
from nbstamp.web.tokens import BadToken, Tokens

ARRIVAL = "arrival"
CONFIRMATION = "confirmation"
FRESH = 12 * 3600.0
"""Seconds for which a confirmation or an arrival is taken as it is (DESIGN section 4)."""


class Flow:
    """The routes between the portal's click and the notebook."""

    def __init__(
        self,
        *,
        service: Service,
        identity: Identity,
        tokens: Tokens,
        portals: Portals,
        pages: Pages,
        public_origin: str,
        sign_in_first: Callable[[Request], Awaitable[Response | None]],
    ) -> None:
        self._service = service
        self._identity = identity
        self._tokens = tokens
        self._portals = portals
        self._pages = pages
        self._public_origin = public_origin
        self._sign_in_first = sign_in_first

    @property
    def _limits(self) -> Limits:
        return self._service.rules.limits

    async def template(self, request: Request) -> Response:
        """``GET|POST /t/<path>``: the portal's click, our re-post of it, or a template's page."""
        path = request.path_params["path"]
        if request.method == "POST":
            form = await read_form_body(request, self._limits)
        else:
            query = request.scope["query_string"]
            form = read_form(query) if query else {}
            if "params" not in form:
                if refused := await self._sign_in_first(request):
                    return refused
                template = await self._service.template(path)
                return self._pages.template(request, path, template)
        return await self._intake(request, path, form)

    async def _intake(self, request: Request, path: str, form: Mapping[str, str]) -> Response:
        parameters = self._parameters(form)
        sent = sent_from(request, self._public_origin)
        wish = self._returned(path, form, parameters)
        if wish is None:
            check_arriving(form["params"], self._limits)
            if sent.sender is not Sender.OWN or request.method == "GET":
                arrival = self._arrival(sent.origin, parameters)
                # a seal that cannot be read is no reason to go round and round
                once_more = "arrival" in form
                return self._pages.interstitial(path, parameters, arrival, by_itself=not once_more)
            wish = Wish(path, parameters, portal=self._own_portal(request))
        elif sent.sender is Sender.FOREIGN:
            # somebody else's page may hold an arrival of ours; it does not speak for the portal
            wish = replace(wish, portal=sent.origin)
        if form.get("switch"):
            return self._sign_in(wish, form, switching=True)
        notice = Notice(_SIGNED_IN_AGAIN) if form.get("ended") else None
        return await self._confirmation(request, wish, form, notice)

    def _parameters(self, form: Mapping[str, str]) -> Parameters:
        if "params" not in form:
            raise MalformedRequest(
                "The form has no field “params”. It should hold the parameters as a JSON object, "
                'for example {"sample_name": "Fe3O4"}, or {} for none.'
            )
        return read_parameters(form["params"], limits=self._limits)

    def _arrival(self, portal: str, parameters: Parameters) -> str:
        return self._tokens.seal(ARRIVAL, {"portal": portal, "hash": parameters.hash})

    def _own_portal(self, request: Request) -> str:
        """The portal of a click within our own origin (one proxy for both)."""
        origin = self._public_origin or str(request.base_url).rstrip("/")
        return origin if origin in self._portals.by_origin else ""

    def _returned(self, path: str, form: Mapping[str, str], parameters: Parameters) -> Wish | None:
        """What a page of ours brought back, or None when this is a new arrival."""
        try:
            if token := form.get("token"):
                before = _confirmation(self._tokens.open(CONFIRMATION, token).data)
                return Wish(
                    path,
                    parameters,
                    portal=before.portal,
                    name=_optional(form, "name"),
                    folder=_optional(form, "folder"),
                    creation_id=before.creation_id,
                )
            if token := form.get("arrival"):
                arrival = self._tokens.read(ARRIVAL, token, FRESH)
                if arrival and arrival.get("hash") == parameters.hash:
                    return Wish(path, parameters, portal=str(arrival.get("portal", "")))
        except BadToken:
            pass
        return None

    def _shown_to(self, form: Mapping[str, str]) -> object:
        """The user to whom the page was shown that sent this form; None when it cannot be read."""
        token = self._tokens.read(CONFIRMATION, form.get("token", ""), FRESH)
        return token["user"] if token else None

    async def _confirmation(
        self,
        request: Request,
        wish: Wish,
        form: Mapping[str, str],
        notice: Notice | None = None,
        status: int = 200,
    ) -> Response:
        """The confirmation page; with the error in words where a typed name is not usable."""
        try:
            user = await self._identity.user(caller(request))
            if user is None:
                return self._sign_in(wish, form)
            if wish.folder is not None and self._shown_to(form) not in (None, user.name):
                wish = replace(wish, folder=None)  # another user's, from before they switched
            preview = await self._service.preview(user, wish)
        except UnacceptableFileName as err:
            if wish.name is None and wish.folder is None:
                return self._pages.error(err, self._retry(wish, form))
            bad = "name" if _is_bad(typed_name, wish.name) or err.parameter else "folder"
            notice = notice or Notice(err.message, bad)
            wish = replace(wish, name=None) if bad == "name" else replace(wish, folder=None)
            status = max(status, 422)
            return await self._confirmation(request, wish, form, notice, status)
        except TemplatingError as err:
            return self._pages.error(err, self._retry(wish, form))
        return self._pages.confirmation(
            preview,
            token=self._tokens.seal(CONFIRMATION, _sealed(preview.confirmation(user))),
            portal=self._portals.at(wish.portal),
            user=user,
            typed={key: form[key] for key in ("name", "folder") if notice and key in form},
            notice=notice,
            status=status,
        )

    def _retry(self, wish: Wish, form: Mapping[str, str]) -> Retry:
        return Retry(
            wish.template,
            wish.parameters,
            self._carried(wish, form),
            self._portals.at(wish.portal),
            self._back(wish),
        )

    def _carried(self, wish: Wish, form: Mapping[str, str]) -> dict[str, str]:
        """What the form of a page carries besides the parameters, so that the confirmation is
        reached again: with the same creation id where there is one."""
        if form.get("token"):
            return {key: form[key] for key in ("token", "name", "folder") if key in form}
        return {"arrival": self._arrival(wish.portal, wish.parameters)}

    def _back(self, wish: Wish) -> str:
        object_id = wish.parameters.get(self._service.rules.object_parameter)
        return self._portals.at(wish.portal).link(object_id)

    def _sign_in(
        self,
        wish: Wish,
        form: Mapping[str, str],
        *,
        switching: bool = False,
        ended: bool = False,
    ) -> Response:
        """The page that keeps the form while its user signs in; ``ended`` when a session did that
        was there before."""
        if not isinstance(self._identity, SigningIn):
            return self._pages.error(NotSignedIn(), self._retry(wish, form))
        kept = {"params": wish.parameters.text, **self._carried(wish, form)}
        if ended:
            kept["ended"] = "1"
        count = len(wish.parameters)
        return self._pages.sign_in(wish.template, kept, count, switching=switching)

    async def create(self, request: Request) -> Response:
        """``POST /create``: the confirmed act. Everything that stands against it leads back to
        the confirmation page, with the same parameters."""
        require_own_page(request, self._public_origin)
        form = await read_form_body(request, self._limits)
        parameters = self._parameters(form)
        path = form.get("template", "")
        again = Wish(
            path, parameters, name=_optional(form, "name"), folder=_optional(form, "folder")
        )
        try:
            opened = self._tokens.open(CONFIRMATION, form.get("token", ""))
        except BadToken:
            notice = Notice(
                "This page can no longer be used as it was, perhaps because the server was set up "
                "anew. Nothing is lost: please look at it and confirm once more."
            )
            return await self._confirmation(request, again, form, notice, 409)
        confirmation = _confirmation(opened.data)
        again = replace(
            again,
            template=confirmation.template,
            portal=confirmation.portal,
            creation_id=confirmation.creation_id,
        )
        if opened.age > FRESH:
            notice = Notice(
                "This page is more than twelve hours old. Please look at it and confirm once more."
            )
            return await self._confirmation(request, again, form, notice, 409)
        try:
            user = await self._identity.user(caller(request))
            if user is None:
                return self._sign_in(again, form, ended=True)
            target = await self._confirmed_target(user, confirmation, again)
            confirmation = replace(confirmation, target=target)
            act = self._service.download if form.get("download") else self._service.create
            outcome = await act(user, confirmation, parameters)
        except Changed as err:
            return await self._confirmation(request, again, form, Notice(err.message), 409)
        except UnacceptableFileName:
            return await self._confirmation(request, again, form)
        except StorageBusy as err:
            return self._pages.busy(err, _kept(form, parameters), len(parameters))
        except (StorageFull, StorageUnavailable, TooLarge) as err:
            download = _kept(form, parameters) | {"download": "1"}
            retry = replace(self._retry(again, form), form=download)
            return self._pages.error(err, retry)
        except TemplatingError as err:
            return self._pages.error(err, self._retry(again, form))
        match outcome:
            case Download():
                return attachment(outcome)
            case Waiting():
                kept, started = _kept(form, parameters), "started" in form
                return self._pages.waiting(outcome, kept, len(parameters), started=started)
            case Saved():
                return self._pages.saved(outcome, self._portals.at(again.portal), self._back(again))

    async def _confirmed_target(
        self, user: User, confirmation: Confirmation, again: Wish
    ) -> Target:
        """The target that was shown, with the name and folder as the user typed them over it.

        A typed name is taken when it is safe as it stands; it was the user's own hand, so it need
        not be shown to them again. Raises :class:`UnacceptableFileName`, and
        :class:`~nbstamp.core.errors.Forbidden` for another user's confirmation.
        """
        self._service.require_owner(user, confirmation)
        shown = confirmation.target
        name = shown.name if again.name is None else typed_name(again.name)
        folder = shown.folder if again.folder is None else self._service.folder(user, again)
        if "{" in name:
            preview = await self._service.preview(user, replace(again, name=None, folder=None))
            refuse_placeholders(name, preview.missing)
        return Target(folder, name)


_SIGNED_IN_AGAIN = (
    "You had to sign in again, so nothing was created yet. Everything is as you left it: please "
    "confirm once more."
)


def check_arriving(params: str, limits: Limits) -> None:
    """Hold what a portal sent to the limit on bodies; see :func:`read_form_body`."""
    if len(params) > limits.body:
        raise TooLarge(
            f"The parameters have {len(params):,} characters; this server accepts "
            f"{limits.body:,} bytes."
        )


def _kept(form: Mapping[str, str], parameters: Parameters) -> dict[str, str]:
    """The form of a confirmed act, to be sent again."""
    kept = {key: form[key] for key in ("template", "token", "name", "folder") if key in form}
    return kept | {"params": parameters.text}


def _optional(form: Mapping[str, str], key: str) -> str | None:
    return form[key] if form.get(key, "").strip() else None


def _is_bad(check: Any, text: str | None) -> bool:
    if text is None:
        return False
    try:
        check(text)
    except UnacceptableFileName:
        return True
    return False


def _sealed(confirmation: Confirmation) -> dict[str, Any]:
    return asdict(confirmation) | {"target": confirmation.target._asdict()}


def _confirmation(data: Mapping[str, Any]) -> Confirmation:
    target = data["target"]
    return Confirmation(**{**data, "target": Target(tuple(target["folder"]), target["name"])})
