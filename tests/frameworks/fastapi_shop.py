"""A shop in FastAPI that uses docs/snippets/cachewarden_fastapi.py as that says; see http/test_frameworks.c."""

import socket

import uvicorn
from cachewarden.fastapi import CallerView
from fastapi import Depends, FastAPI, HTTPException

from cachewarden_fastapi import caller, router

app = FastAPI()
app.include_router(router)


@app.post("/refused")
def refused(view: CallerView = Depends(caller)):
    raise HTTPException(409)


listener = socket.create_server(("127.0.0.1", 0))
print("http://127.0.0.1:%d" % listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listener])
