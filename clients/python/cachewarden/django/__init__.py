"""Cachewarden in Django: request.view for each request, cached data and pages, clears after commits.

settings.py:
    MIDDLEWARE = [..., "cachewarden.django.CachewardenMiddleware"]
    CACHEWARDEN_URL = "http://127.0.0.1:8000"
    CACHEWARDEN_KEY = ...          # cachewarden key create shop --scope admin
    CACHEWARDEN_ENTRIES_KEY = ...  # for the cache service: key create shop-entries --scope entries --namespace shop
"""

from .clears import (
    ClearingManager,
    ClearingQuerySet,
    clear_model_on_commit,
    clear_model_on_save,
    clear_on_commit,
    clear_on_save,
)
from .config import cache_service, client
from .pages import cache_response
from .views import CachewardenMiddleware, cached, remember

__all__ = [
    "CachewardenMiddleware",
    "ClearingManager",
    "ClearingQuerySet",
    "cache_response",
    "cache_service",
    "cached",
    "clear_model_on_commit",
    "clear_model_on_save",
    "clear_on_commit",
    "clear_on_save",
    "client",
    "remember",
]
