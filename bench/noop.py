"""The yardstick: the least that a Flask view can do, under the same server flags."""

from flask import Flask

app = Flask(__name__)


@app.post("/<path:_path>")
def noop(_path: str) -> str:
    return "OK"
