"""Cachewarden in FastAPI, with the package clients/python. Such endpoints are `def`, not `async def`."""

from cachewarden import Client
from cachewarden.fastapi import CallerView, CallerViews
from fastapi import APIRouter, Depends

caller = CallerViews(Client.from_environment())  # CACHEWARDEN_URL, and CACHEWARDEN_KEY or CACHEWARDEN_KEY_FILE
router, written = APIRouter(), []


@router.get("/orders")
def orders(view: CallerView = Depends(caller)):
    return view.cached("orders", lambda: len(written))


@router.post("/orders", status_code=201)
def add_order(view: CallerView = Depends(caller)):
    written.append("order")
    view.clear()
