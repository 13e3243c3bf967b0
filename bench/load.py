"""Callbacks as fast as an app takes them: wrk with bench/callbacks.lua, round by round."""

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

CONNECTIONS = 16
_SCRIPT = Path(__file__).parent / "callbacks.lua"


@dataclass
class Variant:
    """One thing measured, round by round."""

    name: str
    url: str
    kind: str = "sms"
    repeats: bool = False
    rounds: list[dict] = field(default_factory=list)

    def measure(self, seconds: int, number: int) -> None:
        arguments = [self.kind, "repeats" if self.repeats else "new", f"{number}{os.urandom(4).hex()}"]
        command = ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{seconds}", "-s", str(_SCRIPT), self.url, "--", *arguments]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        [line] = [line for line in output.splitlines() if line.startswith("RESULT ")]
        self.rounds.append(json.loads(line.removeprefix("RESULT ")))

    def rate(self, number: int) -> float:
        return self.rounds[number]["requests"] / self.rounds[number]["seconds"]

    def worst(self, name: str) -> float:
        return max(one[name] for one in self.rounds)
