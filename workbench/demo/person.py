"""A person at the web pages: signs in, reads pages, sends forms, over HTTP like a browser."""

import re
from types import TracebackType
from typing import Self

import httpx

from workbench.demo.processes import DemoFailed

_TOKEN = re.compile(r'name="_csrf_token"\s+value="([^"]+)"')
_ALERT = re.compile(r'role="alert">([^<]+)<')
TIMEOUT_SECONDS = 60


class Person:
    """One signed-in user of the service at `base`."""

    def __init__(self, base: str, email: str, password: str) -> None:
        self._http = httpx.Client(base_url=base, timeout=TIMEOUT_SECONDS)
        self._email, self._password = email, password

    def __enter__(self) -> Self:
        self._token = _token(self._http.get("/sign-in").text)
        self.send("/sign-in", {"email": self._email, "password": self._password})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def page(self, path: str) -> str:
        """The page at `path`."""
        return _checked(self._http.get(path)).text

    def download(self, path: str) -> bytes:
        """The file at `path`."""
        return _checked(self._http.get(path)).content

    def send(self, path: str, fields: dict[str, str] | None = None) -> str:
        """Send a form; returns where the answer leads to."""
        answer = self._http.post(path, data={**(fields or {}), "_csrf_token": self._token})
        return str(_checked(answer).headers.get("location", ""))

    def upload(self, path: str, name: str, content: bytes, media_type: str) -> str:
        """Send one file by a form; returns where the answer leads to."""
        file = {name: (f"{name}.xml", content, media_type)}
        answer = self._http.post(path, data={"_csrf_token": self._token}, files=file)
        return str(_checked(answer).headers.get("location", ""))


def _token(page: str) -> str:
    found = _TOKEN.search(page)
    if not found:
        raise DemoFailed("the sign-in page has no form token; is this SpindleShare?")
    return found[1]


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.status_code < 400:
        return answer
    told = _ALERT.search(answer.text)
    reason = told[1] if told else re.sub(r"<[^>]+>|\s+", " ", answer.text.partition("<main")[2])[:300].strip()
    raise DemoFailed(f"{answer.request.method} {answer.request.url.path} answered {answer.status_code}: {reason}")
