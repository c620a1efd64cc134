"""Ask whether a locked package has a known vulnerability: ``make audit`` calls it.

pip-audit asks the database of the package index for each pinned version. It counts a package that it could not ask for
as one without a vulnerability; here that is "not known", and so is no answer at all.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.lock", "workflow/audit.lock", "workflow/fuzz.lock")
#: Exit codes: nothing is known against any package, something is, it is not known.
CLEAN, VULNERABLE, NOT_KNOWN = 0, 1, 2


def judged(answer: str, complaint: str) -> tuple[str, int]:
    """Return what pip-audit's JSON means, in words, and the exit code; without JSON its ``complaint`` tells why.

    A package whose answer is missing makes the whole not known, unless another one is vulnerable.
    """
    try:
        packages = json.loads(answer)["dependencies"]
        vulnerable = {f"{one['name']} {one['version']}": one["vulns"] for one in packages if one.get("vulns")}
        unasked = {one["name"]: one.get("skip_reason", "no answer") for one in packages if "vulns" not in one}
        lines = [f"{name}: {_told(found)}" for name, found in vulnerable.items()]
    except (ValueError, KeyError, TypeError, AttributeError):  # no JSON, or another form of it
        packages, lines, unasked = [], [], {}
    if not packages:
        last = next((line for line in reversed(complaint.splitlines()) if line.strip()), "no word of why").strip()
        return f"Not known: the database of vulnerabilities did not answer ({last[:300]}). Try again later.", NOT_KNOWN
    asked = len(packages) - len(unasked)
    if unasked:
        more = f" and {len(unasked) - 5} more" if len(unasked) > 5 else ""
        lines.append(f"Not known of {', '.join(list(unasked)[:5])}{more}: {next(iter(unasked.values()))}")
    if vulnerable:
        return "\n".join([*lines, f"{len(vulnerable)} of {asked} packages asked for are vulnerable."]), VULNERABLE
    if unasked:
        return "\n".join([*lines, f"Not known: {len(unasked)} of {len(packages)} packages had no answer."]), NOT_KNOWN
    return f"No vulnerability is known of {asked} packages for this platform, as of now.", CLEAN


def _told(vulnerabilities: Sequence[dict]) -> str:
    """Return the names of vulnerabilities, with the versions that mend them."""
    words = []
    for one in vulnerabilities:
        mended = ", ".join(one.get("fix_versions", [])) or "no version"
        words.append(f"{one['id']} (mended in {mended})")
    return "; ".join(words)


def ask(lock: str) -> tuple[str, int]:
    """Ask for the packages of a lock; return the answer in words, and the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        options = ["--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off"]
        command = [sys.executable, "-m", "pip_audit", "-r", str(ROOT / lock), *options, "--output", str(answer)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return judged(answer.read_text(encoding="utf-8") if answer.is_file() else "", done.stderr)


def main() -> int:
    """Ask for all locks; return the exit code."""
    codes = []
    for lock in LOCKS:
        words, code = ask(lock)
        print(f"{lock}: {words}", file=sys.stderr if code else sys.stdout, flush=True)
        codes.append(code)
    return VULNERABLE if VULNERABLE in codes else max(codes)


if __name__ == "__main__":
    raise SystemExit(main())
