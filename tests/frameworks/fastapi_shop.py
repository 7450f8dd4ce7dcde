"""A shop in FastAPI that uses docs/snippets/cachewarden_fastapi.py as that says; see http/test_frameworks.c."""

import socket

import uvicorn
from fastapi import Depends, FastAPI, HTTPException

from cachewarden_fastapi import CallerView

app = FastAPI()
written = []


@app.get("/orders")
def orders(view: CallerView = Depends()):
    return view.cached("orders", lambda: len(written))


@app.post("/orders", status_code=201)
def add_order(view: CallerView = Depends()):
    written.append("order")
    view.clear()


@app.post("/refused")
def refused(view: CallerView = Depends()):
    raise HTTPException(409)


listener = socket.create_server(("127.0.0.1", 0))
print("http://127.0.0.1:%d" % listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listener])
