"""The callback lines of guides in the field, word for word."""

import pytest
from flask.testing import FlaskClient

from tests.samples import FORM, HERE, JSON

LINES = [line.split("\t") for line in (HERE / "guide_lines.tsv").read_text().splitlines() if not line.startswith("#")]
CALLBACKS = [line for line in LINES if "/invoke-" not in line[1]]


@pytest.mark.parametrize(("method", "path", "body", "status", "answer"), CALLBACKS, ids=[f"{line[1]}-{number}" for number, line in enumerate(CALLBACKS)])  # fmt: skip
def test_a_guide_line_works_as_written(client: FlaskClient, method: str, path: str, body: str, status: str, answer: str) -> None:
    response = client.open(path, method=method, data=body, content_type=JSON if body.startswith("{") else FORM)
    assert response.status_code == int(status)
    assert answer in response.text


def test_the_lines_were_read() -> None:
    assert len(CALLBACKS) == 12
