"""Which pages are there?"""

from __future__ import annotations

from repoctx.serve.web import admin, docs, entry, files, find, frame, graph, jobs, packs, repositories, symbols, tasks

_PAGES = (frame, entry, admin, repositories, jobs, packs, graph, docs, find, files, symbols, tasks)
ROUTERS = tuple(page.router for page in _PAGES)
