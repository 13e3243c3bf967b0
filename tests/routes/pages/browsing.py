"""A person with a browser that runs no scripts: pages by their address, forms with the token that their page carries."""

import re
from html import unescape
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
# A caller who is not at this machine
ELSEWHERE = {"REMOTE_ADDR": "198.51.100.7"}


class Browser:
    """One browser with its cookies. environ: what its requests have besides, as ELSEWHERE."""

    def __init__(self, app: Flask, environ: dict[str, Any] | None = None) -> None:
        self.client, self.environ = app.test_client(), environ or {}
        self.token = ""

    def get(self, path: str, **headers: str) -> TestResponse:
        """Open a page, and remember the token of its forms."""
        answer = self.client.get(path, headers=headers, environ_overrides=self.environ)
        if found := _TOKEN.search(answer.text):
            self.token = unescape(found[1])
        return answer

    def post(self, path: str, fields: dict[str, Any] | None = None, follow: bool = True) -> TestResponse:
        """Send a form of the page that was opened last; follow: to the page that it leads to."""
        data = {"csrf_token": self.token, **(fields or {})}
        return self.client.post(path, data=data, environ_overrides=self.environ, follow_redirects=follow)

    def part(self, path: str) -> TestResponse:
        """Ask for a part of a page, as an open page does."""
        return self.get(path, **{"HX-Request": "true"})
