"""The panel over HTTP: its pages, the library, pairing, packs and thumbnails."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kfx import clock
from kfx.errors import KfxError
from kfx.panel.acting import Acting
from kfx.panel.ahead import Ahead
from kfx.panel.door import COOKIE
from kfx.panel.library import library
from kfx.panel.roles import Roles, Waiting
from kfx.panel.thumbnails import Thumbnails

MOST_PACK = 64 * 1024 * 1024  # bytes of a zip
MOST_PAIRING = 1024  # bytes of what a device says to be paired
PAIRED_S = 30 * 86400
PAGES = Path(__file__).with_name("pages")
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Web:
    """`routes` of all that is no socket; `changed` is called when there is news for the pages."""

    def __init__(
        self,
        acting: Acting,
        roles: Roles,
        folder: Path,
        *,
        changed: Callable[[], None],
        says: Callable[[str], None],
        ahead: Ahead | None = None,
    ) -> None:
        self._ahead = ahead
        self.pairing_url: Callable[[], str | None] = lambda: None
        self.pages = _pages()
        self.thumbnails = Thumbnails()
        self._acting, self._roles, self._folder = acting, roles, folder
        self._changed, self._says = changed, says

    @property
    def style_hash(self) -> str:
        """What the page's policy must name for its style to count."""
        style = self.pages["index.html"][0].partition(b"<style>")[2].partition(b"</style>")[0]
        return base64.b64encode(hashlib.sha256(style).digest()).decode()

    def routes(self) -> list[Route]:
        return [
            Route("/", self._page),
            Route("/library", self._library),
            Route("/pair", self._pair, methods=["POST"]),
            Route("/pack", self._pack, methods=["POST"]),
            Route("/thumbnail", self._thumbnail),
            Route("/pairing.svg", self._pairing),
            Route("/{name}", self._page),
        ]

    async def read_library(self) -> dict[str, Any]:
        """What there is to choose from; the first time it takes long, so apart from the desk."""
        return await asyncio.get_running_loop().run_in_executor(None, library, self._folder)

    def thumbnails_message(self) -> dict[str, Any]:
        """What has a picture, by version, and how many are still to be drawn."""
        ahead = self._ahead
        return {
            "t": "thumbnails",
            "versions": {**(ahead.versions("look") if ahead else {}), **self.thumbnails.versions},
            "effects": ahead.versions("effect") if ahead else {},
            "left": ahead.left if ahead else 0,
            "fault": ahead.fault if ahead else "",
        }

    async def _page(self, request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in self.pages:
            return Response("not here\n", 404, media_type="text/plain")
        body, kind, tag = self.pages[name]
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag})
        return Response(body, media_type=kind, headers={"etag": tag})

    async def _library(self, request: Request) -> Response:
        if request.scope["state"]["role"] is None:
            return JSONResponse({"error": "pair this device first"}, 401)
        return JSONResponse(await self.read_library())

    async def _pair(self, request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MOST_PAIRING:
                return JSONResponse({"error": "too long"}, 413)
        try:
            said = json.loads(body)
            code, name = str(said["code"]), str(said.get("name", ""))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return JSONResponse({"error": "no code"}, 400)
        address = request.client.host if request.client else ""
        try:
            token = self._roles.pair(code, name, address, clock.now())
        except Waiting as error:
            return JSONResponse({"error": str(error)}, 429)
        if token is None:
            return JSONResponse({"error": "wrong code"}, 403)
        self._changed()
        self._says(f"panel: {name[:40] or address} is paired; the next code is {self._roles.code}")
        answer = JSONResponse({"ok": True})
        answer.set_cookie(COOKIE, token, max_age=PAIRED_S, httponly=True, samesite="strict")
        return answer

    async def _thumbnail(self, request: Request) -> Response:
        if request.scope["state"]["role"] is None:
            return Response(status_code=401)
        asked = request.query_params
        data = self.thumbnails.get(asked.get("name", ""))
        if data is None and self._ahead is not None:
            kind = "effect" if "effect" in asked else "look"
            name = asked.get("effect") or asked.get("name", "")
            data = await asyncio.to_thread(self._ahead.get, kind, name)
        return Response(data, media_type="image/jpeg") if data else Response(status_code=404)

    async def _pairing(self, request: Request) -> Response:
        """The QR code, for whoever sits at the machine that runs the show."""
        import segno

        state, url = request.scope["state"], self.pairing_url()
        if state["role"] != "operator" or state["device"] is not None or url is None:
            return Response(status_code=404)
        out = io.BytesIO()
        segno.make(url, micro=False).save(out, kind="svg", scale=4, border=3, light="#fff")
        headers = {"cache-control": "no-store"}
        return Response(out.getvalue(), media_type="image/svg+xml", headers=headers)

    async def _pack(self, request: Request) -> Response:
        """A preset pack that was dropped on the page; its checks are those of `kfx pack`."""
        if request.scope["state"]["role"] != "operator":
            return JSONResponse({"error": "the operator adds looks"}, 403)
        name = request.query_params.get("name", "")
        with tempfile.TemporaryDirectory(prefix="kfx-panel-") as folder:
            archive, size = Path(folder) / "pack.zip", 0
            with archive.open("wb") as file:
                async for part in request.stream():
                    size += len(part)
                    if size > MOST_PACK:
                        return JSONResponse({"error": "a pack is under 64 MB"}, 413)
                    file.write(part)
            try:
                await self._acting.calmly(lambda: self._acting.unpack(name, archive))
            except KfxError as error:
                return JSONResponse({"error": str(error).replace(str(archive), name)}, 400)
        return JSONResponse({"name": name})


def _pages() -> dict[str, tuple[bytes, str, str]]:
    """Name → contents, type and tag of all there is to serve.

    The style goes into the page itself: one way less before anything can be painted.
    """
    read = {path.name: path.read_bytes() for path in sorted(PAGES.iterdir())}
    style = b"<style>" + read.pop("app.css") + b"</style>"
    read["index.html"] = read["index.html"].replace(
        b'<link rel="stylesheet" href="app.css">', style
    )
    return {
        name: (body, TYPES[Path(name).suffix], f'"{hashlib.sha256(body).hexdigest()[:16]}"')
        for name, body in read.items()
        if Path(name).suffix in TYPES
    }
