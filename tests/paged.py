"""A service whose pages are about one small repository, with what is hostile in it, and about another beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from repositories import git, write_files
from served import listening

from repoctx.serve.rest import create_app
from repoctx.store import access
from repoctx.workspace import Workspace

HOSTILE = "<img src=x onerror=alert(1)>"
SECRET = "AKIAQ3EGRNZ5WLXK7T2P"
FILES: dict[str, str | bytes] = {
    "shop/__init__.py": '"""A shop."""\n',
    "shop/store.py": (
        "class Store:\n"
        '    """Keeps carts.\n\n    In memory.\n    """\n\n'
        "    def load(self, name):\n"
        "        return self.carts[name]\n\n\n"
        "class Quick(Store):\n"
        "    def load(self, name):\n"
        "        return None\n"
    ),
    "shop/cart.py": (
        "from shop.store import Store\n\n\n"
        "def pay(cart):\n"
        '    """Pay a cart, once."""\n'
        "    store = Store()\n"
        "    return store.load(cart)\n\n\n"
        "def refund(cart):\n"
        "    return cart.undo()\n\n\n"
        "class Cart:\n    def undo(self):\n        return 1\n\n\n"
        "class Gift:\n    def undo(self):\n        return 2\n"
    ),
    "tests/test_cart.py": "from shop.cart import pay\n\n\ndef test_pay():\n    assert pay('a') is None\n",
    f"odd/{HOSTILE}.py": (
        f'# {HOSTILE} \u202e turned \u0007\r\nkey = "{SECRET}"\n\n\ndef odd(x):\n    return f"{{x!r}} & {{x + 1}}"\n'
    ),
    "odd/a #1?%.txt": "plain words about carts\n",
    "odd/many.py": "".join(
        f"def f{n}(x):\n    return f{max(0, n - 1)}(x) + {n}\n# more" + "\n" * 11 for n in range(800)
    ),
    "odd/long.md": "".join(f"word {n}\n" for n in range(9_000)) + "x" * 300_000 + "\nend\n",
    "odd/logo.png": b"\x89PNG\0\0",
}


class Paged(NamedTuple):
    """Where it is, and a token that may only read the repository `shop`."""

    url: str
    workspace: Workspace

    def token(self) -> str:
        """A token that may read `shop` and nothing else. From then on everybody needs one."""
        with self.workspace.engine.begin() as connection:
            return access.create(connection, "reader", "read", ("shop",), time.time())[1]


@contextmanager
def paged(folder: Path) -> Iterator[Paged]:
    """A service with the repositories `shop` and `beside`."""
    workspace = Workspace({"REPOCTX_HOME": str(folder / "home"), "REPOCTX_INDEX_WORKERS": "1"})
    for name, files in (("beside", {"basket.py": "def pay(basket):\n    return basket\n"}), ("shop", FILES)):
        write_files(folder / name, files)
        git(folder / name, "init", "-q", "-b", "main")
        git(folder / name, "add", "-A")
        git(folder / name, "commit", "-q", "-m", f"first {HOSTILE} {SECRET}")
        if name == "shop":
            (folder / name / "shop/cart.py").write_text(str(FILES["shop/cart.py"]) + "\n\nLATE = 1\n")
            git(folder / name, "commit", "-q", "-a", "-m", "add LATE\n\nmore of it")
        workspace.index(str(folder / name), name=name)
    with listening(create_app(workspace)) as address:
        yield Paged(address.url, workspace)
    workspace.close()
