"""Cachewarden from Python, with nothing but the standard library. README.md tells how it is used."""

from .cache import Cache, Found
from .client import Client, key_from_environment
from .local import LocalMemory
from .view import View, credential_of

__all__ = ["Cache", "Client", "Found", "LocalMemory", "View", "credential_of", "key_from_environment"]
__version__ = "0.1.0"
