"""Cachewarden from Python, with nothing but the standard library."""

import json
import urllib.request
from typing import NamedTuple, Optional


class View(NamedTuple):
    """Whose answer is being made, and the version of their cache; None while it cannot be used."""

    user_id: Optional[int] = None
    version: Optional[int] = None

    def key(self, name):
        """The cache key of `name` in this view, or None: go to the source, and keep nothing."""
        return None if self.version is None else f"user:{self.user_id}:{self.version}:{name}"

    def headers(self):
        """What tells a page whether the copy it keeps is out of date."""
        if self.version is None:
            return {"X-Cache-Enabled": "false"}
        return {"X-Cache-Enabled": "true", "X-Cache-Version": str(self.version)}


def call(base_url, method, path, headers):
    """The open answer. One that is no success raises urllib.error.HTTPError, an OSError."""
    request = urllib.request.Request(base_url + path, method=method, headers=headers)
    return urllib.request.urlopen(request, timeout=2)


def check(base_url, authorization):
    """The caller's View: ask once for each request, before the data is read.

    authorization is the header of the request that is being answered, passed on as it is.
    """
    with call(base_url, "GET", "/api/cache/check/", {"Authorization": authorization}) as answer:
        version = answer.headers.get("X-Cache-Version")
        return View(int(answer.headers["X-User-Id"]), int(version) if version else None)


def clear(base_url, authorization):
    """Makes everything cached for the caller out of date; the new version. Ten times a minute."""
    headers = {"Authorization": authorization}
    with call(base_url, "POST", "/api/cache/clear/", headers) as answer:
        return json.load(answer)["version"]


def clear_user(base_url, key, user_id):
    """The same for any user, as often as need be, with an API key of scope admin."""
    path = f"/api/server-management/clear-cache/?user_id={int(user_id)}"
    with call(base_url, "POST", path, {"x-api-key": key}) as answer:
        return json.load(answer)["new_version"]


def clear_caller(base_url, key, authorization):
    """The same for the caller, after a write of theirs; their new View."""
    view = check(base_url, authorization)
    version = clear_user(base_url, key, view.user_id)
    return view if view.version is None else view._replace(version=version)
