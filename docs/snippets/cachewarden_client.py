"""Cachewarden from Python, with nothing but the standard library."""

import json
import urllib.error
import urllib.parse
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


def credential_of(headers):
    """What tells who sent a request: its Authorization, else its cookies, as a header to pass on as it is."""
    name = "Authorization" if headers.get("Authorization") else "Cookie"
    return {name: headers[name]} if headers.get(name) else {}


def check(base_url, credential):
    """The caller's View: ask once for each request, before the data is read.

    credential is credential_of the request that is being answered. Nobody in particular has no View.
    """
    if not credential:
        return View()
    try:
        with call(base_url, "GET", "/api/cache/check/", credential) as answer:
            version = answer.headers.get("X-Cache-Version")
            return View(int(answer.headers["X-User-Id"]), int(version) if version else None)
    except urllib.error.HTTPError as error:
        if error.code != 401:
            raise
        return View()


def clear(base_url, credential):
    """Makes everything cached for the caller, by a token, out of date; the new version. Ten times a minute."""
    with call(base_url, "POST", "/api/cache/clear/", credential) as answer:
        return json.load(answer)["version"]


def user_of(base_url, key, issuer, subject):
    """The number here of another issuer's user, as its tokens name them; None: they have not been here."""
    query = urllib.parse.urlencode({"issuer": issuer, "subject": str(subject)})
    try:
        with call(base_url, "GET", f"/api/v1/subjects?{query}", {"x-api-key": key}) as answer:
            return json.load(answer)["user_id"]
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        return None


def clear_user(base_url, key, user_id):
    """The same for any user, as often as need be, with an API key of scope admin."""
    path = f"/api/server-management/clear-cache/?user_id={int(user_id)}"
    with call(base_url, "POST", path, {"x-api-key": key}) as answer:
        return json.load(answer)["new_version"]


def clear_caller(base_url, key, credential):
    """The same for the caller, after a write of theirs; their new View."""
    view = check(base_url, credential)
    if view.user_id is None:
        return view
    version = clear_user(base_url, key, view.user_id)
    return view if view.version is None else view._replace(version=version)
