"""Which pages are there?"""

from __future__ import annotations

from repoctx.serve.web import entry, frame, jobs, repositories

ROUTERS = tuple(part.router for part in (frame, entry, repositories, jobs))
