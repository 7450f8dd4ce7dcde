"""A shop in FastAPI that uses docs/snippets/cachewarden_fastapi.py as that says; see http/test_frameworks.c."""

import itertools
import os
import socket

import uvicorn
from cachewarden import Client, key_from_environment
from cachewarden.fastapi import CallerView
from fastapi import Depends, FastAPI, HTTPException

from cachewarden_fastapi import caller, router

app = FastAPI()
app.include_router(router)
caller.client = Client.from_environment(timeout=int(os.environ["SHOP_TIMEOUT_MS"]) / 1000)
caller.cache = caller.client.cache(key_from_environment("CACHEWARDEN_ENTRIES_KEY"))
made = itertools.count(1)


@app.get("/summary")
def summary(view: CallerView = Depends(caller)):
    """How many summaries were made."""
    return view.remember("summary", fill=lambda: next(made), models=["Order"])


@app.post("/imports", status_code=201)
def imported():
    """Orders came from elsewhere: no view is cleared, but what the cache service keeps of them."""
    caller.cache.clear_model("Order")


@app.post("/refused")
def refused(view: CallerView = Depends(caller)):
    raise HTTPException(409)


listener = socket.create_server(("127.0.0.1", 0))
print("http://127.0.0.1:%d" % listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listener])
