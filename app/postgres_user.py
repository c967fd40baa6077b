"""Under which user the embedded PostgreSQL runs: it refuses root, so root needs a stand-in."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.postgres_system import PostgresError


@dataclass(frozen=True, slots=True)
class RunAs:
    """How to start a PostgreSQL program: a command prefix, and the user its files belong to."""

    prefix: tuple[str, ...]
    owner: int
    group: int

    def command(self, program: Path, *arguments: str) -> list[str]:
        return [*self.prefix, str(program), *arguments]

    def own(self, folder: Path) -> None:
        """Hand `folder` and all in it to the user; no work where it is so already."""
        if not folder.exists() or folder.stat().st_uid == self.owner:
            return
        for path, folders, files in os.walk(folder):
            for name in (*folders, *files):
                os.chown(Path(path, name), self.owner, self.group, follow_symlinks=False)
        # The top last: it is what the check above looks at, so a killed run is done again.
        os.chown(folder, self.owner, self.group)


def run_as(*reach: Path) -> RunAs:
    """The way that works here; `reach` are the folders that the programs must be able to enter."""
    if os.geteuid() != 0:
        return myself()
    return mapped() or nobody(*reach)


def myself() -> RunAs:
    """An ordinary user needs nothing."""
    return RunAs((), os.geteuid(), os.getegid())


def mapped() -> RunAs | None:
    """Root under another name in a user namespace; None where namespaces are forbidden, as in most containers.

    The name is `nobody`'s because initdb wants a user that the system knows. Files still belong to root outside.
    """
    account = pwd.getpwnam("nobody")
    unshare = shutil.which("unshare")
    if unshare is None:
        return None
    prefix = (unshare, "--user", f"--map-user={account.pw_uid}", f"--map-group={account.pw_gid}", "--")
    tried = subprocess.run([*prefix, "true"], capture_output=True, check=False, env=_plain(os.environ))
    return RunAs(prefix, 0, 0) if tried.returncode == 0 else None


def nobody(*reach: Path) -> RunAs:
    """The user `nobody`; below a closed folder (a clone in /root) it keeps root's right to enter folders, no more."""
    account = pwd.getpwnam("nobody")
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise PostgresError("PostgreSQL refuses to run as root: run this as an ordinary user, or install util-linux")
    prefix: tuple[str, ...] = (setpriv, f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups")
    if not all(map(_open_to_all, reach)):
        prefix = (*prefix, "--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    return RunAs((*prefix, "--"), account.pw_uid, account.pw_gid)


def _open_to_all(folder: Path) -> bool:
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents))


def _plain(environment: Mapping[str, str]) -> dict[str, str]:
    return {**environment, "LC_ALL": "C"}
