"""Where the parts of an index lie, and which of these places its folder may name by itself.

A folder may come from elsewhere. What its manifest and its links name outside of it is another's choice: a server that
would be sent a password from the environment, or a file that would be changed. So that is used only after it was
confirmed by an argument.
"""

import os
from pathlib import Path

from tfplm.core.sources import HUB_NAME, is_local
from tfplm.embed.remote.address import SCHEME
from tfplm.embed.search.records.dialect import sqlite_file, without_password

_REMOTE = ("\\\\", "//")  # paths of other machines, to which Windows sends the account
_JOURNAL = bytes.fromhex("d9d505f920a163d7")  # the end of a journal that names a super-journal


def require_own_files(folder: Path) -> None:
    """PermissionError for a link in the folder of an index that leads out of it, or a journal of SQLite that names another
    file: recovering from it would delete that file."""
    inside = folder.resolve()
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            if name.endswith("-journal") and path.is_file() and path.read_bytes().endswith(_JOURNAL):
                raise _refused(folder, f"{path.relative_to(folder)} is a journal that names another file", "")
            if path.is_symlink() and not (target := path.resolve()).is_relative_to(inside):
                raise _refused(folder, f"{path.relative_to(folder)} is a link to {target}, outside of the folder", "")


def require_own_records(folder: Path, url: str) -> None:
    """PermissionError for a database that is a server, or a file outside of the folder, by its URL."""
    file = sqlite_file(url)
    if file is None:
        raise _refused(folder, f"its manifest names the database {without_password(url)}, which would be sent the "
                               "password in the environment, if there is one", "records")
    _require_inside(folder, file, "records")


def require_own_vectors(folder: Path, milvus: str) -> None:
    """PermissionError for a Milvus server, or a file of Milvus Lite outside of the folder."""
    if "://" in milvus:
        raise _refused(folder, f"its manifest names the Milvus server {milvus}, which would be sent MILVUS_TOKEN, if there "
                               "is one", "milvus")
    _require_inside(folder, folder / milvus, "milvus")


def require_local_encoder(folder: Path, source: str) -> None:
    """PermissionError for a model that would have to be downloaded, or read from another machine, and for a server."""
    if source.startswith(SCHEME):
        raise _refused(folder, f"its manifest names the server {source}, which would be sent the texts", "encoder")
    if source.startswith(_REMOTE) or (HUB_NAME.fullmatch(source) and not is_local(source)):
        raise _refused(folder, f"its manifest names the model {source}, which is not on this machine", "init", "encoder")


def _require_inside(folder: Path, file: Path, argument: str) -> None:
    if not file.resolve().is_relative_to(folder.resolve()):
        raise _refused(folder, f"its manifest names the file {file}, outside of the folder", argument)


def _refused(folder: Path, found: str, flag: str, argument: str | None = None) -> PermissionError:
    given = f"{argument or flag}=... (--{flag}), or by " if flag else ""
    return PermissionError(f"{folder}: {found}; an index uses what is in its own folder alone, unless you confirm the rest: "
                           f"by {given}trust=True (--trust) if the folder comes from whom you trust")
