"""``/api/v1`` and its OpenAPI document."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator

from nbstamp.core import errors
from nbstamp.service import Changed
from nbstamp.web.api import description
from support import PORTAL, Site, parameter_cell, remember, stamped

PLAIN = "sem/plain.ipynb"


def post(site: Site, body: object, **headers: str) -> httpx2.Response:
    remember(body.get("parameters") if isinstance(body, dict) else None)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return site.client.post(
        f"{site.url}api/v1/notebooks",
        content=content,
        headers={"Content-Type": "application/json"} | headers,
    )


def valid(answer: httpx2.Response, path: str, method: str) -> Any:
    """The JSON of an answer, checked against the OpenAPI document."""
    document = description()
    response = document["paths"][path][method]["responses"][str(answer.status_code)]
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    schema = response["content"]["application/json"]["schema"]
    found = answer.json()
    Draft202012Validator({"components": document["components"], **schema}).validate(found)
    return found


def test_templates_are_listed_with_what_a_portal_needs(saves: Site) -> None:
    answer = saves.client.get(f"{saves.url}api/v1/templates")
    listing = valid(answer, "/api/v1/templates", "get")
    by_path = {entry["path"]: entry for entry in listing["templates"]}
    assert by_path[PLAIN]["title"] == "A template"
    assert by_path[PLAIN]["language"] == "python"
    assert by_path[PLAIN]["url"] == "/templates/t/sem/plain.ipynb"
    assert by_path["sem/broken.ipynb"]["broken"]


def test_one_template_says_which_parameters_its_name_needs(saves: Site) -> None:
    answer = saves.client.get(f"{saves.url}api/v1/templates/sem/Analysis_%7Bsample_name%7D.ipynb")
    found = valid(answer, "/api/v1/templates/{path}", "get")
    assert found["file_name_parameters"] == ["sample_name"]
    missing = saves.client.get(f"{saves.url}api/v1/templates/sem/planx.ipynb")
    assert PLAIN in valid(missing, "/api/v1/templates/{path}", "get")["near"]


def test_a_program_creates_a_notebook_and_may_try_again(saves: Site) -> None:
    body = {
        "template": PLAIN,
        "parameters": {"a": "by program", "object_id": 5},
        "name": "by program",
        "folder": "programs",
        "portal": PORTAL,
        "creation_id": "program-000001",
    }
    created = post(saves, body)
    assert created.status_code == 201
    found = valid(created, "/api/v1/notebooks", "post")
    assert found["path"] == "programs/by program.ipynb"
    assert not found["existed"]
    again = post(saves, body)
    assert again.status_code == 200
    assert valid(again, "/api/v1/notebooks", "post")["existed"]
    text = (saves.root / found["path"]).read_text()
    assert stamped(text) == body["parameters"]


def test_without_a_place_to_save_the_answer_is_the_notebook(downloads: Site) -> None:
    answer = post(downloads, {"template": PLAIN})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ipynb+json"
    assert parameter_cell(answer.text) == ""


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "not JSON"),
        (b"[]", 400, "a list"),
        (b"\xff", 400, "UTF-8"),
        (b'{"template": "a", "template": "b"}', 400, "twice"),
        ({}, 400, "template"),
        ({"template": 5}, 400, "a number"),
        ({"template": PLAIN, "params": {}}, 400, "params"),
        ({"template": PLAIN, "parameters": []}, 400, "a list"),
        ({"template": PLAIN, "parameters": {"class": 1}}, 422, "class"),
        ({"template": PLAIN, "name": "a/b"}, 422, "/"),
        ({"template": PLAIN, "folder": ".."}, 422, ".."),
        ({"template": PLAIN, "creation_id": "no spaces allowed"}, 400, "creation_id"),
        ({"template": PLAIN, "portal": "sampledb"}, 400, "portal"),
        ({"template": "sem/none.ipynb"}, 404, "none"),
        ({"template": "sem/Analysis_{sample_name}.ipynb"}, 422, "sample_name"),
    ],
)
def test_what_is_wrong_is_said_in_the_same_words_as_on_a_page(
    saves: Site, body: object, status: int, words: str
) -> None:
    before = saves.notebooks()
    answer = post(saves, body)
    assert answer.status_code == status
    assert words in valid(answer, "/api/v1/notebooks", "post")["message"]
    assert saves.notebooks() == before


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": PORTAL},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ],
)
def test_a_page_of_another_site_cannot_use_it(saves: Site, headers: dict[str, str]) -> None:
    before = saves.notebooks()
    answer = post(saves, {"template": PLAIN}, **headers)
    assert answer.status_code in (400, 403)
    assert "access-control-allow-origin" not in answer.headers
    assert saves.notebooks() == before


def test_the_document_is_served_with_the_base_path(saves: Site) -> None:
    document = saves.client.get(f"{saves.url}api/v1/openapi.json").json()
    assert document["servers"] == [{"url": "/templates"}]
    assert document["paths"] == description()["paths"]


def test_every_route_is_in_the_document_and_the_other_way_round(saves: Site) -> None:
    for path, operations in description()["paths"].items():
        for method in ("get", "post", "put", "delete"):
            target = saves.url.rstrip("/") + path.replace("{path}", PLAIN)
            answer = saves.client.request(method, target)
            exists = answer.status_code != 404 and answer.json().get("code") != "no_such_page"
            assert exists == (method in operations), (method, path)


def test_every_error_status_of_a_creation_is_in_the_document() -> None:
    def tree(kind: type[errors.TemplatingError]) -> set[int]:
        return {kind.status}.union(*(tree(sub) for sub in kind.__subclasses__()))

    described = {int(s) for s in description()["paths"]["/api/v1/notebooks"]["post"]["responses"]}
    assert Changed.status in described
    assert tree(errors.TemplatingError) - {500} <= described


def test_the_documentation_page_names_every_path_and_field(saves: Site) -> None:
    page = saves.client.get(f"{saves.url}api/docs").text
    document = description()
    for path in document["paths"]:
        assert path in page
    for schema in document["components"]["schemas"].values():
        for field in schema["properties"]:
            assert f"<code>{field}</code>" in page
