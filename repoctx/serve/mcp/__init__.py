"""How do agents ask? The tools of `tasks.tools` over the Model Context Protocol, on standard input or over HTTP."""

# How a file of a repository is called as a resource, and the field of a resource that says how fresh it is.
TEMPLATE = "repoctx://{repository}/files/{+path}"
FRESHNESS = "repoctx/freshness"
# Tools that take long.
HEAVY = frozenset({"search", "pack"})
# Tools that have a model do something, and what tells of it.
DOES = frozenset({"debug", "task"})
