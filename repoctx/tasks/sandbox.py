"""How does a command run so that it reaches nothing but its folder? Run as a program, in a process of its own.

The kernel's namespaces do it, without help of other programs: no network but the machine's own loopback, which is
empty; a read-only view of the file system with its devices, the sockets that the kernel tells of, and secret places
hidden; process ids and keys of its own, so that all that the command starts ends with it; no privileges that could
change any of this. One process watches how much of the machine the others take. Named pipes (FIFOs) outside of folders
that are hidden can be opened still, and so can sockets that were made under a relative path or from other network
namespaces, where their rights allow it. It imports nothing of repoctx, so that it starts quickly.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import signal
import socket
import stat
import struct
import sys
import time
from collections.abc import Sequence
from typing import Any, NoReturn

MOST_PROCESSES = 512
MOST_FORKS = 4096  # where the kernel counts; the watcher looks ten times a second
LARGEST_FILE = 2_000_000_000  # bytes
MOST_DISK = 8_000_000_000  # bytes of the disk that may be filled while the command runs
LOOK_SECONDS = 0.1

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = (
    0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
_OTHERS = _NEWNS | _NEWUTS | _NEWIPC | _NEWPID | _NEWNET
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 4096, 16384, 1 << 18
_DETACH = 2
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000
_PDEATHSIG, _DUMPABLE, _CAPBSET_DROP, _NO_NEW_PRIVS, _AMBIENT, _AMBIENT_CLEAR = 1, 4, 24, 38, 47, 4
_CAPABILITIES = 64  # more than any kernel has
_IFF_UP, _SIOCSIFFLAGS = 1, 0x8914

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_OWN = ("tmp", "var/tmp", "run", "var/run", "dev/shm", "mnt/wslg")  # folders of its own: sockets are in them
_KEPT_AS_THEY_ARE = ("bus", "fs", "irq", "sys", "sysrq-trigger")  # of /proc, which root could write to

_JOIN_SESSION_KEYRING, _KEYCTL = 1, {"x86_64": 250, "aarch64": 219}

_OWN_PIDS = 6, 14  # Linux from which on the limit of process ids is that of the namespace, not of the machine

_libc = ctypes.CDLL(None, use_errno=True)


class _Attributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]


def main() -> NoReturn:
    """Run what the JSON of the standard input says, and write how it ended to the descriptor in the first argument."""
    _libc.prctl(_PDEATHSIG, signal.SIGKILL)
    asked: dict[str, Any] = json.load(sys.stdin)
    report = int(sys.argv[1])
    os.set_inheritable(report, False)
    os.dup2(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC), 0)
    # Root may: its processes are not counted by the kernel, so the watcher goes first.
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        sockets = _sockets()
        _apart()
        first = os.fork()
        if first == 0:
            _libc.prctl(_PDEATHSIG, signal.SIGKILL)
            _enclose(asked, sockets)
            said = _watch(asked)
            os.write(report, json.dumps(said).encode())
            os._exit(0)
    except OSError as error:
        os.write(report, json.dumps({"refused": f"{error.strerror} ({error.filename})"}).encode())
        os._exit(1)

    def end(*_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(first, signal.SIGKILL)

    signal.signal(signal.SIGTERM, end)
    os.waitpid(first, 0)  # which the kernel lets be only when all that it started has ended
    os._exit(0)


def _call(name: str, *arguments: Any) -> None:
    """A call of the C library. Raises OSError with the name of the call."""
    if getattr(_libc, name)(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)


def _apart() -> None:
    """Into namespaces of its own; with a user namespace, or as root without one where there can be none."""
    user, group = os.geteuid(), os.getegid()
    try:
        _call("unshare", _NEWUSER | _OTHERS)
    except OSError:
        if user:
            raise
        _call("unshare", _OTHERS)
        return
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _sockets() -> list[str]:
    """Where on the file system there are sockets: those of this network, and those that are mounted."""
    found: list[str] = []
    for source, column in (("net/unix", 7), ("self/mountinfo", 4)):
        with contextlib.suppress(OSError), open(f"/proc/{source}", errors="surrogateescape") as file:
            rows = (line.rstrip("\n").split(" ") for line in file)
            found += [" ".join(w[column:]) if column == 7 else w[column] for w in rows if len(w) > column]
    return [os.path.realpath(path) for path in dict.fromkeys(found) if _is_socket(path)]


def _is_socket(path: str) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return path.startswith("/") and stat.S_ISSOCK(os.stat(path).st_mode)
    return False


# --- what it sees ------------------------------------------------------------------------------


def _enclose(asked: dict[str, Any], sockets: Sequence[str]) -> None:
    """Change the root to a read-only view of the file system in which the folders `own` are as they were."""
    root = asked["root"]
    _mount(None, "/", _REC | _PRIVATE)
    _mount("/", root, _BIND | _REC)
    _restrict(root, _RDONLY | _NOSUID | _NODEV, _AT_RECURSIVE)
    _mount("proc", f"{root}/proc", _NOSUID | _NODEV | _NOEXEC, "proc")
    if _kernel() >= _OWN_PIDS:
        with contextlib.suppress(OSError), open(f"{root}/proc/sys/kernel/pid_max", "w") as file:
            file.write(str(MOST_FORKS))
    for name in _KEPT_AS_THEY_ARE:
        if os.path.exists(place := f"{root}/proc/{name}"):
            _mount(place, place, _BIND | _REC)
            _restrict(place, _RDONLY)
    _devices(f"{root}/dev")
    empty = [path for path, hidden in asked["places"] if (_hide if hidden else _show)(root, path)]
    for path in asked["own"]:
        with contextlib.suppress(OSError):  # it is there, or will be
            os.makedirs(root + path)
    for path in empty:
        _restrict(root + path, _RDONLY)
    _room(root, asked["room"], asked["memory"])
    for path in sockets:
        _hide(root, path)
    for path in asked["own"]:
        os.makedirs(root + path, exist_ok=True)
        _mount(path, root + path, _BIND)
        _restrict(root + path, _NOSUID | _NODEV)
    _loopback()
    os.chdir(root)
    _call("pivot_root", b".", b".")
    _call("umount2", b".", _DETACH)
    os.chdir(asked["folder"])


def _room(root: str, room: str, size: int) -> None:
    """Folders of its own, empty, that have their bytes together."""
    _mount("tmpfs", room, _NOSUID | _NODEV, "tmpfs", f"mode=755,size={size}")
    for name in _OWN:
        place, own = f"{root}/{name}", f"{room}/{name.replace('/', '-')}"
        if os.path.isdir(place) and os.path.realpath(place) == place:
            os.mkdir(own)
            os.chmod(own, 0o1777)
            _mount(own, place, _BIND)


def _kernel() -> tuple[int, int]:
    """The version of Linux; (0, 0) if it does not tell."""
    major, minor = (*os.uname().release.split("."), "", "")[:2]
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)


def _mount(source: str | None, target: str, flags: int, kind: str | None = None, options: str | None = None) -> None:
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind, options)]
    try:
        _call("mount", words[0], words[1], words[2], ctypes.c_ulong(flags), words[3])
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"mount {kind or 'bind'}") from None


def _restrict(place: str, flags: int, how: int = 0) -> None:
    attributes = _Attributes(flags, 0, 0, 0)  # the numbers of these attributes are those of mount's flags
    numbers = ctypes.c_long(_MOUNT_SETATTR), ctypes.c_int(_AT_FDCWD), os.fsencode(place), ctypes.c_uint(how)
    _call("syscall", *numbers, ctypes.byref(attributes), ctypes.c_size_t(ctypes.sizeof(attributes)))


def _devices(folder: str) -> None:
    """Nothing but the devices that every program may use."""
    _mount("tmpfs", folder, _NOSUID, "tmpfs", "mode=755,size=1m")
    for name in _DEVICES:
        if os.path.exists(f"/dev/{name}"):
            with open(f"{folder}/{name}", "w"):
                _mount(f"/dev/{name}", f"{folder}/{name}", _BIND)
    os.mkdir(f"{folder}/shm")
    os.mkdir(f"{folder}/pts")
    with contextlib.suppress(OSError):  # pseudo terminals: few tests want one
        _mount("devpts", f"{folder}/pts", _NOSUID | _NOEXEC, "devpts", "newinstance,ptmxmode=0666,mode=0620")
    for name, target in (("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"),
                         ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2")):  # fmt: skip
        os.symlink(target, f"{folder}/{name}")


def _hide(root: str, path: str) -> bool:
    """Put nothing in place of a file or folder; true where that is an empty folder."""
    place = root + path
    if os.path.isdir(place):
        _mount("tmpfs", place, _NOSUID | _NODEV | _NOEXEC, "tmpfs", "mode=755,size=64k")
        return True
    if os.path.lexists(place):
        _mount("/dev/null", place, _BIND)
    return False


def _show(root: str, path: str) -> bool:
    """Put a place back into a hidden folder."""
    place = root + path
    if not os.path.lexists(path):  # removed a moment ago
        return False
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), place)
        return False
    if os.path.isdir(path):
        os.makedirs(place, exist_ok=True)
    else:
        with open(place, "w"):
            pass
    _mount(path, place, _BIND | _REC)
    _restrict(place, _RDONLY | _NOSUID | _NODEV, _AT_RECURSIVE)
    return False


def _loopback() -> None:
    """Let the command reach servers that it starts itself."""
    with socket.socket() as any_socket, contextlib.suppress(OSError):
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))


# --- the command -------------------------------------------------------------------------------


def _start(asked: dict[str, Any]) -> int:
    """Start the command, without privileges and within limits: its process id."""
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        cores = os.cpu_count() or 1
        for what, most in (
            (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, LARGEST_FILE), (resource.RLIMIT_NPROC, MOST_FORKS),
            (resource.RLIMIT_DATA, asked["memory"]), (resource.RLIMIT_CPU, asked["seconds"] * cores),
        ):  # fmt: skip
            hard = resource.getrlimit(what)[1]
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(what, (most, most))
        if number := _KEYCTL.get(os.uname().machine):  # which fails where the kernel has no keys
            _libc.syscall(ctypes.c_long(number), ctypes.c_long(_JOIN_SESSION_KEYRING), None)
        _libc.prctl(_AMBIENT, _AMBIENT_CLEAR, 0, 0, 0)
        for number in range(_CAPABILITIES):
            _libc.prctl(_CAPBSET_DROP, number, 0, 0, 0)
        _call("prctl", _NO_NEW_PRIVS, 1, 0, 0, 0)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execve("/bin/sh", ["sh", "-c", asked["command"]], asked["environment"])
    except OSError as error:
        os.write(2, f"sh cannot be started: {error.strerror}\n".encode())
    os._exit(127)


def _watch(asked: dict[str, Any]) -> dict[str, Any]:
    """Run the command: how it ended. When this process ends, so does all that was started here."""
    free, shared = _free(asked["folder"]), _shared()
    command = _start(asked)
    _libc.prctl(_DUMPABLE, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    look = time.monotonic()
    while True:
        signal.sigtimedwait([signal.SIGCHLD], LOOK_SECONDS)
        for _ in range(MOST_PROCESSES):  # of those that end there may be no end
            ended, status = os.waitpid(-1, os.WNOHANG)
            if ended == command:
                code = os.waitstatus_to_exitcode(status)
                return {"ended": "signal" if code < 0 else "exit", "code": code}
            if not ended:
                break
        if time.monotonic() >= look:
            look = time.monotonic() + LOOK_SECONDS
            processes = [name for name in os.listdir("/proc") if name.isdigit()]
            if len(processes) > MOST_PROCESSES:
                return {"ended": "processes", "code": None}
            if free - _free(asked["folder"]) > MOST_DISK:
                return {"ended": "disk", "code": None}
            if _shared() - shared > asked["memory"]:
                return {"ended": "memory", "code": None}
            if _memory(processes, "statm") > asked["memory"] and _memory(processes, "smaps_rollup") > asked["memory"]:
                return {"ended": "memory", "code": None}


def _free(folder: str) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _shared() -> int:
    """Bytes of memory that files hold which are on no disk, of the whole machine: they may belong to no process."""
    with contextlib.suppress(OSError), open("/proc/meminfo") as file:
        return next((int(line.split()[1]) * 1024 for line in file if line.startswith("Shmem:")), 0)
    return 0


def _memory(processes: Sequence[str], source: str) -> int:
    """Bytes that processes hold: at most so much (statm), or what is shared counted once (smaps_rollup, slow)."""
    total = 0
    for process in processes:
        with contextlib.suppress(OSError, IndexError, ValueError), open(f"/proc/{process}/{source}") as file:
            if source == "statm":
                total += int(file.read().split()[1]) * resource.getpagesize()
            else:
                total += sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))
    return total


if __name__ == "__main__":
    main()
