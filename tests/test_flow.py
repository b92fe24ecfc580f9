"""The way of one request: click, confirmation, creation (DESIGN section 3)."""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

from nbstamp.catalogue.folders import MOMENT
from nbstamp.web.tokens import Tokens
from support import (
    PORTAL,
    Launch,
    Site,
    create_form,
    cross_site,
    forms,
    notebook,
    parameter_cell,
    stamped,
)

ANALYSIS = "sem/Analysis_{sample_name}.ipynb"


def test_a_click_becomes_a_download(downloads: Site) -> None:
    params = {"sample_name": "Fe3O4 µ", "object_id": 42, "temperature": 21.5}
    answer = downloads.create(ANALYSIS, params)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ipynb+json"
    assert (
        answer.headers["content-disposition"]
        == (
            'attachment; filename="Analysis_Fe3O4 .ipynb"; '
            "filename*=UTF-8''Analysis_Fe3O4%20%CE%BC.ipynb"
        )
        or "filename*=UTF-8''Analysis_Fe3O4%20%C2%B5.ipynb" in answer.headers["content-disposition"]
    )
    assert stamped(answer.content) == params


def test_a_click_becomes_a_file(saves: Site) -> None:
    answer = saves.create(ANALYSIS, {"sample_name": "first click"})
    assert answer.status_code == 200
    assert "Your notebook is saved" in answer.text
    assert "Notebooks / notebooks / sem / Analysis_first click.ipynb" in answer.text
    made = saves.root / "notebooks/sem/Analysis_first click.ipynb"
    assert stamped(made.read_text()) == {"sample_name": "first click"}


def test_the_confirmation_says_what_is_about_to_happen(saves: Site) -> None:
    page = saves.confirmation(
        ANALYSIS, {"sample_name": "shown", "object_id": 42, "name": "An object"}
    )
    for text in ("A template", "SampleDB", "object 42", "An object", "sample_name", "shown"):
        assert text in page.text
    assert f'href="{PORTAL}/objects/42"' in page.text
    assert not [path for path in saves.notebooks() if "shown" in path]


def test_the_provenance_says_where_the_notebook_comes_from(saves: Site) -> None:
    saves.create(ANALYSIS, {"sample_name": "provenance", "object_id": 7})
    made = nbformat.read(saves.root / "notebooks/sem/Analysis_provenance.ipynb", as_version=4)
    about = made.metadata["nbstamp"]
    assert about["template"] == ANALYSIS
    assert about["portal"] == PORTAL
    assert about["object_id"] == 7
    assert re.fullmatch(r"[0-9a-f]{64}", about["content_hash"])
    assert "user" not in about


def test_name_and_folder_can_be_changed(saves: Site) -> None:
    answer = saves.create(
        ANALYSIS, {"sample_name": "renamed"}, name="My own name", folder="mine/today"
    )
    assert answer.status_code == 200
    assert "mine/today/My own name.ipynb" in saves.notebooks()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "a/b.ipynb"}, "/"),
        ({"name": ".hidden"}, "“hidden.ipynb” would do"),
        ({"folder": "../../etc"}, ".."),
        ({"folder": "/etc/../x"}, ".."),
    ],
)
def test_a_name_that_cannot_be_used_comes_back_with_the_reason(
    saves: Site, changes: dict[str, str], words: str
) -> None:
    before = saves.notebooks()
    answer = saves.create(ANALYSIS, {"sample_name": "kept value"}, **changes)
    assert answer.status_code == 422
    form = create_form(answer)
    assert form.fields["params"] == '{"sample_name":"kept value"}'
    assert 'role="alert"' in answer.text
    assert words in answer.text
    assert saves.notebooks() == before


def test_a_missing_piece_of_the_name_is_asked_for(saves: Site) -> None:
    page = saves.confirmation(ANALYSIS, {"sample_name": None})
    form = create_form(page)
    assert form.fields["name"] == "Analysis_{sample_name}.ipynb"
    assert "in place of" in page.text
    refused = saves.send(form)
    assert refused.status_code == 422
    done = saves.send(create_form(refused), name="Analysis_by hand.ipynb")
    assert done.status_code == 200
    assert "notebooks/sem/Analysis_by hand.ipynb" in saves.notebooks()


def test_update_preview_shows_the_new_name_and_keeps_the_creation(saves: Site) -> None:
    form = create_form(saves.confirmation(ANALYSIS, {"sample_name": "preview"}))
    again = saves.client.post(
        saves.template_url(ANALYSIS),
        data=form.fields | {"name": "Another", "folder": "elsewhere"},
        headers=saves.own,
    )
    assert again.status_code == 200
    changed = create_form(again)
    assert changed.fields["name"] == "Another.ipynb"
    assert "elsewhere" in again.text
    saves.send(changed)
    answer = saves.send(form)  # the first page, still open in another tab: the same creation
    assert answer.status_code == 200
    assert [p for p in saves.notebooks() if "Another" in p or "preview" in p]


def test_a_second_press_gives_the_same_notebook(saves: Site, downloads: Site) -> None:
    form = create_form(saves.confirmation(ANALYSIS, {"sample_name": "double click"}))
    first, second = saves.send(form), saves.send(form)
    assert "It was made before" not in first.text
    assert "It was made before; nothing new was created" in second.text
    assert [p for p in saves.notebooks() if "double click" in p] == [
        "notebooks/sem/Analysis_double click.ipynb"
    ]
    form = create_form(downloads.confirmation(ANALYSIS, {"sample_name": "double click"}))
    assert downloads.send(form).content == downloads.send(form).content


def test_presses_at_the_same_time_give_one_notebook(saves: Site) -> None:
    form = create_form(saves.confirmation(ANALYSIS, {"sample_name": "many at once"}))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: saves.send(form), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len([p for p in saves.notebooks() if "many at once" in p]) == 1


def test_16_creations_of_one_name_give_16_complete_notebooks(saves: Site) -> None:
    def create(number: int) -> int:
        params = {"sample_name": "same name", "number": number}
        return saves.create(ANALYSIS, params).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(create, range(16))) == {200}
    made = [p for p in saves.notebooks() if "same name" in p]
    assert len(made) == 16
    numbers = {stamped((saves.root / path).read_text())["number"] for path in made}
    assert numbers == set(range(16))


def test_an_edited_notebook_is_never_touched_and_offered_again(saves: Site) -> None:
    params = {"sample_name": "edited", "object_id": 99}
    saves.create(ANALYSIS, params)
    file = saves.root / "notebooks/sem/Analysis_edited.ipynb"
    edited = file.read_text().replace("print(1 + 1)", "print('my work')")
    file.write_text(edited)
    page = saves.confirmation(ANALYSIS, params | {"note": "a new value"})
    assert "This notebook exists already" in page.text
    assert "The values in the portal have changed" in page.text
    assert "Create a new copy" in page.text
    answer = saves.send(create_form(page))
    assert "Analysis_edited-1.ipynb" in answer.text
    assert file.read_text() == edited


def test_a_template_that_changed_is_shown_once_more(saves: Site, templates: Path) -> None:
    file = templates / "sem" / "changing.ipynb"
    file.write_text(notebook("version = 1"))
    form = create_form(saves.confirmation("sem/changing.ipynb", {"a": 1}))
    file.write_text(notebook("version = 2"))
    time.sleep(2 * MOMENT)
    again = saves.send(form)
    assert again.status_code == 409
    assert "The template has changed" in again.text
    done = saves.send(create_form(again))
    assert done.status_code == 200
    assert "version = 2" in (saves.root / "notebooks/sem/changing.ipynb").read_text()


def test_values_that_were_not_shown_are_shown_first(saves: Site) -> None:
    form = create_form(saves.confirmation("sem/plain.ipynb", {"a": "shown before"}))
    again = saves.send(form, params='{"a": "swapped in"}')
    assert again.status_code == 409
    assert create_form(again).fields["params"] == '{"a":"swapped in"}'


@pytest.mark.parametrize("token", ["", "x", "gAAAA" + "A" * 200, "é"])
def test_a_foreign_token_leads_back_to_the_confirmation(saves: Site, token: str) -> None:
    before = saves.notebooks()
    form = create_form(saves.confirmation("sem/plain.ipynb", {"a": "not lost"}))
    again = saves.send(form, token=token)
    assert again.status_code == 409
    assert create_form(again).fields["params"] == '{"a":"not lost"}'
    assert saves.notebooks() == before
    assert saves.send(create_form(again)).status_code == 200


OWN, FOREIGN = "same-origin", "cross-site"
ARRIVING, CONFIRMATION = "arriving", "create"


@pytest.mark.parametrize(
    ("site", "origin", "arrival", "expected"),
    [
        # Sec-Fetch-Site, Origin ("own" or an address), arrival -> page
        (FOREIGN, PORTAL, "none", ARRIVING),
        ("same-site", PORTAL, "none", ARRIVING),
        (FOREIGN, "null", "none", ARRIVING),
        (None, PORTAL, "none", ARRIVING),
        (None, "null", "none", ARRIVING),
        (None, None, "none", ARRIVING),
        (FOREIGN, "own", "none", ARRIVING),
        (OWN, "own", "none", CONFIRMATION),
        (None, "own", "none", CONFIRMATION),
        ("none", None, "none", CONFIRMATION),
        (OWN, "own", "valid", CONFIRMATION),
        (None, "own", "valid", CONFIRMATION),
        (None, None, "valid", CONFIRMATION),
        (FOREIGN, PORTAL, "valid", CONFIRMATION),
        (FOREIGN, PORTAL, "forged", ARRIVING),
        (FOREIGN, PORTAL, "other values", ARRIVING),
        (OWN, "own", "forged", CONFIRMATION),
    ],
)
def test_which_page_answers_which_sender(
    saves: Site, site: str | None, origin: str | None, arrival: str, expected: str
) -> None:
    params = '{"a": "matrix"}'
    fields = {"params": params}
    if arrival == "valid":
        fields["arrival"] = forms(saves.click("sem/plain.ipynb", params).text)[0].fields["arrival"]
    elif arrival == "forged":
        fields["arrival"] = Tokens(["not this server's secret, but as long"]).seal(
            "arrival", {"portal": "https://evil.example", "hash": ""}
        )
    elif arrival == "other values":
        page = saves.click("sem/plain.ipynb", '{"a": "others"}')
        fields["arrival"] = forms(page.text)[0].fields["arrival"]
    headers = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    if site is not None:
        headers["Sec-Fetch-Site"] = site
    if origin is not None:
        headers["Origin"] = saves.origin if origin == "own" else origin
    answer = saves.client.post(saves.template_url("sem/plain.ipynb"), data=fields, headers=headers)
    assert answer.status_code == 200
    actions = [form.action for form in forms(answer.text)]
    assert any(action.endswith("/create") for action in actions) == (expected == CONFIRMATION)


def test_a_stranger_that_holds_an_arrival_does_not_speak_for_the_portal(saves: Site) -> None:
    arriving = forms(saves.click("sem/plain.ipynb", {"a": 1}).text)[0]
    page = saves.client.post(
        saves.template_url("sem/plain.ipynb"),
        data=arriving.fields,
        headers=cross_site("https://evil.example"),
    )
    assert "evil.example" in page.text
    assert "SampleDB" not in page.text


@pytest.mark.parametrize(
    "headers",
    [
        cross_site(),
        cross_site() | {"Sec-Fetch-Site": "same-site"},
        {"Origin": PORTAL},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
)
def test_only_our_own_page_creates(saves: Site, headers: dict[str, str]) -> None:
    form = create_form(saves.confirmation("sem/plain.ipynb", {"a": "stranger"}))
    before = saves.notebooks()
    answer = saves.client.post(f"{saves.url}create", data=form.fields, headers=headers)
    assert answer.status_code == 403
    assert "Nothing was created" in answer.text
    assert saves.notebooks() == before


def test_parameters_may_come_in_the_query(saves: Site) -> None:
    answer = saves.client.get(
        saves.template_url("sem/plain.ipynb") + "?params=%7B%22a%22%3A%22by+link%22%7D",
        headers=cross_site(),
    )
    page = saves.send(forms(answer.text)[0])
    assert saves.send(create_form(page)).status_code == 200


def test_without_parameters_the_template_shows_its_own_page(saves: Site) -> None:
    answer = saves.client.get(saves.template_url("sem/plain.ipynb"))
    assert "A template" in answer.text
    page = saves.send(forms(answer.text)[0])
    answer = saves.send(create_form(page), name="unchanged")
    assert answer.status_code == 200
    made = (saves.root / "notebooks/sem/unchanged.ipynb").read_text()
    assert parameter_cell(made) == ""


def test_double_slashes_after_the_base_are_tolerated(saves: Site) -> None:
    answer = saves.client.post(
        saves.url + "/t//sem/plain.ipynb", data={"params": "{}"}, headers=cross_site()
    )
    assert forms(answer.text)[0].action == "/templates/t/sem/plain.ipynb"


def test_an_unknown_template_names_near_ones_and_keeps_the_values(saves: Site) -> None:
    page = saves.confirmation("sem/Analysis_{sample}.ipynb", {"sample_name": "kept here"})
    assert page.status_code == 404
    near = next(form for form in forms(page.text) if ANALYSIS in "".join(form.buttons))
    assert near.fields["params"] == '{"sample_name":"kept here"}'
    confirmation = saves.send(near)
    assert create_form(confirmation).fields["name"] == "Analysis_kept here.ipynb"


@pytest.mark.parametrize(
    ("path", "words"),
    [("sem/broken.ipynb", "incomplete"), ("sem/cobol.ipynb", "cobol")],
)
def test_a_template_that_cannot_be_used_says_why(saves: Site, path: str, words: str) -> None:
    page = saves.confirmation(path, {"a": "still here"})
    assert page.status_code in (404, 422)
    assert words in page.text.lower()
    assert "still here" in page.text


def test_a_large_value_is_shown_cut_and_carried_whole(saves: Site) -> None:
    rows = [[i / 7, f"row {i}"] for i in range(5000)]
    page = saves.confirmation("sem/plain.ipynb", {"data": rows, "a": 1})
    form = create_form(page)
    assert json.loads(form.fields["params"])["data"] == rows
    rest = page.text.replace(page.text[page.text.find('name="params"') :].split(">")[0], "")
    assert len(rest) < 15_000
    assert "table, 5,000 × 2" in page.text
    answer = saves.send(form, name="large")
    assert answer.status_code == 200
    assert stamped((saves.root / "notebooks/sem/large.ipynb").read_text())["data"] == rows


def test_open_pages_survive_a_new_secret_in_front_and_another_replica(
    launch: Launch, tmp_path: Path
) -> None:
    old, new = "0123456789abcdef-old-secret-0123456789", "0123456789abcdef-new-secret-0123456789"

    def replica(secrets: str, name: str) -> Site:
        return launch(
            name,
            "--storage=folder",
            f"--FolderStorage.root={tmp_path}",
            environment={"NBSTAMP__SERVER__SECRETS": secrets},
            root=tmp_path,
        )

    before = replica(old, "before")
    form = create_form(before.confirmation("sem/plain.ipynb", {"a": "rotated"}))
    before.stop()
    after = replica(f"{new},{old}", "after")
    assert after.send(form).status_code == 200
    assert after.notebooks() == ["notebooks/sem/plain.ipynb"]
    gone = replica(new, "gone")
    again = gone.send(form)
    assert again.status_code == 409
    assert create_form(again).fields["params"] == '{"a":"rotated"}'


def test_a_storage_that_fails_offers_the_notebook_as_a_download(
    launch: Launch, tmp_path: Path
) -> None:
    root = tmp_path / "mounted"
    root.mkdir()
    site = launch("unmounted", "--storage=folder", f"--FolderStorage.root={root}", root=root)
    form = create_form(site.confirmation("sem/plain.ipynb", {"a": "rescued"}))
    root.rmdir()
    page = site.send(form)
    assert page.status_code == 503
    assert "Nothing was created" in page.text
    instead = next(f for f in forms(page.text) if "Download it instead" in f.buttons)
    assert stamped(site.send(instead).content) == {"a": "rescued"}
    assert site.client.get(f"{site.url}readyz").status_code == 503
    root.mkdir()
    retry = next(f for f in forms(page.text) if "Try again" in f.buttons)
    assert site.send(create_form(site.send(retry))).status_code == 200
    assert site.client.get(f"{site.url}readyz").status_code == 200


@pytest.mark.parametrize("layout", ["a link to the root", "a Kubernetes ConfigMap"])
def test_500_deployments_under_load_never_show(launch: Launch, tmp_path: Path, layout: str) -> None:
    """Templates are swapped as a whole; whoever works meanwhile gets the old or the new ones."""
    releases, root = tmp_path / "releases", tmp_path / "notebooks"
    link = releases / ("current" if layout == "a link to the root" else "..data")
    root.mkdir()

    def deploy(number: int) -> None:
        release = releases / f"..release_{number}"
        (release / "deployed").mkdir(parents=True)
        (release / "deployed/fit.ipynb").write_text(notebook(f"release = {number}"))
        draft = releases / "..draft"
        draft.symlink_to(release.name)
        draft.replace(link)
        if number > 1:  # as Kubernetes does it, right after the swap
            shutil.rmtree(releases / f"..release_{number - 1}")

    deploy(0)
    templates = link
    if layout == "a Kubernetes ConfigMap":
        (releases / "deployed").symlink_to("..data/deployed")
        templates = releases
    arguments = ("--storage=folder", f"--FolderStorage.root={root}", f"--templates={templates}")
    site = launch(
        layout.replace(" ", "_"), *arguments, "--FolderCatalogue.interval=0.05", root=root
    )
    done = threading.Event()

    def work(number: int) -> tuple[int, int]:
        created = changed = 0
        while not done.is_set() or not created:
            page = site.confirmation("deployed/fit.ipynb", {"worker": number})
            assert page.status_code == 200, page.text
            answer = site.send(create_form(page))
            if answer.status_code == 409:
                assert "The template has changed" in answer.text
                changed += 1
            else:
                assert answer.status_code == 200, answer.text
                created += 1
        return created, changed

    with ThreadPoolExecutor(4) as pool:
        working = [pool.submit(work, number) for number in range(4)]
        for number in range(1, 501):
            deploy(number)
        done.set()
        created, changed = map(sum, zip(*(each.result() for each in working), strict=True))
    assert changed > 0
    assert len(site.notebooks()) == created
    for path in site.notebooks():
        made = nbformat.read(root / path, as_version=4)
        assert re.fullmatch(r"release = \d+", made.cells[-1].source)
    assert "500" not in {line.split()[-3] for line in site.log.read_text().splitlines()[1:]}


def test_a_kernel_gets_another_name_and_the_page_says_so(launch: Launch, tmp_path: Path) -> None:
    templates, root = tmp_path / "templates", tmp_path / "notebooks"
    spec = {"name": "python3.8", "display_name": 'Old "Python"', "language": "python"}
    made = notebook("print(sample_name)", kernel=spec)
    for path in (templates / "sem", root):
        path.mkdir(parents=True)
    (templates / "sem" / "fit.ipynb").write_text(made)
    site = launch(
        "kernels",
        f"--templates={templates}",
        "--storage=folder",
        f"--FolderStorage.root={root}",
        '--Server.kernel_names={"python3.8": "python3 ü"}',
        root=root,
    )
    page = site.confirmation("sem/fit.ipynb", {"sample_name": "x"})
    assert "asks for the kernel “python3.8”; here it gets “python3 ü”" in page.text
    site.send(create_form(page))
    text = (root / "notebooks" / "sem" / "fit.ipynb").read_text()
    assert json.loads(text)["metadata"]["kernelspec"] == {**spec, "name": "python3 ü"}
    assert stamped(text) == {"sample_name": "x"}
