"""What is asked of a model in which order, as a file says it?

`written` reads YAML, `load` and `check` make a `Workflow` of it (`shape`, `template`), `given` looks at the inputs,
`items` says what `foreach` is about (`outline`), `question` makes a prompt (`quoted`), `answer` reads what comes back
and holds it against a schema (`form`), `fold` makes one of many, `run` does it all (`side` by side), and `plan` says
beforehand what it would cost.
"""

from __future__ import annotations

from typing import Any

from repoctx.tasks.workflow.given import check_inputs
from repoctx.tasks.workflow.load import builtin, find, load, schema
from repoctx.tasks.workflow.plan import Estimate, estimate
from repoctx.tasks.workflow.run import Outcome, run
from repoctx.tasks.workflow.shape import Workflow

__all__ = [
    "Estimate", "Outcome", "Workflow", "as_json", "builtin", "check_inputs", "estimate", "find", "load", "run",
    "schema",
]  # fmt: skip


def as_json(made: Any) -> Any:
    """An outcome or an estimate as it is stored and sent."""
    if hasattr(made, "_asdict"):
        return {key: as_json(value) for key, value in made._asdict().items()}
    if isinstance(made, (list, tuple)):
        return [as_json(one) for one in made]
    return {key: as_json(value) for key, value in made.items()} if isinstance(made, dict) else made
