"""Weights from the network into the caches that users already have; from the cache first, and offline without a socket.

Knows no network by name. A file gets its final name only when all of it has been hashed.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from photosite.errors import CorruptWeightsError, WeightsError

if sys.platform != "win32":
    import fcntl

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "PHOTOSITE_OFFLINE")
"""Environment variables that forbid the network, at 1, true, yes or on."""
READ_TIMEOUT = 10.0
"""Seconds without a byte after which a download is given up."""
LOCK_TIMEOUT = 600.0
"""Seconds that one process waits for another to finish the same download."""
_AT_ONCE = 1 << 20
_HOME = frozenset(("127.0.0.1", "localhost", "::1"))


@dataclass(frozen=True)
class HubFile:
    """A file of a repository.

    Attributes:
        path: in the cache.
        commit: of the repository, 40 hexadecimal digits; None where the cache does not say.
        sha256: of the file, where the cache keeps it under that name; else None.
    """

    path: Path
    commit: str | None
    sha256: str | None


def is_offline() -> bool:
    """Whether the environment forbids the network."""
    return any(os.environ.get(name, "").strip().lower() in ("1", "true", "yes", "on") for name in OFFLINE)


def torch_hub_folder(cache_dir: Path | None = None) -> Path:
    """Where torch hub keeps weights: `cache_dir`, else $TORCH_HOME, $XDG_CACHE_HOME/torch or ~/.cache/torch.

    Matches: torch.hub.
    """
    if cache_dir is not None:
        return Path(cache_dir)
    base = os.environ.get("TORCH_HOME")
    root = Path(base) if base else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "torch"
    return root.expanduser() / "hub" / "checkpoints"


def fetch_url(url: str, sha256_prefix: str, *, cache_dir: Path | None = None, progress: bool = True) -> Path:
    """Find a file in torch hub's cache, or bring it there.

    Args:
        url: https; http only of this machine.
        sha256_prefix: the first digits of the file's hash, "" where they are not known.
        cache_dir: the folder; torch hub's if not given.
        progress: show a bar on stderr, if that is a terminal.
    Returns:
        The file. A download that was cut off goes on where it stopped; what is damaged is fetched once more.
    Raises:
        WeightsError: the network is forbidden, or failed, or the disk is full: in one line, with the place where a
            person may put the file.
        CorruptWeightsError: twice another file than was wanted.
    """
    if not _allowed(url):
        raise WeightsError(f"{url}: wants https")
    folder = torch_hub_folder(cache_dir)
    target = folder / Path(urlsplit(url).path).name
    damaged = target.is_file()
    if damaged and _sha256(target).startswith(sha256_prefix):
        return target
    if is_offline():
        said = "in the cache is another file of this name" if damaged else "not in the cache"
        raise WeightsError(f"{target.name}: {said}, and the network is switched off; put the file at {target}")
    partial = target.with_name(f"{target.name}.partial")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _only_one(target):
            if target.is_file() and _sha256(target).startswith(sha256_prefix):
                return target  # another process brought it meanwhile
            for _ in range(2):
                _download(url, partial, progress=progress)
                found = _sha256(partial)
                if found.startswith(sha256_prefix):
                    partial.replace(target)
                    return target
                size = partial.stat().st_size
                partial.unlink()
    except (OSError, http.client.HTTPException) as error:
        raise WeightsError(f"{url}: {_reason(error)}; a copy from elsewhere belongs at {target}") from error
    raise CorruptWeightsError(
        f"{url}: twice not the file that was wanted: sha256 {sha256_prefix}…, got {found} ({size:,} bytes)"
    )


def _allowed(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _HOME)


class _OnlySafely(urllib.request.HTTPRedirectHandler):
    """Follows no redirect out of https."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not _allowed(newurl):
            raise urllib.error.URLError(f"redirected to {urlsplit(newurl).scheme}, wants https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _download(url: str, partial: Path, *, progress: bool) -> None:
    """Fetch what is missing of a file; a server that does not know ranges sends all of it."""
    have = partial.stat().st_size if partial.is_file() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "photosite"})  # noqa: S310 (checked by _allowed)
    if have:
        request.add_header("Range", f"bytes={have}-")
    opener = urllib.request.build_opener(_OnlySafely())
    try:
        reply = opener.open(request, timeout=READ_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE or not have:
            raise
        error.close()
        return  # all of it is there, or it is another file: the hash will tell
    with reply:
        goes_on = reply.status == http.client.PARTIAL_CONTENT
        length = reply.headers.get("Content-Length")
        whole = None if length is None else int(length) + (have if goes_on else 0)
        with partial.open("ab" if goes_on else "wb") as file:
            done = have if goes_on else 0
            for count in _copied(reply, file, partial.name.removesuffix(".partial"), done, whole, progress=progress):
                done += count
            file.flush()
            os.fsync(file.fileno())
        if whole is not None and done < whole:
            raise http.client.IncompleteRead(b"", whole - done)


def _copied(reply: Any, file: IO[bytes], name: str, done: int, whole: int | None, *, progress: bool) -> Iterator[int]:
    """Copy piece by piece, and give the size of each; a bar goes along where somebody can see it."""
    if not (progress and sys.stderr.isatty()):
        while piece := reply.read(_AT_ONCE):
            file.write(piece)
            yield len(piece)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=whole, completed=done)
        while piece := reply.read(_AT_ONCE):
            file.write(piece)
            bar.advance(task, len(piece))
            yield len(piece)


@contextmanager
def _only_one(target: Path) -> Iterator[None]:
    """Keep a second process from writing the same file: a lock that the system drops with the process."""
    lock = target.with_name(f".{target.name}.lock")
    with lock.open("ab") as file:
        if sys.platform == "win32":  # the hash of the whole file still decides
            yield
            return
        end = time.monotonic() + LOCK_TIMEOUT
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise TimeoutError(f"another process has been fetching it for {LOCK_TIMEOUT:.0f} s") from None
                time.sleep(0.05)
        yield  # the lock file stays: whoever waits for it has it open


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: BaseException) -> str:
    """What went wrong, in a few words."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection was cut; the next try goes on from there"
    if isinstance(error, TimeoutError):
        return f"no answer for {READ_TIMEOUT:.0f} s" if not str(error) or "timed out" in str(error) else str(error)
    if isinstance(error, urllib.error.URLError):
        inner = error.reason
        return f"no network ({inner.strerror or inner})" if isinstance(inner, OSError) else str(inner)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def parse_hub(text: str) -> tuple[str, str | None]:
    """Read the name of a repository, and a branch, tag or commit behind @.

    Raises:
        WeightsError: it is not of the form org/name or org/name@revision.

    >>> parse_hub("facebook/dinov2-small"), parse_hub("timm/resnet50.a1_in1k@main")
    (('facebook/dinov2-small', None), ('timm/resnet50.a1_in1k', 'main'))
    """
    repo, at, revision = text.partition("@")
    parts = repo.split("/")
    name = r"[A-Za-z0-9_][\w.-]{0,95}"
    if (
        len(parts) != 2
        or not all(re.fullmatch(name, part, re.ASCII) and ".." not in part for part in parts)
        or (at and (not re.fullmatch(r"\w[\w./-]{0,127}", revision, re.ASCII) or ".." in revision))
    ):
        raise WeightsError(f"hf-hub: wants org/name or org/name@revision, got {text[:100]!r}")
    return repo, revision or None


def cached_hub(
    repo: str, filename: str, revision: str | None = None, *, cache_dir: Path | None = None
) -> HubFile | None:
    """Find a file of a repository in Hugging Face's cache: HF_HUB_CACHE or HF_HOME/hub, if `cache_dir` is not given."""
    import huggingface_hub

    known = huggingface_hub.try_to_load_from_cache(repo, filename, revision=revision, cache_dir=cache_dir)
    return _hub_file(Path(known)) if isinstance(known, str) else None


def fetch_hub(
    repo: str, filename: str, revision: str | None = None, *, cache_dir: Path | None = None
) -> HubFile | None:
    """Find a file of a repository in Hugging Face's cache, or bring it there.

    Args:
        repo: org/name.
        filename: in the repository.
        revision: a branch, tag or commit; the main branch if not given.
        cache_dir: the cache; HF_HUB_CACHE or HF_HOME/hub if not given.
    Returns:
        The file; None where the repository does not have it.
    Raises:
        WeightsError: the repository is not there, or not for everybody, or the network is forbidden or failed.
    Matches: huggingface_hub.hf_hub_download; no second copy is made.
    """
    import huggingface_hub
    from huggingface_hub import constants, errors

    options: dict[str, Any] = {"revision": revision, "cache_dir": cache_dir}
    known = huggingface_hub.try_to_load_from_cache(repo, filename, **options)
    if isinstance(known, str):
        return _hub_file(Path(known))
    if known is not None:
        return None  # the cache remembers that the repository lacks it
    if is_offline():
        raise WeightsError(f"hf-hub:{repo}: {filename} is not in the cache, and the network is switched off")
    try:
        _check_reachable(constants.ENDPOINT)  # at once: the client's own tries take half a minute
        return _hub_file(Path(huggingface_hub.hf_hub_download(repo, filename, **options)))
    except errors.EntryNotFoundError:
        return None
    except errors.GatedRepoError as error:
        raise WeightsError(f"hf-hub:{repo}: only for those whom its owners let in; set HF_TOKEN") from error
    except errors.RevisionNotFoundError as error:
        raise WeightsError(f"hf-hub:{repo}: has no revision {revision}") from error
    except errors.RepositoryNotFoundError as error:
        raise WeightsError(
            f"hf-hub:{repo}: there is no such repository, or it is private; then set HF_TOKEN"
        ) from error
    except Exception as error:  # a client of the network has many ways to fail
        raise WeightsError(f"hf-hub:{repo}: cannot be fetched: {_reason(error)[:160]}") from error


def _check_reachable(endpoint: str) -> None:
    """Ask the hub for nothing; raises where nobody answers."""
    request = urllib.request.Request(endpoint, method="HEAD", headers={"User-Agent": "photosite"})  # noqa: S310
    try:
        urllib.request.build_opener().open(request, timeout=READ_TIMEOUT).close()
    except urllib.error.HTTPError as error:
        error.close()  # somebody answers


def _hub_file(path: Path) -> HubFile:
    """Read commit and hash off the cache's own names: snapshots/COMMIT/file points to blobs/SHA256."""
    commit = next((part for part in reversed(path.parts[:-1]) if re.fullmatch(r"[0-9a-f]{40}", part)), None)
    blob = path.resolve().name
    return HubFile(path, commit, blob if re.fullmatch(r"[0-9a-f]{64}", blob) else None)
