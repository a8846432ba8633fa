"""Which commands belong together? `repoctx --help` lists them by purpose."""

from __future__ import annotations

from collections.abc import Mapping

import click

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Index": ("index", "embed", "watch", "git-hook", "status"),
    "Find": ("search", "symbol", "map"),
    "Ask the graph": ("refs", "callers", "callees", "impact", "graph"),
    "Make prompts": ("pack", "models"),
    "Ask a model": ("ask", "debug", "review", "run", "task", "backend"),
    "Measure and tune": ("eval", "tune"),
    "Run the service": ("serve", "worker", "mcp", "onboard", "remove", "token", "webhook"),
    "Keep it running": ("doctor", "gc", "docs"),
}
OTHER = "More"


class Sections(click.Group):
    """A group whose help lists its commands section by section."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each section; what is in none comes last."""
        told = {name for names in SECTIONS.values() for name in names}
        every = {**SECTIONS, OTHER: tuple(name for name in self.list_commands(ctx) if name not in told)}
        longest = max(map(len, self.commands), default=0)
        room = formatter.width - longest - 6
        for title, names in every.items():
            found = [(name, self.commands[name]) for name in names if name in self.commands]
            if rows := [(name.ljust(longest), one.get_short_help_str(room)) for name, one in found if not one.hidden]:
                with formatter.section(title):
                    formatter.write_dl(rows)
