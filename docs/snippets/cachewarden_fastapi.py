"""Cachewarden in FastAPI: a dependency that knows the caller's view, and clears it after a write.

    @app.get("/orders")
    def orders(view: CallerView = Depends()):
        return view.cached("orders", read_orders)

    @app.post("/orders", status_code=201)
    def add_order(order: Order, view: CallerView = Depends()):
        write_order(order)
        view.clear()

Such endpoints are `def`, not `async def`: the calls block, and FastAPI gives a `def` a thread.
Environment: CACHEWARDEN_URL, and CACHEWARDEN_KEY from `cachewarden key create shop --scope admin`.
"""

import logging
import os

from fastapi import Request, Response

import cachewarden_client
from cachewarden_client import View, credential_of

log = logging.getLogger(__name__)
URL, KEY = os.environ["CACHEWARDEN_URL"], os.environ["CACHEWARDEN_KEY"]
cache = {}  # in its place your Redis, with an expiry: nobody asks again for what is out of date


class CallerView:
    def __init__(self, request: Request, response: Response):
        self._response, self._credential = response, credential_of(request.headers)
        self._take(self._check())

    def cached(self, name, make):
        """make(), or what it returned when it was last called for this user in this version."""
        key = self._view.key(name)
        if key is None:
            return make()
        if key not in cache:
            cache[key] = make()
        return cache[key]

    def clear(self):
        """After the write is committed. A failure is logged: it does not undo the write."""
        try:
            self._take(cachewarden_client.clear_caller(URL, KEY, self._credential))
        except OSError as error:
            log.error("cachewarden: a user keeps an old view: %s", error)
            self._take(View())

    def _check(self):
        try:
            return cachewarden_client.check(URL, self._credential)
        except OSError as error:
            log.warning("cachewarden: %s; this request goes without a cache", error)
            return View()

    def _take(self, view):
        self._view = view
        if view.version is None and "X-Cache-Version" in self._response.headers:
            del self._response.headers["X-Cache-Version"]
        self._response.headers.update(view.headers())
