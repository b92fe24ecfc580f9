"""What is in the logs, and what would be found there: conftest searches those of the whole run."""

from __future__ import annotations

import re
from pathlib import Path

from support import SENT, TOKENS, Site, create_form, secrets_in

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


def test_every_kind_of_secret_would_be_found_in_a_log(tmp_path: Path) -> None:
    ours, hub = tmp_path / "saves.log", tmp_path / "six.hub.log"
    value, token = "Confidential sample", "t" * 50
    for log, text, found in (
        (ours, f"INFO nbstamp.audit: {value}", value),
        (ours, f"INFO nbstamp.access: GET /?token={token}", token[:40]),
        (hub, f"200 GET /?token={token}", token[:40]),
        (hub, "200 GET /?state=gAAAAAbc", "gAAAA"),
        (ours, "ERROR nbstamp.web: unforeseen KeyError", "unforeseen"),
        (ours, "Traceback (most recent call last)", "Traceback"),
        # a user's own Jupyter names the user's own files in its log, and these may hold a value
        (hub, f"saving /notebooks/{value}.ipynb", None),
        (ours, "INFO nbstamp.access: GET /templates/ 200 3 ms", None),
    ):
        log.write_text(f"a line before\n{text}\n")
        assert secrets_in(tmp_path, {value}, {token}) == (
            {f"{log.name}: {found}"} if found else set()
        )
        log.unlink()


def test_what_is_sent_and_shown_is_remembered_for_the_search(saves: Site) -> None:
    page = saves.confirmation("sem/plain.ipynb", {"sample": SECRET_VALUE})
    assert SECRET_VALUE in SENT
    assert create_form(page).fields["token"] in TOKENS
