"""Which clone URLs are allowed, and what do the refusals say?"""

import pytest

from repoctx.errors import RefusedError, UsageError
from repoctx.source import Access, default_name
from repoctx.source.access import check
from repoctx.source.clone import parse_refs
from repoctx.source.git import check_ref, sentence
from repoctx.source.urls import Place, check_url, file_path, is_url, place, stem


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
        ("https://[::1/x", "host or user name"),
        ("https://[1]/x", "host or user name"),
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


def test_sentence_hides_secrets_before_it_is_cut():
    """Not even the beginning of one is left, and nothing between its letters hides it."""
    assert sentence("fatal: " + "x" * 298 + "hu\x1bsh", ["hush"]) == "x" * 298 + "**"
    assert sentence("fatal: the aHVzaA== of hush", ["aHVzaA==", "hush"]) == "the *** of ***"


@pytest.mark.parametrize(
    "url, expected",
    [
        ("https://Example.org/team/tool.git", Place("https", "example.org", 443)),
        ("HTTP://example.org:8080/x", Place("http", "example.org", 8080)),
        ("ssh://git@[::1]:2222/x:y@z", Place("ssh", "[::1]", 2222)),
        ("git@Example.org:team/tool.git", Place("ssh", "example.org", 22)),
        ("https://[2001:db8::1]/x", Place("https", "[2001:db8::1]", 443)),
        ("file:///srv/x", Place("file", "", 0)),
    ],
)
def test_place(url, expected):
    """The scheme, the host and the port of each kind of URL."""
    check_url(url, plain_http=True)
    assert place(url) == expected


def test_file_path():
    """A file URL names a path; others name none."""
    assert file_path("file:///srv/my%20tool.git") == "/srv/my tool.git"
    for url in ("https://example.org/x", "file://example.org/x"):
        with pytest.raises(UsageError):
            file_path(url)


PRIVATE = (
    "127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 255.255.255.255 224.0.0.1 240.0.0.1 "
    "192.0.2.1 198.18.0.1 [::1] [::] [fe80::1] [fd00::1] [ff02::1] [fec0::1] [::ffff:127.0.0.1] [::ffff:7f00:1] "
    "[::127.0.0.1] [2002:7f00:1::] [2002:808:808::] [64:ff9b::10.0.0.1] [64:ff9b:1::808:808] [2001:db8::1] "
    "[2001:0:7f00:1::]"
).split()


@pytest.mark.parametrize("host", PRIVATE)
@pytest.mark.parametrize("url", ["https://{}/x", "https://{}:8443/x", "ssh://git@{}/x", "git@{}:x"])
def test_private_addresses(host, url):
    """Whatever is not one host of the internet is refused, and the setting that would allow it is named."""
    with pytest.raises(RefusedError, match=r"clone\.hosts"):
        check(url.format(host), Access(hosts=()))
    assert check(url.format(host), Access()) == ()


@pytest.mark.parametrize(
    "host",
    ["0x7f.1", "2130706433", "0x7f000001", "127.1", "0177.0.0.1", "127.0.0.1.", "localhost.", "x.0x", "1.2.3.256"],
)
def test_unusual_spellings_of_addresses(host):
    """They are refused even where all of the world is listed: git may read them otherwise than we do."""
    for url in (f"https://{host}/x", f"git@{host}:x"):
        with pytest.raises(RefusedError, match=r"unusual spelling of a host: .*clone\.hosts"):
            check(url, Access(hosts=("0.0.0.0/0", "::/0", host)))


def test_public_addresses():
    """They need not be listed, also within NAT64; for http they must."""
    for host in ("8.8.8.8", "[2606:4700::1111]", "[64:ff9b::8.8.8.8]", "[::ffff:8.8.8.8]"):
        assert check(f"https://{host}/x", Access(hosts=())) == ()
        with pytest.raises(RefusedError, match=r"http is open to change on its way.*clone\.hosts"):
            check(f"http://{host}/x", Access(hosts=()))


@pytest.mark.parametrize(
    "entry, url, allowed",
    [
        ("10.0.0.0/8", "https://10.9.9.9/x", True),
        ("10.0.0.1/8", "https://10.9.9.9:1/x", True),
        ("10.0.0.0/8:443", "https://10.9.9.9/x", True),
        ("10.0.0.0/8:443", "https://10.9.9.9:8443/x", False),
        ("10.0.0.0/8:22", "git@10.9.9.9:x", True),
        ("127.0.0.1", "https://[::ffff:127.0.0.1]/x", True),
        ("::1", "https://[::1]/x", True),
        ("[::1]:8443", "https://[::1]:8443/x", True),
        ("[::1]:8443", "https://[::1]/x", False),
        ("fd00::/8", "ssh://git@[fd00::5]/x", True),
        ("[fd00::]/8:22", "ssh://git@[fd00::5]/x", True),
        ("[fd00::/8]:23", "ssh://git@[fd00::5]/x", False),
        ("11.0.0.0/8", "https://10.9.9.9/x", False),
        ("*.example", "https://10.9.9.9/x", False),
        ("8.8.8.8", "http://8.8.8.8/x", True),
        ("8.8.8.8:80", "http://8.8.8.8:8080/x", False),
    ],
)
def test_entries_of_clone_hosts(entry, url, allowed):
    """Addresses and networks, with and without a port."""
    if allowed:
        assert check(url, Access(hosts=("unrelated.example", entry))) == ()
    else:
        with pytest.raises(RefusedError):
            check(url, Access(hosts=("unrelated.example", entry)))


@pytest.mark.parametrize(
    "entry", ["", "*", "a b", "http://x", "*.", "a.*.b", "[x]", "::1::2", "fd00::/8:22", "10.0.0.0/33", "x:y"]
)
def test_entries_that_mean_nothing(entry):
    """A mistake in the setting is not silently a host that is never met."""
    with pytest.raises(UsageError, match=r"in clone\.hosts is not"):
        Access(hosts=(entry,))


@pytest.mark.parametrize("location", ["/etc", "etc", "", "file:///etc", "FILE:/etc", "a@b"])
def test_what_is_no_server_is_refused(location):
    """Paths and file URLs are for the local user."""
    with pytest.raises(RefusedError, match=r"for the local user: .*clone\.hosts"):
        check(location, Access(hosts=("0.0.0.0/0",)))


def test_access_shows_no_token():
    """Its text leaves the token out, and a login that would break the header is refused."""
    assert repr(Access(hosts=(), token="hush", user="me")) == "Access(hosts=(), user='me', key_file='')"
    for wrong in ({"token": "hush\n"}, {"token": "hush", "user": "a:b"}):
        with pytest.raises(UsageError) as caught:
            Access(**wrong)
        assert "hush" not in str(caught.value)


def test_parse_refs():
    """What a hostile server may list besides refs is left out; a tag counts as the commit that it marks."""
    a, b, c = ("a" * 40, "b" * 40, "c" * 64)
    listed = (
        f"ref: refs/heads/main\tHEAD\n{a}\tHEAD\n{a}\trefs/heads/main\n{b}\trefs/heads/x/y\n{c}\trefs/heads/z\n"
        f"{a}\trefs/tags/v1\n{b}\trefs/tags/v1^{{}}\n{a}\trefs/pull/1/head\n{a}\trefs/heads/--upload-pack=x\n"
        f"{a}\trefs/heads/a..b\n{a}\trefs/heads/a b\n{a}\trefs/heads/\nzz\trefs/heads/q\nnonsense\n\n{a} refs/heads/r\n"
        f"{a}\tfoo/refs/heads/s\n{a}\trefs/heads/t\x1b[31m\n{a}\trefs/heads/t\tu\nref: refs/heads/-x\tHEAD\n"
    ).encode() + b"a" * 40 + b"\trefs/heads/\xff\n"
    assert parse_refs(listed, "u") == ("main", {"main": a, "x/y": b, "z": c}, {"v1": b})
    assert parse_refs(b"", "u") == (None, {}, {})


def test_parse_refs_has_a_limit():
    """100,000 refs are kept, one more is refused."""
    listed = b"".join(b"%s\trefs/heads/b%d\n" % (b"a" * 40, n) for n in range(100_000))
    assert len(parse_refs(listed, "u").branches) == 100_000
    with pytest.raises(RefusedError, match="u has more than 100,000 branches and tags"):
        parse_refs(listed + b"a" * 40 + b"\trefs/tags/v1\n", "u")


def test_default_name():
    """A name keeps letters, digits, dots, dashes and underscores."""
    assert [default_name(text) for text in ("a.git", "my repo!", "..", "", "é")] == [
        "a", "my-repo", "repository", "repository", "repository",
    ]  # fmt: skip
