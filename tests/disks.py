"""Small file systems for tests of full and read-only disks."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers import require_peer


@contextmanager
def small_disk(folder: Path, megabytes: int = 1) -> Iterator[Path]:
    """A file system of that size at `folder`, which is made. Skips the test where it may not be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    mount = shutil.which("mount")
    mounted = mount is not None and subprocess.run(command, check=False, timeout=30).returncode == 0
    require_peer(
        "a small file system for the test, which only root may mount", found=mounted, how="sudo make test"
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=30)
