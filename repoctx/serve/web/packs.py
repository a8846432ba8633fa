"""What goes into a prompt, and why? A form that makes a pack, and its account, from which it is made anew."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from markupsafe import Markup
from pydantic import BaseModel, Field, field_validator

from repoctx.errors import RepoctxError
from repoctx.pack import manifest
from repoctx.pack.page import BAR, Beside, account
from repoctx.pack.picture import inline
from repoctx.serve.rest import search
from repoctx.serve.rest.callers import Caller
from repoctx.serve.rest.search import PackQuery
from repoctx.serve.rest.state import Service, ServiceState
from repoctx.serve.web.entry import Reader, reached
from repoctx.serve.web.find import file_address
from repoctx.serve.web.forms import checked, listed, named
from repoctx.serve.web.frame import HEADERS, for_people, page
from repoctx.types import Outlook, Pack, Part

# Characters of an address that keeps what was asked for; more is kept by the page alone.
MOST_ADDRESS = 4000
BUDGETS = ("auto", "8k", "16k", "32k", "64k", "128k", "256k", "512k", "800k")
_MARKS = re.compile(r"[*?\[]| $")
_SPACES = re.compile(r"[^\S ]")
Text = Annotated[str, Field(max_length=5_000_000)]
Word = Annotated[str, Field(max_length=30_000)]

router = APIRouter(prefix="/pack", include_in_schema=False)


class Wanted(BaseModel):
    """What stands in the form."""

    task: Text = ""
    repository: Word = ""  # names, with spaces between them
    ref: Word = ""
    model: Word = ""
    budget: Word = ""
    files: Text = ""  # one on each line, as what follows
    symbols: Text = ""
    exclude: Text = ""
    diff: Text = ""
    format: Word = "xml"

    @field_validator("*")
    @classmethod
    def _lines(cls, value: str) -> str:
        return value.replace("\r\n", "\n")  # which is how browsers send them

    @property
    def query(self) -> PackQuery:
        """What the route is asked. Raises UsageError for what it does not take."""
        names = self.repository.split()
        where = {"repository": names[0]} if len(names) == 1 else {"repositories": names}
        lists = {name: listed(getattr(self, name)) for name in ("files", "symbols", "exclude")}
        words = {name: getattr(self, name) for name in ("task", "ref", "model", "budget", "diff", "format")}
        return checked(PackQuery, words | lists | where)

    @property
    def address(self) -> str:
        """The page that makes the same pack."""
        said = self.model_dump(exclude_defaults=True)
        return "/pack?" + urlencode({name: value for name, value in said.items() if value})


Sent = Annotated[Wanted, Form()]


@router.get("")
def show(
    request: Request, service: ServiceState, caller: Reader, wanted: Annotated[Wanted, Query()]
) -> HTMLResponse:
    """The form, and the pack if a task is given."""
    return _shown(request, service, caller, wanted)


@router.post("")
def make(request: Request, service: ServiceState, caller: Reader, wanted: Sent) -> Response:
    """Make a pack: at an address that says what was asked for, if that is not too long."""
    if len(wanted.address) <= MOST_ADDRESS:
        return RedirectResponse(wanted.address, 303)
    return _shown(request, service, caller, wanted)


@router.post("/prompt.txt")
def prompt(service: ServiceState, caller: Reader, wanted: Sent) -> Response:
    """The prompt as a file: the same bytes as on the page."""
    return _file(search.packed(service, caller, wanted.query).made.prompt, "prompt.txt")


@router.post("/manifest.json")
def account_of(service: ServiceState, caller: Reader, wanted: Sent) -> Response:
    """What is in the prompt, and why, as a file."""
    made = search.packed(service, caller, wanted.query).made
    return _file(json.dumps(manifest(made), ensure_ascii=False, indent=1) + "\n", "manifest.json")


def _file(text: str, name: str) -> Response:
    headers = HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'}
    return PlainTextResponse(text, headers=headers)


def _shown(request: Request, service: Service, caller: Caller, wanted: Wanted) -> HTMLResponse:
    values: dict[str, Any] = {
        "wanted": wanted, "said": "", "account": None, "bar": Markup(BAR), "budgets": BUDGETS,
        "models": list(service.workspace.models), "names": named(service, caller),
    }  # fmt: skip
    if wanted.task.strip() and wanted.repository.split():
        try:
            query = wanted.query
            made = search.packed(service, caller, query).made
        except RepoctxError as error:
            values["said"] = for_people(str(error))
        else:
            values |= {"account": Markup(account(made, _beside(wanted, made))), "made": made}
            values |= _commands(query, f"{reached(request)}/v1/pack")
    elif wanted.task.strip():
        values["said"] = "say which repository the task is about"
    return page(request, "pack.html", **values)


def _beside(wanted: Wanted, made: Pack) -> Beside:
    """What the account of a pack offers here: another size, the file of a part, to leave it out, to keep it.

    The buttons of parts, of which there may be thousands, are no part of the form: a browser looks at all that a form
    has for each button that it gets. They write into its fields, by `packs.js`.
    """
    names, ref = wanted.repository.split(), wanted.ref.strip()

    def size(one: Outlook) -> str:
        button = '<button form="pack" name="budget" value="{0}" title="make it with {0:,} tokens">{0:,}</button>'
        return "" if one.budget == made.plan.budget else Markup(button).format(one.budget)

    def part(one: Part) -> str:
        where = file_address(one.repository or names[0], one.path, ref)
        lines = "" if one.detail == "name" else f"#L{one.start_line}-L{one.end_line}"
        path = f"{one.repository}/{one.path}" if one.repository else one.path
        return Markup(
            '<span class="does"><a href="{0}{1}" aria-label="file {2}">file</a> <span class="js">'
            '<button type="button" data-adds="exclude" value="{3}" aria-label="leave {2} out">leave out</button> '
            '<button type="button" data-adds="files" value="{4}" aria-label="show {2} in any case">keep</button>'
            "</span></span>"
        ).format(where, lines, Markup(inline(path)), _pattern(path, bool(one.repository)), _line(path))

    return Beside(size, part)


def _pattern(path: str, several: bool = False) -> str:
    """The pattern that fits a path and no other; of several repositories it begins with the name of its own."""
    plain = _SPACES.sub("?", _MARKS.sub(r"[\g<0>]", path))
    return plain if several else f"/{plain}"


def _line(path: str) -> str:
    """A path as it can stand on a line of a form."""
    return path if path == path.strip() and path.isprintable() else _pattern(path)


def _commands(query: PackQuery, address: str) -> Mapping[str, str]:
    """What makes the same pack elsewhere: on the command line, and of this service, whose route has an address."""
    options: list[str] = ["--task", query.task]
    for name in query.repositories or [query.repository or ""]:
        options += ["--repo", name]
    given = query.model_dump(exclude_unset=True, exclude={"task", "repository", "repositories", "diff"})
    for name, value in given.items():
        for one in value if isinstance(value, list) else [value]:
            options += [f"--{name}", str(one)]
    if query.diff:
        options += ["--diff", "change.diff"]
    body = json.dumps(query.model_dump(exclude_unset=True), ensure_ascii=False)
    curl = ["curl", "-H", "Authorization: Bearer $TOKEN", "--json", body, address]
    return {
        "command": shlex.join(["repoctx", "pack", *options]),
        "curl": shlex.join(curl).replace("'Authorization: Bearer $TOKEN'", '"Authorization: Bearer $TOKEN"'),
    }

