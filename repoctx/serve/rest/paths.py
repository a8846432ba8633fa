"""Which addresses hold a path? Those whose end is anything at all.

A file's name may hold a line feed, at which the framework's own `path` ends.
"""

from __future__ import annotations

from starlette.convertors import PathConvertor, register_url_convertor


class Whole(PathConvertor):
    """All that is left of an address, whatever is in it."""

    regex = "(?s:.*)"


register_url_convertor("whole", Whole())

# Parts of a route's address.
PATH, ID = "{path:whole}", "{id:whole}"
