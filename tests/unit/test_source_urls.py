"""Which clone URLs are allowed, and what do the refusals say?"""

import pytest

from repoctx.errors import UsageError
from repoctx.source import default_name
from repoctx.source.clone import check_url, is_url, stem
from repoctx.source.git import check_ref, sentence


@pytest.mark.parametrize(
    "url, protocols, name",
    [
        ("https://example.org/team/tool.git", "https:ssh", "tool"),
        ("https://example.org:8443/tool/", "https:ssh", "tool"),
        ("ssh://git@example.org/team/tool", "https:ssh", "tool"),
        ("ssh://git@[::1]:22/tool.git", "https:ssh", "tool"),
        ("git@example.org:team/tool.git", "https:ssh", "tool"),
        ("file:///srv/git/my%20tool.git", "file", "my-tool"),
    ],
)
def test_allowed_urls(url, protocols, name):
    """https, ssh (also as user@host:path) and file URLs are cloned, by no other protocol."""
    assert is_url(url)
    assert check_url(url) == protocols
    assert default_name(stem(url)) == name


@pytest.mark.parametrize(
    "url, said",
    [
        ("http://example.org/x", "http is open to change"),
        ("ext::sh -c touch% /tmp/x", "spaces or control"),
        ("ext::sh", "not 'ext'"),
        ("fd::17", "not 'fd'"),
        ("git://example.org/x", "not 'git'"),
        ("ssh://-oProxyCommand=x/y", "host or user name"),
        ("ssh://%2doProxyCommand=x/y", "host or user name"),
        ("ssh://-l@example.org/y", "host or user name"),
        ("https://example.org", "names no repository"),
        ("ssh://example.org/-x", "names no repository"),
        ("https://example.org/x?token=hush", "'?' or '#'"),
        ("https://me:hush@example.org/x", "user name or password"),
        ("https://hush@example.org/x", "user name or password"),
        ("ssh://me:hush@example.org/x", "user name or password"),
        ("file://example.org/x", "absolute path"),
        ("https://example.org/x\n--upload-pack=hush", "control characters"),
        ("https://exämple.org/x", "ASCII"),
    ],
)
def test_refused_urls(url, said):
    """Other URLs are refused with the reason, and nothing secret is repeated."""
    with pytest.raises(UsageError) as caught:
        check_url(url)
    assert said in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "ref", ["", "-x", "--upload-pack=x", "a..b", "a\0b", "a\nb", "a b", "a:b", "@{1}", "a*"]
)
def test_refused_refs(ref):
    """What cannot name a branch, a tag or a commit never reaches git."""
    with pytest.raises(UsageError):
        check_ref(ref)


def test_sentence_is_printable_and_keeps_secrets():
    """git's complaint is cut to one line without control characters and passwords."""
    errors = "remote: \x1b[31mhi\nfatal: unable to access 'https://me:pw@host/x/':\x1b[0m no route.\n"
    assert sentence(errors) == "unable to access 'https://***@host/x/':[0m no route"


def test_default_name():
    """A name keeps letters, digits, dots, dashes and underscores."""
    assert [default_name(text) for text in ("a.git", "my repo!", "..", "", "é")] == [
        "a", "my-repo", "repository", "repository", "repository",
    ]  # fmt: skip
