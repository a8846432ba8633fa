"""How rankers become one order: weights that are data, roles of files, reasons that account for the score."""

from __future__ import annotations

import numpy as np
import pytest

from repoctx.errors import UsageError
from repoctx.retrieve import fuse, reasons


def test_fusion_does_not_depend_on_the_order_of_rankers_and_shares_sum_to_one():
    """The same scores in any order; a ranker without weight says nothing."""
    rng = np.random.default_rng(0)
    weights = fuse.weights()["report"].chunk
    rankers = {name: rng.random(5).astype(np.float32) for name in [*weights, "unknown"]}
    total = fuse.fuse(rankers, weights, 5)
    assert np.array_equal(total, fuse.fuse(dict(reversed(rankers.items())), weights, 5))
    assert total == pytest.approx(sum(weights[name] * rankers[name] for name in weights))
    assert sum(share for _, share in fuse.shares({"a": 0.5, "b": 0.25, "c": 0.0})) == pytest.approx(1)
    assert fuse.shares({"b": 0.25, "a": 0.5, "c": 0.0}) == [("a", 0.6667), ("b", 0.3333)]


def test_every_ranker_with_a_weight_can_say_what_it_saw():
    """No reason is without words."""
    rankers = {name for kind in fuse.KINDS for table in fuse.weights()[kind] for name in table}
    assert rankers - set(reasons.TOLD) == {"file"}  # that is the sum of others


def test_weights_come_back_from_their_file():
    """Written and read again they are the same, of every kind of query."""
    weights = fuse.weights()
    assert fuse.weights(fuse.written(weights)) == weights


@pytest.mark.parametrize(
    "text, says",
    [
        ("[chunk", "cannot be read"),
        ("", "cannot be read"),
        ("[chunk]\n[file]\n[symbol]\n[other]\n", "unknown table 'other'"),
        ("[chunk]\nlexical = { poem = 1 }\n[file]\n[symbol]\n", "poem"),
        ("[chunk]\nlexical = { report = -1 }\n[file]\n[symbol]\n", "-1"),
        ("[chunk]\nlexical = { report = nan }\n[file]\n[symbol]\n", "nan"),
        ("[chunk]\nlexical = 3\n[file]\n[symbol]\n", "cannot be read"),
        ("[chunk]\nmagic = { report = 1 }\n[file]\n[symbol]\n", "unknown ranker of a chunk: 'magic'"),
    ],
)
def test_weights_that_are_none_are_told(text, says):
    """One sentence that says what is wrong."""
    with pytest.raises(UsageError, match=says):
        fuse.weights(text)


@pytest.mark.parametrize(
    "role, paths",
    [
        ("test", "tests/test_a.py pkg/a_test.go src/test/java/FooTest.java web/x.spec.ts spec/a_spec.rb tests.py"),
        ("example", "examples/a.py docs/examples/x.rs _examples/rest/main.go benches/../samples/x.c"),
        ("vendored", "third_party/x.c vendor/a/b.go src/_vendor/six.py"),
        ("generated", "api/generated/x.ts proto/x_pb2.py proto/x.pb.go dist/a.min.js"),
        ("text", "docs/index.md CHANGELOG.md README.rst locale/de/x.po"),
        ("settings", "pyproject.toml .github/workflows/ci.yml go.mod package.json a/b.properties"),
        ("compatibility", "src/legacy/x.py lib/_deprecated_api.py compat/x.go"),
        (None, "src/a.py lib/testament.py contest/x.py documents.py src/history.py latest.js protester/a.py"),
    ],
)
def test_files_have_roles_by_their_paths(role, paths):
    """The first that fits; words that only contain one are none."""
    for path in paths.split():
        found = fuse.file_roles([path])[0]
        assert (found and found.name) == role, path


def test_a_version_that_has_a_successor_beside_it_is_superseded():
    """`v3/` where there is `v4/`, and nothing else."""
    paths = ["src/v3/a.ts", "src/v3/x/b.ts", "src/v4/a.ts", "api/v1/a.py", "v9x/a.py"]
    assert [role and role.name for role in fuse.file_roles(paths)] == ["superseded", "superseded", None, None, None]


def test_roles_count_by_kind_of_query_unless_asked_for():
    """Tests in a question about tests, and nothing else, keep their score."""
    roles = fuse.file_roles(["src/a.py", "tests/test_a.py", "examples/a.py"])
    assert fuse.factors(roles, "question").tolist() == pytest.approx([1, 0.5, 0.7])
    assert fuse.factors(roles, "report").tolist() == pytest.approx([1, 0.3, 0.5])
    assert fuse.factors(roles, "question", frozenset({"tests"})).tolist() == pytest.approx([1, 1, 0.7])


def test_every_role_has_a_factor_for_every_kind():
    """And its patterns take no longer than the path is long, whatever the path."""
    for role in fuse.roles():
        assert set(role.factor) == set(fuse.KINDS)
        assert all(0 < factor <= 1 for factor in role.factor.values())
    fuse.file_roles(["test/" * 50_000, "a_" * 100_000, "/" * 100_000, "._" * 100_000 + "py"])
