"""Chromium and axe: where they are, and how they come where they are not.

``python tests/browser/browser_tools.py`` installs what is missing: Chromium by apt, as root on Debian or Ubuntu, and
axe from the npm registry, by its version and checksum. What cannot be installed is named; the tests skip, then.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "_build" / "browser"
AXE = "axe-core@4.14.1"
AXE_SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="


def chromium() -> Path | None:
    """Return the path of Chromium or Chrome, if one is there."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return Path(found)
    return None


def axe() -> Path | None:
    """Return the path of axe's script, if it is there."""
    path = FOLDER / "axe.min.js"
    return path if path.is_file() else None


def install() -> list[str]:
    """Install what is missing; return what could not be installed, with what to do."""
    problems = []
    if chromium() is None:
        problems += _install_chromium()
    if axe() is None:
        problems += _fetch_axe()
    return problems


def _install_chromium() -> list[str]:
    if not shutil.which("apt-get") or os.geteuid():
        return ["Chromium is missing, and only root can install it by apt: install the package chromium"]
    print("Installing Chromium by apt")
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"],
    ):
        if subprocess.run(command, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, check=False).returncode:
            return [f"`{' '.join(command)}` failed: install Chromium by hand"]
    return []


def _fetch_axe() -> list[str]:
    if not shutil.which("npm"):
        return [f"npm is missing, so {AXE} cannot be fetched: install npm"]
    print(f"Fetching {AXE} by npm")
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", AXE]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        packed = list(Path(folder).glob("*.tgz"))
        if done.returncode or not packed:
            return [f"`{' '.join(command)}` failed: {done.stderr.strip()[-300:]}"]
        content = packed[0].read_bytes()
        found = base64.b64encode(hashlib.sha512(content).digest()).decode()
        if found != AXE_SHA512:
            return [f"{AXE} has the SHA-512 {found}, not {AXE_SHA512}: it is not used"]
        with tarfile.open(packed[0]) as archive:
            member = archive.extractfile("package/axe.min.js")
            FOLDER.mkdir(parents=True, exist_ok=True)
            (FOLDER / "axe.min.js").write_bytes(member.read())
    return []


if __name__ == "__main__":
    left = install()
    print("\n".join(left) or "Chromium and axe are there", file=sys.stderr if left else sys.stdout)
