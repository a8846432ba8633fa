"""Embeddings of a server: real HTTP on loopback, with all that servers do wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from answers import opened
from repositories import write_files
from scripted import Reply, Server, running

from repoctx.embedding import BATCH
from repoctx.errors import BackendError, UsageError
from repoctx.index.codes import MOST_DIMENSIONS, SCALE
from repoctx.index.embed import PROBE, Hashing, embedder
from repoctx.index.remote import MOST_CHARACTERS, MOST_TEXTS, Remote
from repoctx.serve.cli import cli
from repoctx.serve.program import run as run_program
from repoctx.serve.switching import checked

TEXTS = [f"def function_{number}(): return {number}" for number in range(100)]
SECRET = "gh" + "p_" + "a1B2c3D4e5F6" * 3


@pytest.fixture
def server() -> Iterator[Server]:
    """Answers with the vectors of the hashing embedder unless a test says otherwise."""
    with running() as server:
        server.otherwise = good
        yield server


def good(request: dict[str, Any]) -> Reply:
    """The right answer, its vectors in reverse order."""
    rows = enumerate(Hashing().documents(request["input"]).tolist())
    data = [{"object": "embedding", "index": index, "embedding": [3 * x for x in row]} for index, row in rows]
    return answer(data[::-1])


def answer(data: object) -> Reply:
    """A body with these vectors."""
    return Reply(body=json.dumps({"object": "list", "data": data, "model": "hashing"}).encode())


def refusing(
    most_texts: int = 10_000, most_characters: int = 1_000_000, status: int = 400, says: str = "too many inputs"
):
    """A server that refuses requests of more texts, or with longer ones."""

    def reply(request: dict[str, Any]) -> Reply:
        texts = request["input"]
        if len(texts) > most_texts or max(map(len, texts)) > most_characters:
            return Reply(status, json.dumps({"error": {"message": says}}).encode())
        return good(request)

    return reply


def remote(server: Server, **more: Any) -> Remote:
    """The embedder of the server; it never sleeps."""
    return Remote("hashing", server.url, **{"sleep": lambda _: None, "jitter": lambda: 0.5, **more})


def test_texts_are_embedded_in_batches_and_come_back_in_order(server):
    """Whatever the order of the answers; the id names model and server, dimensions are known afterwards."""
    model = remote(server)
    assert model.model == f"openai:hashing@{server.url}"
    vectors = model.documents(TEXTS)
    assert np.allclose(vectors, Hashing().documents(TEXTS), atol=1e-6)
    assert (vectors.dtype, model.dimensions) == (np.float32, 256)
    assert sorted(len(request["input"]) for request in server.requests) == [4, 32, 32, 32]
    assert {key: value for key, value in server.requests[0].items() if key != "input"} == {
        "path": "/v1/embeddings", "model": "hashing", "encoding_format": "float",
    }  # fmt: skip
    assert "Authorization" not in server.seen_headers[0]


def test_a_query_is_a_request_of_its_own(server):
    """One text, one unit vector."""
    vector = remote(server).query("retry the call")
    assert np.allclose(vector, Hashing().query("retry the call"), atol=1e-6)
    assert [request["input"] for request in server.requests] == [["retry the call"]]


def test_dimensions_can_be_asked_before_the_first_text(server):
    """They cost a request, once."""
    model = remote(server)
    assert [model.dimensions, model.dimensions] == [256, 256]
    assert model.documents([]).shape == (0, 256)
    assert len(server.requests) == 1


def test_requests_are_bounded_by_characters_too(server):
    """Long texts go a few at a time; what no model reads is not sent."""
    remote(server).documents(["first = second\n" * 5000] * 64)
    sizes = [sum(map(len, request["input"])) for request in server.requests]
    assert max(sizes) <= MOST_CHARACTERS
    assert sum(sizes) == 64 * 4000


def test_blank_texts_are_not_sent(server):
    """Servers refuse them; their vector is zero. So is that of a blank query."""
    vectors = remote(server).documents(["def a(): pass", "", " \n\t"])
    assert np.linalg.norm(vectors, axis=1).round(5).tolist() == [1, 0, 0]
    assert server.requests[0]["input"] == ["def a(): pass"]
    assert not remote(server).query(" ").any()


def test_secrets_do_not_leave_the_machine(server):
    """Neither in texts nor in queries; text that is no Unicode is sent as what can be."""
    model = remote(server)
    key = "-----BEGIN " + "PRIVATE KEY-----\n" + "A1b2C3d4" * 8 + "\n-----END " + "PRIVATE KEY-----"
    model.documents([f"TOKEN = '{SECRET}'", f"password = '{SECRET[4:]}'", key])
    model.query(f"why is {SECRET} refused? \udcff")
    sent = json.dumps(server.requests)
    assert SECRET[4:] not in sent
    assert "A1b2C3d4" not in sent
    assert "TOKEN = '[redacted GitHub token]'" in server.requests[0]["input"]


def test_a_key_goes_into_the_header_alone(server, monkeypatch):
    """It is read from the named variable and cut out of what the server echoes."""
    monkeypatch.setenv("MY_KEY", "sk-hush")
    model = remote(server, key_env="MY_KEY")
    server.replies.append(Reply(401, b'{"error": {"message": "bad key sk-hush"}}'))
    with pytest.raises(BackendError, match=r"refused the key: set MY_KEY\. It says: bad key \*\*\*"):
        model.query("x")
    assert server.seen_headers[0]["Authorization"] == "Bearer sk-hush"
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(UsageError, match="MY_KEY holds no key"):
        remote(server, key_env="MY_KEY").query("x")
    assert len(server.requests) == 1


def test_busy_servers_are_asked_again(server):
    """429, errors of the server, a hang-up and half an answer, each after a wait; Retry-After is honoured."""
    waits: list[float] = []
    server.replies += [Reply(429), Reply(503, b"", (("Retry-After", "7"),)), Reply(0), Reply(200, b"{", promised=99)]
    vectors = remote(server, sleep=waits.append).documents(TEXTS[:2])
    assert np.allclose(vectors, Hashing().documents(TEXTS[:2]), atol=1e-6)
    assert waits == [0.75, 7.0, 3.0, 6.0]


def test_attempts_end_and_a_query_s_sooner(server):
    """Five for a batch, two for whether the server embeds anything, two for somebody who waits."""
    server.otherwise = lambda _: Reply(500, b'{"error": "out of memory"}')
    with pytest.raises(BackendError, match="answered 500: out of memory"):
        remote(server).documents(["x"])
    assert len(server.requests) == 5 + 2
    with pytest.raises(BackendError, match="answered 500"):
        remote(server).query("x")
    assert len(server.requests) == 5 + 2 + 2


def test_nobody_listening_is_one_sentence():
    """It names the address."""
    with running() as closed:
        url = closed.url
    with pytest.raises(BackendError, match=rf"{url} cannot be reached: .*Is it running\?"):
        Remote("m", url, sleep=lambda _: None).documents(["x"])


@pytest.mark.parametrize(
    "status,says",
    [
        (413, "Input validation error: `inputs` must have less than 512 tokens. Given: 785"),
        (400, "This model's maximum context length is 512 tokens. However, you requested 1451 tokens"),
        (400, "Invalid 'input[3]': maximum input length is 8192 tokens."),
        (400, "the input length exceeds the context length"),
        (400, "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 8192]"),
        (422, "Requested 346932 tokens, max 300000 tokens per request"),
        (500, "input is too large to process. increase the physical batch size"),
        (500, "input (785 tokens) is too large to process. increase the physical batch size (current: 512)"),
    ],
)
def test_what_is_too_long_is_halved_until_it_fits(server, status, says):
    """The text that was refused alone; the others are embedded whole, and are not asked for again and again."""
    server.otherwise = refusing(most_characters=1000, status=status, says=says)
    long = "word other " * 200
    model = remote(server)
    vectors = model.documents([*TEXTS[:7], long])
    expected = Hashing().documents([*TEXTS[:7], long[:550]])
    assert np.allclose(vectors, expected, atol=1e-6)
    first = len(server.requests)
    model.documents([*TEXTS[:7], long])
    assert len(server.requests) == first + 4  # seven texts, and the long one in three lengths
    assert [len(request["input"]) for request in server.requests[first:]].count(7) == 1


def test_servers_that_take_fewer_texts_are_given_fewer(server):
    """The first refusal says how many; the texts that follow go in such batches."""
    server.otherwise = refusing(most_texts=10, says="batch size is invalid, it should not be larger than 10.")
    model = remote(server, requests=1)
    vectors = model.documents(TEXTS)
    assert np.allclose(vectors, Hashing().documents(TEXTS), atol=1e-6)
    sizes = [len(request["input"]) for request in server.requests]
    assert sizes == [32, 16, 8, 8, 16, 8, 8, *[8] * 8, 4]


def test_a_text_that_is_refused_however_short_is_an_error(server):
    """It is not its length then; nor is it the text, if the server refuses another too."""
    server.otherwise = lambda _: Reply(400, b'{"message": "input is too long"}')
    with pytest.raises(BackendError, match="answered 400: input is too long"):
        remote(server).documents(["word " * 100])
    assert len(server.requests) == 5  # 500, 250, 125 and 62 characters, and another text


def vector(*numbers: float | None) -> list[dict[str, object]]:
    """The answer to one text."""
    return [{"index": 0, "embedding": list(numbers)}]


@pytest.mark.parametrize(
    "reply,said",
    [
        (Reply(404, b'{"error": {"message": "model \\"m\\" not found"}}'), r'answered 404: model "m" not found'),
        (Reply(403, b""), "asks for a key: set embedding.model to openai:hashing@http.* in embedding.key_env"),
        (Reply(307, b"", (("Location", "http://elsewhere/"),)), "answered 307"),
        (Reply(body=b"<html>Welcome</html>"), "sent no embeddings: '<html>Welcome</html>'"),
        (Reply(body=b"[]"), "sent no embeddings"),
        (Reply(body=b'{"data": null}'), "sent no embeddings"),
        (Reply(body=b'{"data": [7]}'), "sent no embeddings"),
        (Reply(body=b"[" * 100_000), "sent no embeddings"),
        (answer([]), "sent 0 vectors for 1 texts"),
        (answer([*vector(1, 2), *vector(1, 2)]), "sent 2 vectors for 1 texts"),
        (answer([{"index": 5, "embedding": [1]}]), "sent 1 vectors for 1 texts"),
        (answer(vector()), "not lists of numbers"),
        (answer([{"index": 0, "embedding": 3}]), "not lists of numbers"),
        (answer([{"index": 0, "embedding": "AAAA"}]), "not lists of numbers"),
        (answer([{"index": 0, "embedding": [[1], [2, 3]]}]), "not lists of numbers"),
    ],
)
def test_wrong_answers_are_one_clear_error(server, reply, said):
    """Whatever a server sends instead of vectors is told, and not asked for again."""
    server.replies.append(reply)
    with pytest.raises(BackendError, match=said):
        remote(server).documents(["x"])
    assert len(server.requests) == 1


REFUSALS = [
    (Reply(400, b'{"error": {"message": "disallowed special tokens"}}'), "answered 400: disallowed special tokens"),
    (Reply(422, b'{"detail": "no"}'), "answered 422: no"),
    (Reply(500, b'{"error": "NaN"}'), "answered 500: NaN"),
    (answer(vector(1, float("nan"))), "not finite"),
    (answer(vector(None, 1)), "not finite"),
    (answer(vector(1, float("inf"))), "not finite"),
    (answer(vector(1, 1e300)), "not finite"),
    (answer(vector(0, 0)), "zeros only"),
]


@pytest.mark.parametrize("reply,said", REFUSALS)
def test_a_server_that_refuses_every_text_is_an_error(server, reply, said):
    """Its sentence comes out, after another text was refused too."""
    server.otherwise = lambda _: reply
    with pytest.raises(BackendError, match=said):
        remote(server).documents(["x"])
    assert [request["input"] for request in server.requests] in ([["x"], [PROBE]], [["x"]] * 5 + [[PROBE]] * 2)


SPECIAL = "print('<|endoftext|>')"


def without_special(reply: Reply):
    """A server that gives this reply, for as many texts as it was asked for, if the special text is among them."""

    def chosen(request: dict[str, Any]) -> Reply:
        if not any("<|endoftext|>" in text for text in request["input"]):
            return good(request)
        if reply.status != 200:
            return reply
        (one,) = json.loads(reply.body)["data"]
        numbers = (one["embedding"] * 128)[:256]
        return answer([{"index": index, "embedding": numbers} for index in range(len(request["input"]))])

    return chosen


@pytest.mark.parametrize("reply,said", REFUSALS)
@pytest.mark.parametrize("place", [0, 20, 99])
def test_one_text_that_is_refused_has_the_zero_vector(server, reply, said, place):
    """All others have theirs; as a query it is an error."""
    server.otherwise = without_special(reply)
    texts = [*TEXTS[:place], SPECIAL, *TEXTS[place + 1 :]]
    expected = Hashing().documents(texts)
    expected[place] = 0
    model = remote(server)
    assert np.allclose(model.documents(texts), expected, atol=1e-6)
    assert np.allclose(model.documents([SPECIAL]), 0)
    with pytest.raises(BackendError, match=said):
        model.query(SPECIAL)


def test_a_repository_with_a_text_that_the_server_refuses_is_indexed(server, tmp_path):
    """Its model answers; the next run asks for nothing again."""
    server.otherwise = without_special(REFUSALS[0][0])
    folder = tmp_path / "repo"
    folder.mkdir()
    write_files(folder, {"a.py": f"def end():\n    {SPECIAL}\n", "b.py": "def parse_date(text):\n    return text\n"})
    setting = f"openai:hashing@{server.url}"
    with opened(tmp_path / "home", REPOCTX_EMBEDDING_MODEL=setting) as workspace:
        assert workspace.index(str(folder)).embedding == setting
        asked = len(server.requests)
        assert workspace.index(str(folder)).embedding == setting
        assert len(server.requests) == asked
        assert workspace.search("parse a date", "repo").hits[0].path == "b.py"


def test_a_key_in_an_answer_that_is_none_is_not_shown(server, monkeypatch):
    """A page that repeats the request's headers, the key where the shown part of it ends."""
    monkeypatch.setenv("MY_KEY", "sk-hush")
    server.replies.append(Reply(body=b"." * 196 + b"sk-hush"))
    with pytest.raises(BackendError, match=r"sent no embeddings: '\.{196}\*\*\*'"):
        remote(server, key_env="MY_KEY").query("x")


def test_vectors_whose_products_would_not_be_exact_are_refused(server, tmp_path):
    """The most dimensions are those of which float32 adds the largest products exactly."""
    assert (SCALE + 0.5) ** 2 * MOST_DIMENSIONS < 2**24 <= (SCALE + 0.5) ** 2 * (MOST_DIMENSIONS + 1)
    server.otherwise = lambda request: answer(
        [{"index": index, "embedding": [1] * (MOST_DIMENSIONS + 1)} for index in range(len(request["input"]))]
    )
    write_files(tmp_path, {"repo/a.py": "def a():\n    return 1\n"})
    with (
        opened(tmp_path / "home", REPOCTX_EMBEDDING_MODEL=f"openai:large@{server.url}") as workspace,
        pytest.raises(BackendError, match=r"vectors of 15,884 dimensions: choose one of at most 15,883\."),
    ):
        workspace.index(str(tmp_path / "repo"))


def test_a_search_without_the_setting_is_told_to_set_it_where_a_key_is_asked_for(server, tmp_path, monkeypatch):
    """The key goes to the server in embedding.model only, so another one's sentence names the setting."""
    monkeypatch.setenv("EMBEDDING_API_KEY", "sk-hush")
    server.otherwise = lambda request: (
        good(request) if server.seen_headers[-1].get("Authorization") == "Bearer sk-hush" else Reply(401)
    )
    write_files(tmp_path, {"repo/a.py": "def parse_date(text):\n    return text\n"})
    setting = f"openai:hashing@{server.url}"
    with opened(tmp_path / "home", REPOCTX_EMBEDDING_MODEL=setting) as workspace:
        workspace.index(str(tmp_path / "repo"))
        assert workspace.search("parse a date", "repo").hits
    with (
        opened(tmp_path / "home") as workspace,
        pytest.raises(BackendError, match=f"asks for a key: set embedding.model to {setting} and "),
    ):
        workspace.search("parse a date", "repo")


def test_dimensions_are_the_same_in_all_answers(server):
    """Another number means another model; nothing is mixed."""
    model = remote(server)
    server.replies += [answer(vector(3, 4)), answer(vector(1, 2, 3))]
    assert model.query("x").tolist() == pytest.approx([0.6, 0.8])
    with pytest.raises(BackendError, match="3 dimensions after such of 2: it serves another model"):
        model.query("y")


def test_huge_numbers_are_scaled_without_overflow(server):
    """Their squares are no float."""
    server.replies.append(answer(vector(3e30, 4e30)))
    assert remote(server).query("x").tolist() == pytest.approx([0.6, 0.8])


def test_one_failure_ends_all_that_is_under_way(server):
    """The error of one batch comes out; no more batches are begun than were under way."""
    model = remote(server, requests=2)
    model.query("probe")
    server.otherwise = lambda _: Reply(400, b'{"error": "no"}')
    with pytest.raises(BackendError, match="answered 400: no"):
        model.documents(TEXTS * 20)
    assert len(server.requests) <= 1 + 2 * 2


@pytest.mark.parametrize(
    "setting,why",
    [
        ("openai:m@http://me:hush@127.0.0.1/v1", "user name or password: .*embedding.key_env"),
        ("openai:m@http://127.0.0.1/v1?key=hush", "without a query"),
        ("openai:m@http://", "openai:MODEL@URL"),
        ("openai:m", "none, static, hashing, openai:MODEL@URL, a folder .* or a hub name"),
        ("openai:@http://127.0.0.1/v1", "openai:MODEL@URL"),
        ("openai:m@ftp://me:hush@127.0.0.1/v1", "openai:MODEL@URL"),
        ("", "openai:MODEL@URL"),
        ("./no-such-folder", "openai:MODEL@URL"),
        ("two words", "openai:MODEL@URL"),
    ],
)
def test_settings_that_are_none_are_one_sentence(setting, why):
    """It lists what is possible and repeats no password."""
    with pytest.raises(UsageError, match=why) as caught:
        embedder(setting)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://me:x9Qz@h/v1", "http://me:x9Qz/w7Kp@h/v1", "http://me:x9Qz@w7Kp/w7Kp@h/v1"])
@pytest.mark.parametrize("command", ["index . --dry-run", "index . --dry-run --json", "doctor --json"])
def test_a_password_in_the_setting_is_never_printed(command, url, tmp_path, monkeypatch, capfd):
    """Whatever is asked: the setting is refused, or shown without it."""
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path, {"a.py": "def a():\n    return 1\n"})
    monkeypatch.setenv("REPOCTX_EMBEDDING_MODEL", f"openai:m@{url}")
    assert run_program(cli, command.split()) != 0
    said = capfd.readouterr()
    monkeypatch.delenv("REPOCTX_EMBEDDING_MODEL")
    assert run_program(cli, ["doctor", "--embedding", f"openai:m@{url}"]) != 0
    doctor = capfd.readouterr()
    assert not re.search("x9Qz|w7Kp", said.out + said.err + doctor.out + doctor.err)
    assert "the URL of embedding.model" in said.err or "//***@" in said.out
    assert "embedding openai:m@http://***@h/v1" in doctor.out


def test_doctor_counts_what_an_interrupted_run_has_made(server, tmp_path):
    """Only what is still to be made costs something."""
    write_files(tmp_path, {f"repo/a{i}.py": f"def step_{i}(value):\n    return value + {i}\n" for i in range(300)})
    server.otherwise = lambda request: good(request) if len(server.requests) <= BATCH // MOST_TEXTS else Reply(401)
    setting = f"openai:hashing@{server.url}"
    with opened(tmp_path / "home", REPOCTX_EMBEDDING_MODEL=setting) as workspace:
        with pytest.raises(BackendError, match="asks for a key"):
            workspace.index(str(tmp_path / "repo"))
        ((ref, _),) = workspace.status()[0].refs
        assert (ref.pending, ref.progress["done"]) == (setting, BATCH)
        server.otherwise = good
        (cost,) = [cost for cost in checked(workspace, None)[1] if cost.embedding == setting]
        assert cost.lacking == ref.progress["total"] - BATCH
        assert cost.requests == -(-cost.lacking // MOST_TEXTS)


def test_model_names_may_hold_slashes_and_signs(server):
    """As hubs and gateways have them; the URL begins at the last sign before it."""
    model = embedder(f"openai:@cf/baai/bge-base:en@{server.url}/")
    assert model is not None
    assert model.model == f"openai:@cf/baai/bge-base:en@{server.url}"


def test_a_repository_is_searched_with_a_server_s_vectors(server, tmp_path):
    """Index, search, push: the server sees each text once and no secret."""
    folder = tmp_path / "repo"
    folder.mkdir()
    write_files(folder, {
        "a.py": f"def retry_with_backoff(call):\n    '''Call again.'''\n    return call('{SECRET}')\n",
        "b.py": "def parse_date(text):\n    return text.split('-')\n",
    })  # fmt: skip
    with opened(tmp_path / "home", REPOCTX_EMBEDDING_MODEL=f"openai:hashing@{server.url}") as workspace:
        workspace.index(str(folder))
        hits = workspace.search("parse a date", "repo").hits
        assert hits[0].path == "b.py"
        assert "dense" in {reason.ranker for reason in hits[0].reasons}
        write_files(folder, {"c.py": "def third():\n    return 3\n"})
        workspace.index(str(folder))
    sent = [text for request in server.requests for text in request["input"]]
    assert SECRET not in json.dumps(sent)
    assert sorted(text for text in sent if sent.count(text) > 1) == []
