"""What is cut out of a text before it leaves the machine, and what stays. No secret stands here whole."""

from __future__ import annotations

import random
import re
import string
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repoctx.redact import Span, redact, secrets, without

ROOT = Path(__file__).parents[2]
RULES = tomllib.loads((ROOT / "repoctx" / "resources" / "secrets.toml").read_text("utf-8"))
LETTERS = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


def drawn(length: int, alphabet: str = LETTERS) -> str:
    """Characters drawn at random, the same ones each time."""
    return "".join(random.Random(length).choices(alphabet, k=length))


TOKENS = {
    "AWS access key": "AK" + "IA" + drawn(16, string.ascii_uppercase + "234567"),
    "GitHub token": "gh" + "p_" + drawn(36),
    "GitHub token, fine-grained": "github" + "_pat_" + drawn(22) + "_" + drawn(59),
    "GitLab token": "gl" + "pat-" + drawn(20),
    "Slack token": "xox" + "b-" + drawn(12, string.digits) + "-" + drawn(24),
    "Slack webhook": "https://hooks.slack" + ".com/services/T" + drawn(10) + "/B" + drawn(10) + "/" + drawn(24),
    "Stripe key": "sk" + "_live_" + drawn(24),
    "Google key": "AI" + "za" + drawn(35),
    "Google key, client": "GOC" + "SPX-" + drawn(28),
    "Azure key": "Account" + "Key=" + drawn(86) + "==",
    "Azure key, client": drawn(3) + "8Q" + "~" + drawn(33),
    "OpenAI key": "sk-" + "proj-" + drawn(60) + "T3Blbk" + "FJ" + drawn(60),
    "Anthropic key": "sk-" + "ant-api03-" + drawn(95),
    "API key": "sk-" + drawn(32, HEX),
    "API key, Groq": "gs" + "k_" + drawn(52),
    "Hugging Face token": "h" + "f_" + drawn(34),
    "npm token": "np" + "m_" + drawn(36),
    "PyPI token": "py" + "pi-AgE" + drawn(80),
    "registry token": "dckr" + "_pat_" + drawn(27),
    "mail or phone service key": "S" + "G." + drawn(22) + "." + drawn(43),
    "mail or phone service key, phone": "S" + "K" + drawn(32, HEX),
    "Telegram token": drawn(10, "123456789") + ":A" + "A" + drawn(33),
    "Discord token": "MT" + drawn(24) + "." + drawn(6) + "." + drawn(38),
    "JWT": "ey" + "J" + drawn(30) + ".ey" + "J" + drawn(60) + "." + drawn(43),
    "cloud token": "do" + "p_v1_" + drawn(64, HEX),
    "service token": "shp" + "at_" + drawn(32, HEX),
    "authorization": "Authorization: Bearer " + drawn(40),
    "credential": '"auth": "' + drawn(40) + '"',
}


@pytest.mark.parametrize("name", TOKENS)
def test_tokens_of_known_form_are_cut_out(name):
    """Wherever a token stands, nothing of it is left but its kind; what surrounds it stays."""
    token = TOKENS[name]
    kind = name.partition(",")[0]
    for before, after in (("", ""), ("x = '", "'\n"), ('{"a": "', '"}'), ("see ", ", or not."), ("A=1\\n", "\\nB=2")):
        text, spans = redact(before + token + after)
        assert [span.kind for span in spans] == [kind]
        assert text.startswith(before)
        assert text.endswith(f"[redacted {kind}]{after}") or name in ("credential", "Slack webhook")
        assert drawn(20)[:12] not in text
        assert (before + token + after)[spans[0].start : spans[0].end] not in text


@pytest.mark.parametrize(
    "line",
    [
        'password = "{}"',
        "API_KEY='{}'",
        '"clientSecret": "{}",',
        "  secret_key: {}",
        "export GITHUB_TOKEN={}",
        'apiKey := "{}"',
        'const authToken: string = "{}";',
        'define("DB_PASSWORD", "{}");',
        "<password>{}</password>",
        "curl --token={} https://x.example",
        'conf["secret"] = "{}"',
        'client.setPassword("{}")',
        ':password => "{}"',
        '{{\\"token\\": \\"{}\\"}}',
        "Server=db;User=me;Password={};",
        "postgres://me:{}@db/x",
        "https://x.example/?a=1&access_token={}&b=2",
        "machine x.example login me password {}",
        "machine x.example\n  login me\n  password {}\n",
        '#define API_KEY "{}"',
        '<add key="ApiKey" value="{}"/>',
        '{{"name": "API_KEY", "value": "{}"}}',
        '"ParameterKey": "DbPassword",\n  "ParameterValue": "{}"',
        "- name: DB_PASSWORD\n  value: {}\n",
        "tool --api-token {} --verbose",
        'token = """{}"""',
        "password: >-\n  {}\n",
        "password: {}, host=postgres.internal",
        "secret: {} url=database.internal",
        "token: {} | user=administrator",
    ],
)
def test_random_values_with_a_telling_name_are_cut_out(line):
    """In code, settings, URLs and commands of any language."""
    base64 = (drawn(22) + "==", drawn(43) + "=", drawn(40, LETTERS + "+") + "=")
    for value in (drawn(20), drawn(32, HEX), drawn(43, LETTERS + "-_"), "xK9" + "!mQ2_pl3z", *base64):
        text, spans = redact(line.format(value))
        assert len(spans) == 1
        assert text == line.format(f"[redacted {spans[0].kind}]")


@pytest.mark.parametrize(
    "text",
    [
        'password = "test"',
        'PASSWORD = "correct horse"',
        "input_cost_per_token: 1.4e-06",
        "token = os.environ['GITHUB_TOKEN']",
        "password: ${DB_PASSWORD}",
        "api_key={{ api_key }}",
        "secret = settings.client_secret2",
        "token=self.tokens[12]",
        f"f(token=x1Y2z3W4={drawn(20)})",
        f"the token {drawn(20)} is expected",
        "token: Optional[Token], timeout: float = default_timeout",
        'token = "<|reserved_special_token_6|>"',
        'api_key="your-api-key-1234"',
        f'password_hash = "{drawn(64, HEX)}"',
        f"commit {drawn(40, HEX)}",
        f'integrity = "sha512-{drawn(86)}=="',
        f"rev: '{drawn(32, HEX)}'",
        'request_token = "123e4567-e89b-12d3-a456-426614174000"',
        '"id": "123e4567-e89b-12d3-a456-426614174000"',
        "postgres://user:password@localhost/db",
        "https://{user}:{password}@host/",
        "http://127.0.0.1:8000/v1@latest",
        f'key = "{drawn(32, HEX)}"\nuuid_token = "0b0e7a3c-1c2d-4e5f-8a9b-0c1d2e3f4a5b"\n',
        f"checksum: sha256:{drawn(64, HEX)}\netag: W/{drawn(32, HEX)}\n",
        f'assert parse("token") == Token(1, "{drawn(40, HEX)}")',
        'output_cost_per_token: 5.6e-06\nmax_tokens: 8192\n"cache_read_input_token_cost": 1.5e-07,',
        'client.login(password="fake-password-1", token="sample_token_2")',
        "git@github.com:owner/name.git",
        'if "-----BEGIN RSA PRIVATE KEY-----" in text:',
        "-----BEGIN CERTIFICATE-----\n" + drawn(64) + "\n" + drawn(63) + "\n-----END CERTIFICATE-----",
        "AKIA" + "IOSFODNN7EXAMPLE",
        "def reset_password(token: str, secret_key: bytes = b'') -> None: ...",
        "",
    ],
)
def test_code_stays_as_it_is(text):
    """Hashes, identifiers, fixtures, look-ups and prices are no secrets: the text comes back itself."""
    assert redact(text) == (text, [])


def test_this_repository_has_no_secrets():
    """Neither the program nor the sample repositories lose anything."""
    paths = [*(ROOT / "repoctx").rglob("*.py"), *(ROOT / "sample_repos").rglob("*.*")]
    found = {path: secrets(path.read_text("utf-8", "replace")) for path in paths if path.is_file()}
    assert len(found) > 100
    assert {path: spans for path, spans in found.items() if spans} == {}


KEY = [drawn(64) for _ in range(25)] + [drawn(63)[:30] + "=="]
BEGIN, END = "-----BEGIN RSA " + "PRIVATE KEY-----", "-----END RSA " + "PRIVATE KEY-----"
PEM = [BEGIN, *KEY, END]


@pytest.mark.parametrize("first,last", [(0, 28), (0, 27), (0, 10), (5, 15), (20, 27), (1, 28), (25, 28), (0, 2)])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_private_keys_are_cut_out_whole_or_in_part(first, last, ends):
    """A chunk may begin or end within a key; lines are kept."""
    cut = ends.join(["class.name", *PEM[first:last], ""])
    text, spans = redact(cut)
    assert [span.kind for span in spans] == ["private key"]
    assert text.count(ends) == cut.count(ends)
    assert not any(line in text for line in KEY)
    assert (BEGIN in text, END in text) == (BEGIN in cut, END in cut)


def test_keys_on_one_line_are_cut_out():
    """As JSON and environment files have them."""
    text, _ = redact('{"private_key": "' + "\\n".join(PEM) + '\\n", "id": 7}')
    assert text == '{"private_key": "' + BEGIN + "\\n[redacted private key]" + END + '\\n", "id": 7}'


@pytest.mark.parametrize(
    "text,rest",
    [
        ("secret: x1Y2z3W4v5U6t7,secret0x=Qm9_new%20", "secret: [redacted secret],secret0x=[redacted secret]"),
        ("token=x1Y2z3W4v5U6t7_secret:Qm9xk2Lw7", "token=[redacted token]:[redacted secret]"),
        ("token=x1Y2z3W4v5U6t7_secret:changeme", "token=x1Y2z3W4v5U6t7_secret:changeme"),
    ],
)
def test_secrets_may_stand_next_to_each_other(text, rest):
    """What stands before a secret is judged as if that had been cut out."""
    assert redact(text)[0] == rest


def test_spans_are_those_of_the_text_before():
    """In order, each with its kind; a report can name their lines."""
    text = f"a = 1\npassword = '{drawn(20)}'\nx = '{TOKENS['npm token']}'\n"
    spans = [Span(18, 38, "password"), Span(45, 85, "npm token")]
    assert secrets(text) == spans
    assert redact(text) == (without(text, spans), spans)
    assert without(text, spans) == "a = 1\npassword = '[redacted password]'\nx = '[redacted npm token]'\n"
    assert without(text, spans[1:]) == f"a = 1\npassword = '{drawn(20)}'\nx = '[redacted npm token]'\n"
    assert without(text, []) == text


# Those that may be written without their marks, and the two whose expressions look ahead.
LOOSE = ("authorization", "credential", "password")


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES["token"] if rule["kind"] not in LOOSE], ids=lambda r: r["kind"]
)
def test_every_token_of_known_form_holds_a_mark_and_no_line_break(rule):
    """So that it is found by looking at the lines that hold a mark."""

    @settings(max_examples=20, deadline=None)
    @given(st.from_regex(re.compile(rule["pattern"], re.ASCII | re.VERBOSE), fullmatch=True))
    def check(token):
        assert any(mark in token for mark in rule["marks"])
        assert "\n" not in token

    check()


@pytest.mark.parametrize("kind,words", RULES["assignment"]["names"])
def test_every_telling_name_is_found_in_any_case(kind, words):
    """All that the expression for a kind of names takes."""

    @settings(max_examples=50, deadline=None)
    @given(st.from_regex(re.compile(words, re.ASCII), fullmatch=True), st.randoms(use_true_random=False))
    def check(name, chance):
        name = "".join(chance.choice((c, c.upper())) for c in name)
        start = len(f"def f():\n    {name} = '")
        assert secrets(f"def f():\n    {name} = '{drawn(20)}'\n") == [Span(start, start + 20, kind)]

    check()


@pytest.mark.parametrize(
    "mark,line",
    [
        ("Authorization", "AuthorIzation: Bearer {}"),
        ('"auth"', "auth: {}"),
        ("machine x login y", "machine\tx.example login y password {}"),
    ],
)
def test_forms_that_may_be_written_without_their_mark_are_found_where_another_line_has_it(mark, line):
    """A text with such a mark is searched from end to end, before it and after it."""
    one = line.format(drawn(24))
    assert len(secrets(f"{one}\nx = 1\n{mark}\nx = 1\n{one}\n")) == 2


def test_where_a_text_is_cut_decides_no_mark_in_it():
    """Marks at the very start, at the very end, next to what is cut out and next to what is not Latin-1."""
    for name in ("AWS access key", "Azure key, client", "Discord token", "JWT"):
        for around in (
            "{}",
            "漢{}漢",
            "漢漢漢漢漢\n{}\n",
            "[redacted token]{}[redacted token]",
            "\U0001f600{}\u212a",
            "\u0130 {}",
            "\0{}\0",
        ):
            found = secrets(around.format(TOKENS[name]))
            assert [span.kind for span in found] == [name.partition(",")[0]], around


PIECES = [
    *(token for token in TOKENS.values()), *(f" {word}" for word in ("password", "token", "api_key", "secret")),
    *"\"'`=:;,.@/<>(){}[]&?#$%*+-_ \n\t\\", "\r\n", "\\n", '\\"', "%20", "://", "=>", "é", "\u2028", "\u0130",
    BEGIN, END, drawn(64), drawn(20), drawn(32, HEX), "Zx81-kk#9q", "user", "https", "machine a login b password ",
    "Bearer ", "[redacted token]", "[redacted ", " str =", "auth", "test", "0",
    "x1Y2z3W4v5U6t7", ", host=", drawn(43) + "=", "\n  value: ", " value=", " --token ", "#define API_KEY ", ": >-\n ",
    '"""',
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_redaction_is_final_and_keeps_lines(text):
    """What is redacted has no secrets; line breaks and all that is outside of a secret stay."""
    redacted, spans = redact(text)
    assert redact(redacted) == (redacted, [])
    assert [c for c in redacted if c in "\r\n\u2028"] == [c for c in text if c in "\r\n\u2028"]
    assert all(a.end <= b.start for a, b in pairwise(spans))
    rest = redacted
    for kept in [
        text[a:b] for a, b in zip([0, *(s.end for s in spans)], [*(s.start for s in spans), None], strict=True)
    ]:
        assert kept in rest
        rest = rest[rest.index(kept) + len(kept) :]
    assert bool(spans) == (redacted != text)


@given(st.text())
def test_any_text_is_taken(text):
    """Whatever Unicode holds."""
    redacted, spans = redact(text)
    assert redacted == text or spans
