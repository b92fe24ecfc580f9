"""Hostile requests: an answer in words, never a 5xx, nothing written (facts/security.md)."""

from __future__ import annotations

import json
import socket
from urllib.parse import quote, urlsplit

import pytest

from support import Site, create_form, cross_site

PLAIN = "sem/plain.ipynb"
FORM = "application/x-www-form-urlencoded"

BODIES: list[tuple[str, bytes, int, str]] = [
    ("no body", b"", 400, "params"),
    ("another field", b"x=1", 400, "params"),
    ("not JSON", b"params=%7Bno", 400, "not JSON"),
    ("an array", b"params=%5B1%5D", 400, "a list"),
    ("null", b"params=null", 400, "null"),
    ("NaN", b"params=%7B%22a%22%3ANaN%7D", 400, "NaN"),
    ("Infinity", b"params=%7B%22a%22%3A-Infinity%7D", 400, "Infinity"),
    ("overflow", b"params=%7B%22a%22%3A1e999%7D", 400, "too large"),
    ("duplicate keys", b"params=%7B%22a%22%3A1%2C%22a%22%3A2%7D", 400, "twice"),
    ("field twice", b"params=%7B%7D&params=%7B%7D", 400, "twice"),
    ("bad escape", b"params=%7B%7D%", 400, "hexadecimal"),
    ("not UTF-8", b"params=%FF", 400, "UTF-8"),
    ("half a surrogate pair", b"params=" + quote('{"a":"\\ud800"}').encode(), 400, "surrogate"),
    ("depth", b"params=" + quote('{"a":' + "[" * 100_000).encode(), 400, "deep"),
    ("a huge integer", b"params=" + quote('{"a":' + "9" * 401 + "}").encode(), 400, "401 digits"),
    ("many fields", b"&".join(b"f%d=1" % i for i in range(2000)), 400, "fields"),
    (
        "many parameters",
        b"params=" + quote(json.dumps({f"p{i}": i for i in range(501)})).encode(),
        422,
        "500",
    ),
    ("a long name", b"params=" + quote(json.dumps({"n" * 64: 1})).encode(), 422, "63"),
    (
        "a large value",
        b"params=%7B%22a%22%3A%22" + b"x" * (4 * 2**20 + 1) + b"%22%7D",
        413,
        "bytes",
    ),
    ("a large body", b"params=" + b"x" * (17 * 2**20), 413, "accepts"),
]


@pytest.mark.parametrize(
    ("body", "status", "words"), [b[1:] for b in BODIES], ids=[b[0] for b in BODIES]
)
def test_a_body_that_cannot_be_read_is_refused_in_words(
    saves: Site, body: bytes, status: int, words: str
) -> None:
    before = saves.notebooks()
    answer = saves.client.post(
        saves.template_url(PLAIN), content=body, headers={"Content-Type": FORM} | cross_site()
    )
    assert answer.status_code == status
    assert words in answer.text
    assert "Nothing was created" in answer.text
    assert saves.notebooks() == before


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/json",
        "",
        FORM + "; charset=latin-1",
    ],
)
def test_other_content_types_are_refused_in_words(saves: Site, kind: str) -> None:
    headers = {"Content-Type": kind} | cross_site()
    answer = saves.client.post(saves.template_url(PLAIN), content=b"params={}", headers=headers)
    assert answer.status_code == 400


MARKER = "hostile_marker"


@pytest.mark.parametrize(
    "name",
    [
        f"x = 1\nimport os; os.mkdir('{MARKER}')  #",
        f"x; __import__('os').mkdir('{MARKER}')",
        "a.b",
        "a[0]",
        "__builtins__",
        "__debug__",
        "get_ipython",
        "In",
        "class",
        "None",
        "",
        " ",
        "my param",
        "2nd",
        "%%bash",
        "!id",
        "x?",
        "ﬁ",
        "x\u200b",
    ],
)
def test_a_name_that_is_not_a_variable_is_refused_and_named(saves: Site, name: str) -> None:
    before = saves.notebooks()
    page = saves.confirmation(PLAIN, {name: 1})
    assert page.status_code == 422
    assert "cannot be a variable" in page.text
    assert saves.notebooks() == before


@pytest.mark.parametrize(
    "value",
    [
        "../../../../tmp/a value",
        "..\\..\\x",
        "/etc/a value",
        "a/b/c",
        "{object_id.__class__}",
        "{other}",
        "x\u202egnp.ipynb",
        "\x00null",
        "line\nbreak",
        "CON",
        ".hidden",
        "x" * 5000,
        "~root",
        "$(id)",
        "试料" * 200,
    ],
)
def test_a_value_in_a_name_stays_one_part_of_it(saves: Site, value: str) -> None:
    before = set(saves.notebooks())
    answer = saves.create("sem/Analysis_{sample_name}.ipynb", {"sample_name": value, "other": 1})
    assert answer.status_code == 200
    (made,) = set(saves.notebooks()) - before
    folder, _, name = made.rpartition("/")
    assert folder == "notebooks/sem"
    assert name.startswith("Analysis_")
    assert len(name.encode()) <= 255
    assert name.isprintable()


@pytest.mark.parametrize(
    "target",
    [
        "/templates/t/../../etc/shadow",
        "/templates/t/..%2f..%2fetc/shadow.ipynb",
        "/templates/t/%2e%2e/%2e%2e/x.ipynb",
        "/templates/t/sem/%00.ipynb",
        "/templates/t/sem/%ff%fe.ipynb",
        "/templates/t/" + "a/" * 2000 + "x.ipynb",
        "/templates/t/" + "x" * 3000 + ".ipynb",
        "/templates/t/",
        "/templates/t//etc/shadow",
        "/templates/t/https://evil.example/x.ipynb",
        "/templates/t/C:%5Cx.ipynb",
        "/templates/t/percent%25.ipynb",
        "/templates/static/../app.py",
        "/templates/static/%2e%2e/app.py",
        "/x.ipynb",
        "//evil.example/templates/",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_that_leads_nowhere_is_a_404_in_words(saves: Site, method: str, target: str) -> None:
    assert 400 <= raw(saves, method, target)[0] < 500


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /templates/\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /templates/ HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 600_000 + b"\r\n\r\n",
        b"POST /templates/create HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /templates/create HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: "
        b"chunked\r\n\r\n0\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"GET /templates/ HTTP/9.9\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused(saves: Site, request_bytes: bytes) -> None:
    where = urlsplit(saves.url)
    with socket.create_connection((where.hostname, where.port), timeout=30) as connection:
        try:
            connection.sendall(request_bytes)
            answer = connection.recv(100)
        except ConnectionError:
            return
    assert not answer or answer.startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Host", "evil.example"),
        ("Host", ""),
        ("Origin", "https://" + "x" * 5000),
        ("Origin", "javascript:alert(1)"),
        ("Origin", "https://evil.example:99999"),
        ("Origin", "https://[::1"),
        ("Referer", "\u00ff"),
        ("Sec-Fetch-Site", "nonsense"),
        ("Cookie", "session=" + "x" * 5000),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "javascript"),
    ],
)
def test_odd_headers_change_nothing(saves: Site, header: str, value: str) -> None:
    headers = {k: v for k, v in cross_site().items() if k != header}
    answer = saves.client.post(
        saves.template_url(PLAIN),
        data={"params": "{}"},
        headers={k.encode(): v.encode() for k, v in (headers | {header: value}).items()},
    )
    assert answer.status_code == 200
    assert "javascript:" not in answer.text
    assert 'action="/templates/t/sem/plain.ipynb"' in answer.text


def test_markup_in_values_is_text_on_every_page(saves: Site) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>'\"&"
    page = saves.confirmation(PLAIN, {"a": evil, "object_id": evil, "name": evil})
    assert "<script>alert" not in page.text
    assert "<img src=x" not in page.text
    answer = saves.send(create_form(page), name=evil.replace("/", "") + ".ipynb")
    assert "<img src=x" not in answer.text
    unknown = saves.confirmation(f"sem/{evil[:30]}.ipynb", {"a": evil})
    assert "<img src=x" not in unknown.text


def test_every_answer_has_the_headers_that_protect_it(saves: Site) -> None:
    for method, path in [
        ("GET", ""),
        ("GET", "t/sem/plain.ipynb"),
        ("GET", "nothing/here"),
        ("POST", "create"),
        ("DELETE", "create"),
        ("GET", "api/v1/templates"),
        ("GET", "api/docs"),
        ("GET", "static/nbstamp.css"),
        ("GET", "healthz"),
    ]:
        answer = saves.client.request(method, saves.url + path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert "access-control-allow-origin" not in answer.headers
        assert "set-cookie" not in answer.headers
        assert "server" not in answer.headers
        if not path.startswith("static"):
            assert answer.headers["cache-control"] == "no-store"


def raw(site: Site, method: str, target: str) -> tuple[int, str]:
    """A request whose target no client library has tidied up."""
    where = urlsplit(site.url)
    body = b"params=%7B%7D" if method == "POST" else b""
    head = f"{method} {target} HTTP/1.1\r\nHost: {where.netloc}\r\nConnection: close\r\n"
    head += f"Content-Type: {FORM}\r\nContent-Length: {len(body)}\r\nOrigin: {site.origin}\r\n\r\n"
    with socket.create_connection((where.hostname, where.port), timeout=30) as connection:
        connection.sendall(head.encode() + body)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return int(answer.split()[1]), answer.decode("utf-8", "replace")
