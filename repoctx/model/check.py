"""What does a back end really do? Its window, its tokens, what it does with too much, what it finds again.

Every check sends requests and says what was measured. Tokens of texts are compared as differences to those of one
short text, so that what the server's chat template adds and what its tokenizer does are told apart.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from repoctx import tokens
from repoctx.counters import Counter
from repoctx.errors import BackendError, UsageError
from repoctx.model import probe
from repoctx.model.client import Backend
from repoctx.model.needles import Gauge, filler, needles, truncation
from repoctx.model.probe import Check, Listing, Reply, Target, Told, ask
from repoctx.model.windows import TEMPLATE, Model
from repoctx.types import Tier

SLACK = 0.05  # of a prediction, where the server's tokens are not those of our tokenizer
SHARE = 0.75  # of a window that is smaller than its tier's, for the largest prompt

ANCHOR = "Hello"
SYSTEM = "Answer with one word."
# Each begins with a letter and ends with no blank: templates may trim.
TEXTS = {
    "code": "def parse(raw: bytes) -> dict[str, int]:\n\tit = raw.split(b';')  # it's FF\n\treturn {k: 1 for k in it}",
    "CJK": "a 日本語のコメント、中文注释。한국어 주석 終",
    "emoji": "ok \U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd \U0001fae0 ok",
    "combining characters": "cafe\u0301 a\u0308o\u0308 z\u0351\u036b\u0343 \u1112\u1161\u11ab e\u0301nd",
    "blanks": "a" + " " * 37 + "b\t\t  \t c" + "\n" * 5 + " " * 9 + "d\u00a0\u3000e\n \n\t\n f",
    "CRLF": "a = 1\r\n\r\n\tb = 2\r\n  c\r\rd",
    "digits": "at 12345678901234567890 3.14159 1e-7 0x7fff",
    "control words": "if it == '<|im_end|>' or '<|endoftext|>': <tool_call> </think> <|fim_prefix|> [INST] end",
}
LINES = "plain lines"  # of the filler of long prompts


def checks(target: Target) -> Iterator[Check]:
    """The checks as they are made. Where the first one fails there is no back end, and no other check.

    Raises UsageError for a tier that the model does not have, or a key that is not there.
    """
    if target.tier and target.tier not in target.rooms:
        raise UsageError(f"{target.model.name} has no tier {target.tier!r}: there are {', '.join(target.rooms)}")
    try:
        listed = probe.listing(target.backend)
    except BackendError as error:
        yield Check("reachable", False, str(error))
        return
    backend = replace(target.backend, model=target.backend.model or next(iter(listed.rows), ""))
    first, problem = None, listed.problem + ("" if "/v1" in listed.problem else ": name one with --backend-model")
    if backend.model:
        try:
            first, problem = ask(backend, ANCHOR), ""
        except BackendError as error:
            problem = listed.problem if "/v1" in listed.problem else str(error)
    if problem and not listed.rows:
        yield Check("reachable", False, problem)
        return
    yield Check("reachable", True, f"{backend.base_url} answers", {"url": backend.base_url})
    yield _served(backend, listed, problem)
    if first:
        yield from _measured(target._replace(backend=backend), first, probe.told_window(backend, listed))


def _measured(target: Target, first: Reply, told: Told | None) -> Iterator[Check]:
    """The checks of a back end that answers."""
    counter, tiers = target.counter, target.model.tiers
    held = [tier for tier in tiers if told and tier.window <= told.window]
    tier = next((tier for tier in tiers if tier.name == target.tier), held[-1] if held else tiers[0])
    gauge = Gauge(target.model.template, 1 + counter.margin)
    yield _usage(first)
    yield _window(target.model, tier, told)
    if first.usage is None:
        for name in ("template", "tokens"):
            yield Check(name, None, "not measured: the server reports no usage")
    else:
        base = first.usage.prompt_tokens
        yield _tried("template", lambda: _template(target, base))
        try:
            counts, composed = _counts(target, base - counter.count(ANCHOR))
            ours, theirs = counts[LINES]
            exact = ours == theirs and counter.exact
            gauge = Gauge(base - counter.count(ANCHOR), theirs / ours if theirs > 0 else 1.0, 0.0 if exact else SLACK)
            yield _tokens(counter, counts, composed) if counter.exact else _estimated(counter, counts)
        except BackendError as error:
            yield Check("tokens", False, str(error))
    window = told.window if told else tier.window if target.tier else None
    if window is None:
        yield Check("truncation", None, "not tried: no window is told; --tier NAME says which one is meant")
    elif first.usage is None and not counter.exact:
        yield Check("truncation", None, "not tried: without usage and with an estimate no prompt is surely too long")
    else:
        yield _tried("truncation", lambda: truncation(target, gauge, window))
    small = told and told.window < tier.window
    yield from needles(target, gauge, tier, int(told.window * SHARE) if told and small else target.rooms[tier.name])


def _tried(name: str, make: Callable[[], Check]) -> Check:
    """A check; that a request fails is a finding too."""
    try:
        return make()
    except BackendError as error:
        return Check(name, False, str(error))


def _used(backend: Backend, text: str, system: str = "") -> int:
    """Tokens of a prompt as the server counts them. Raises BackendError if it does not say."""
    usage = ask(backend, text, system).usage
    if usage is None:
        raise BackendError("the server reports usage for some requests and not for others, so nothing can be compared")
    return usage.prompt_tokens


# --- what is served ----------------------------------------------------------------------------


def _served(backend: Backend, listed: Listing, problem: str) -> Check:
    """Whether the model asked for is served; `problem` says why it does not answer."""
    names = list(listed.rows)
    figures = {"model": backend.model, "listed": names[:100]}
    lists = f"the server lists {', '.join(map(repr, names[:5]))}{' and others' if len(names) > 5 else ''}"
    ok: bool | None
    if backend.model in names:
        ok, said = not problem, f"is listed, but {problem}" if problem else "is listed and answers"
    elif problem:
        ok, said = False, f"is not there: {lists}; name one of those with --backend-model ({problem})"
    else:
        ok, said = None if names else True, f"answers, but {lists}: it may be another model" if names else "answers"
    return Check("model", ok, f"{backend.model!r} {said}", figures)


def _usage(first: Reply) -> Check:
    if first.usage is None:
        return Check("usage", False, "a stream ends without usage, so token counts cannot be compared: let the server, "
                     "and any proxy before it, obey stream_options.include_usage")  # fmt: skip
    return Check("usage", True, "reported at the end of a stream", {"prompt_tokens": first.usage.prompt_tokens})


def _window(model: Model, tier: Tier, told: Told | None) -> Check:
    """Whether the window that the server tells is that of a tier. Its rope factor no server tells."""
    figures = {**(told or Told(0, ""))._asdict(), "tier": tier.name, "rope_factor": tier.rope_factor}
    fits = f"tier {tier.name} of {tier.window:,} (for rope factor {tier.rope_factor:g})"
    if told is None:
        return Check("window", None, f"the server tells none; packs rely on {fits}", {**figures, "window": None})
    says, most = f"{told.window:,} tokens by {told.source}", int(model.native * tier.rope_factor)
    if tier.window <= told.window <= most:
        if told.source == probe.TRAINED:
            return Check("window", None, f"{says}, what it was made for; what is served is not told", figures)
        return Check("window", True, f"{says}: {fits}", figures)
    few = told.window < tier.window
    wrong = f"are fewer than {fits} needs" if few else f"are more than {fits} can have, {most:,}"
    todo = f"start the server as `repoctx models {model.name}` says, or name the --model and --tier that it should have"
    return Check("window", False, f"{says} {wrong}: {todo}", {**figures, "tier": None})


# --- tokens ------------------------------------------------------------------------------------


def _template(target: Target, base: int) -> Check:
    """What the chat template adds to a user message, and to a system message; `base` are the anchor's tokens."""
    model, counter = target.model, target.counter
    user, stated = base - counter.count(ANCHOR), model.template
    qwen = model.tokenizer == "qwen" and stated == tokens.chat_overhead()
    try:
        system: int | None = _used(target.backend, ANCHOR, SYSTEM) - base - counter.count(SYSTEM)
    except BackendError:  # some templates know none, and packs send none
        system = None
    wanted = tokens.chat_overhead(SYSTEM) - stated - tokens.count(SYSTEM) if qwen else system
    says = f"{'' if counter.exact else 'about '}{user} tokens around a user message, {system} around a system message"
    figures = {"template": user, "stated": stated, "system": system}
    spare = user < stated and (stated == TEMPLATE or not counter.exact)
    if user != stated and not spare:
        return Check("template", False, f"{says}, where {stated} are stated: set template = {user} for {model.name} in "
                     "models.toml, unless the server adds a system message that it should not", figures)  # fmt: skip
    if system != wanted:
        return Check("template", False, f"{says}, where {wanted} are expected: use Qwen's chat template", figures)
    kept = f"; {stated} are kept free: template = {user} in models.toml is exact" if spare and counter.exact else ""
    return Check("template", True, says + kept, figures)


def _counts(target: Target, overhead: int) -> tuple[dict[str, tuple[int, int]], bool]:
    """Our count and the server's of each text, and whether the server composes characters first (NFC)."""
    counter, composed = target.counter, False
    counts: dict[str, tuple[int, int]] = {}
    for name, text in {**TEXTS, LINES: "".join(filler(counter, 400)).rstrip()}.items():
        safe = counter.neutralise(text)
        ours, theirs = counter.count(safe), _used(target.backend, safe) - overhead
        if ours != theirs == counter.count(unicodedata.normalize("NFC", safe)):
            ours, composed = theirs, True
        counts[name] = (ours, theirs)
    return counts, composed


def _tokens(counter: Counter, counts: Mapping[str, tuple[int, int]], composed: bool) -> Check:
    """Whether the server counts as our tokenizer does."""
    figures = {"tokenizer": counter.name, "texts": counts, "composed": composed}
    wrong = [f"{name} {theirs - ours:+,} to {ours:,}" for name, (ours, theirs) in counts.items() if theirs != ours]
    if wrong:
        differ = f"{len(wrong)} of {len(counts)} texts differ from {counter.name} ({', '.join(wrong)})"
        todo = "name the --model that is served, or its tokenizer in models.toml"
        return Check("tokens", False, f"{differ}: {todo}", figures)
    note = "; it composes characters (NFC), so texts of decomposed ones have other counts" if composed else ""
    return Check("tokens", True, f"{len(counts)} hostile texts have as many as {counter.name} counts{note}", figures)


def _estimated(counter: Counter, counts: Mapping[str, tuple[int, int]]) -> Check:
    """Whether an estimate's margin covers all texts together; the worst one is named."""
    shares = sorted((theirs / ours, name) for name, (ours, theirs) in counts.items())
    ours, theirs = (sum(pair[side] for pair in counts.values()) for side in (0, 1))
    figures = {"tokenizer": counter.name, "texts": counts, "share": round(theirs / ours, 3), "margin": counter.margin}
    says = (
        f"{theirs / ours:.2f} times the estimate together, {shares[0][0]:.2f} ({shares[0][1]}) to {shares[-1][0]:.2f} "
        f"({shares[-1][1]}); packs allow for {1 + counter.margin:.2f}"
    )
    ok = theirs <= counter.most(ours)
    return Check("tokens", ok, says if ok else f"{says}: set a tokenizer.json or estimate:1 in models.toml", figures)
