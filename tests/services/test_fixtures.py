"""Files of named fixtures, kept by several threads of one process at once."""

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier

from app.errors import Conflict
from app.models import Callback
from app.settings import Settings
from services.replays import fixtures
from tests.rows import callback


def test_of_eight_who_keep_a_name_at_once_one_does(tmp_path: Path) -> None:
    settings, at_once = Settings(fixtures_dir=tmp_path), Barrier(8)

    def kept(name: str, sender: str) -> str:
        row = Callback(**callback(fields={"senderId": sender}, raw_body=b"x" * 10_000)[1])
        at_once.wait(10)
        try:
            fixtures.save(settings, name, [row])
        except Conflict:
            return ""
        return sender

    with ThreadPoolExecutor(8) as threads:
        for number in range(20):
            [sender] = filter(None, threads.map(partial(kept, f"stop-{number}"), "ABCDEFGH"))
            assert json.loads((tmp_path / f"stop-{number}.json").read_text())["fields"] == {"senderId": sender}
    assert {path.suffix for path in tmp_path.iterdir()} == {".json"}
