"""The logs of the whole run; these tests are the last ones (see conftest)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support import SENT, TOKENS, Site, create_form

SECRET_VALUE = "Confidential sample 4711"


def test_a_creation_is_one_line_in_the_audit_log(saves: Site) -> None:
    page = saves.confirmation("sem/Analysis_{sample_name}.ipynb", {"sample_name": SECRET_VALUE})
    assert saves.send(create_form(page)).status_code == 200
    lines = [line for line in saves.log.read_text().splitlines() if "nbstamp.audit" in line]
    assert re.search(
        r"^\S+ \S+ INFO nbstamp\.audit: user='' template='sem/Analysis_\{sample_name\}\.ipynb' "
        r"content_hash=[0-9a-f]{64} creation_id=[0-9a-f]{32} storage=FolderStorage outcome=saved$",
        lines[-1],
    )


def test_the_logs_hold_no_value_and_no_token(logs: Path) -> None:
    if len(SENT) < 50 or len(TOKENS) < 50:
        pytest.skip("only meaningful after the other tests")
    hubs = sorted(logs.glob("*.hub.log"))
    ours = sorted(set(logs.glob("*.log")) - set(hubs))
    text = read(ours)
    assert text.count("nbstamp.audit") > 20
    # a user's own Jupyter names the user's own files in its log, and these may hold a value
    assert not [value for value in SENT if value in text]
    for log in (text, read(hubs)):
        assert not [token for token in TOKENS if token[:40] in log]
        assert "gAAAA" not in log
    assert "unforeseen" not in text
    assert "Traceback" not in text


def read(files: list[Path]) -> str:
    return "\n".join(file.read_text(errors="replace") for file in files)
