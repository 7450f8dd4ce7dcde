"""Cachewarden in FastAPI: a dependency that knows the caller's view, caches for it, and clears it after a write.

    caller = CallerViews(Client.from_environment())

    @app.get("/orders")
    def orders(view: CallerView = Depends(caller)):
        return view.cached("orders", read_orders)

    @app.post("/orders", status_code=201)
    def add_order(order: Order, view: CallerView = Depends(caller)):
        write_order(order)
        view.clear()

Such endpoints are `def`, not `async def`: the calls block, and FastAPI gives a `def` a thread. An endpoint that
makes its answer itself adds the fields to it: Response(..., headers=view.headers()).
"""

from fastapi import Request, Response

from .cache import shortened
from .local import LocalMemory
from .view import credential_of


class CallerView:
    """The View of who sent a request, for as long as that is answered."""

    def __init__(self, views, request, response):
        self._views, self._response = views, response
        self._credential = credential_of(request.headers)
        self._page = f"{request.url.path}?{request.url.query}"
        self._take(views.client.view(self._credential))

    @property
    def user_id(self):
        """None: nobody in particular, or nobody knows."""
        return self._view.user_id

    def key(self, name):
        """A key for caches of your own, or None: go to the source, and keep nothing."""
        return self._view.key(name)

    def headers(self):
        """For an answer that the endpoint makes itself."""
        return self._view.headers()

    def cached(self, name, make, ttl=3600):
        """make(), or what it returned when it was last called for this user, version, path and query (?page=2).

        It is kept in the memory of this process.
        """
        key = self.key(f"{name}:{self._page}")
        return make() if key is None else self._views.memory.get_or_set(key, make, ttl)

    def remember(self, name, *, fill, ttl=3600, models=()):
        """The same in the cache service, where clear_model() drops it, too, and one process fills it for all."""
        key = self.key(f"{name}:{self._page}")
        if key is None:
            return fill()
        return self._views.cache.remember(shortened(key), fill=fill, ttl=ttl, models=models)

    def clear(self):
        """After the write is committed. It does not fail: what cannot be sent now is sent as soon as it can."""
        self._take(self._views.client.clear_caller(self._credential, self._view))

    def _take(self, view):
        self._view = view
        for name in ("X-Cache-Enabled", "X-Cache-Version", "X-User-Id"):
            if name in self._response.headers:
                del self._response.headers[name]
        self._response.headers.update(view.headers())


class CallerViews:
    """The dependency. cache: the cache service, for remember(); memory: what cached() keeps things in."""

    def __init__(self, client, cache=None, memory=None):
        self.client, self.cache = client, cache or client.cache()
        self.memory = memory or LocalMemory()

    def __call__(self, request: Request, response: Response):
        return CallerView(self, request, response)
