"""Several replicas behind one address: any of them answers any step, and none is missed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from urllib.parse import urljoin

import pytest

from hubs import Facility, HubService, external_service, running_hub, start_service
from relays import Relay, relay
from support import Site, create_form, forms, stamped

PLAIN = "sem/plain.ipynb"
OLD, NEW = "0123456789abcdef-old-secret-0123456789", "0123456789abcdef-new-secret-0123456789"
AHEAD = """
import time

_right = time.time
time.time = lambda: _right() + 3600
"""

Replica = Callable[..., Site]


class Replicated(Facility):
    """nbstamp as several replicas behind a round-robin proxy, which is behind the hub's."""

    relay: Relay
    replica: Replica
    """Starts one more, which gets no requests before it is among ``relay.upstreams``."""


@pytest.fixture(scope="module")
def replicated(
    logs: Path, templates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replicated]:
    folder = tmp_path_factory.mktemp("replicas")
    with ExitStack() as stack:
        balancer = stack.enter_context(relay())
        service: HubService = external_service(port=balancer.server_port)
        hub = stack.enter_context(
            running_hub("replicas", folder=folder, logs=logs, services=[service])
        )
        running: list[Site] = []

        def replica(secrets: str = OLD, clock: str = "") -> Site:
            environment = {"NBSTAMP__SERVER__SECRETS": secrets}
            if clock:
                place = folder / "clock"
                place.mkdir(exist_ok=True)
                (place / "sitecustomize.py").write_text(clock)
                environment["PYTHONPATH"] = str(place)
            running.append(
                start_service(
                    hub,
                    service,
                    f"--templates={templates}",
                    folder=folder,
                    logs=logs,
                    name=f"replica{len(running)}",
                    port=0,
                    environment=environment,
                )
            )
            return running[-1]

        balancer.upstreams.append(replica().origin)
        site = running[0]
        site.url = hub.wait_for_service(service)
        found = Replicated(hub, service, site, stack)
        found.relay, found.replica = balancer, replica
        yield found
        for each in running:
            each.stop()


def test_each_step_on_another_replica_and_one_replaced_in_the_middle(
    replicated: Replicated,
) -> None:
    first, second = replicated.replica(), replicated.replica()
    replicated.relay.upstreams[:] = [first.origin, second.origin]
    replicated.relay.steps.clear()
    person = replicated.person()
    form = person.kept(PLAIN, {"a": "on many replicas"})
    begun = person.get("login", follow_redirects=False)
    second.stop()
    third = replicated.replica()
    replicated.relay.upstreams[1] = third.origin
    replicated.hub.sign_in(
        person.site.client, "anna", urljoin(person.site.url, begun.headers["location"])
    )
    first.stop()
    fourth = replicated.replica()
    replicated.relay.upstreams[0] = fourth.origin
    page = person.site.send(form)
    assert "Jupyter account: <strong>anna</strong>" in page.text
    assert "Your notebook is saved" in person.site.send(create_form(page)).text
    answered = [upstream for _, upstream in replicated.relay.steps]
    assert len(set(answered)) == 4
    assert all(one != other for one, other in pairwise(answered))
    made = replicated.site.root / "anna/sem/plain.ipynb"
    assert stamped(made.read_text()) == {"a": "on many replicas"}


def test_open_pages_and_sessions_survive_a_new_key(replicated: Replicated) -> None:
    person = replicated.person()
    before = replicated.replica(OLD)
    replicated.relay.upstreams[:] = [before.origin]
    waiting = person.kept(PLAIN, {"a": "waiting"})
    begun = person.get("login", follow_redirects=False)
    other = replicated.person()
    other.sign_in("ben")
    confirmation = create_form(other.site.confirmation(PLAIN, {"a": "open page"}))
    rotated = replicated.replica(f"{NEW},{OLD}")
    replicated.relay.upstreams[:] = [rotated.origin]
    assert "saved" in other.site.send(confirmation, name="rotated").text
    replicated.hub.sign_in(
        person.site.client, "anna", urljoin(person.site.url, begun.headers["location"])
    )
    assert create_form(person.site.send(waiting)).fields["params"] == '{"a":"waiting"}'
    # and when the old key is gone altogether, the same form leads back to the confirmation
    gone = replicated.replica(NEW)
    replicated.relay.upstreams[:] = [gone.origin]
    lost = replicated.person()
    lost.site.client.cookies = other.site.client.cookies
    page = lost.site.send(confirmation, name="gone")
    assert "Signing in with Jupyter" in page.text
    lost.get("login")  # the hub still knows ben
    page = lost.site.send(next(form for form in forms(page.text) if "Continue" in form.buttons))
    again = create_form(page)
    assert again.fields["params"] == '{"a":"open page"}'
    assert "saved" in lost.site.send(again).text
    made = [path for path in replicated.site.notebooks() if path.startswith("ben/")]
    assert made == ["ben/sem/plain.ipynb", "ben/sem/rotated.ipynb"]


@pytest.mark.parametrize("wrong_first", [False, True])
def test_a_clock_that_is_an_hour_off_costs_one_more_press(
    replicated: Replicated, wrong_first: bool
) -> None:
    user = "ben" if wrong_first else "anna"
    right, wrong = replicated.replica(), replicated.replica(clock=AHEAD)
    replicated.relay.upstreams[:] = [right.origin, wrong.origin][:: -1 if wrong_first else 1]
    person = replicated.person()
    form = person.kept(PLAIN, {"a": "an hour off", "object_id": 3})
    assert "You are signed in" in person.sign_in(user).text
    before = replicated.site.notebooks()
    page = person.site.send(form)
    assert "sampledb.example" in page.text
    presses = 0
    while "Your notebook is saved" not in page.text:
        presses += 1
        assert presses <= 3, page.text
        page = person.site.send(create_form(page), name=f"clock {wrong_first}.ipynb")
    made = set(replicated.site.notebooks()) - set(before)
    assert made == {f"{user}/sem/clock {wrong_first}.ipynb"}
