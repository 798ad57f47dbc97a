#!/usr/bin/env python3
"""Writes what a release consists of as CycloneDX 1.5 on standard output, from requirements.lock alone; it asks no index.

  deploy/sbom.py > recio.cdx.json

Every package with its exact version, where it may be taken from (purl) and the hashes that an installation accepts. Two runs on the
same tree write the same bytes.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
PINNED = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?:\s*;\s*(?P<marker>[^\\]+?))?\s*\\?$"
)
HASHED = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def components(lock: str) -> list[dict[str, Any]]:
    """One for each pinned package, ascending by name. Raises ValueError for a line that is neither pin, hash nor comment."""
    found: list[dict[str, Any]] = []
    for line in lock.splitlines():
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        pinned, hashed = PINNED.match(text), HASHED.search(text)
        if pinned is not None:
            name, version = pinned["name"].lower(), pinned["version"]
            purl = f"pkg:pypi/{name}@{version}"
            found.append(
                {
                    "type": "library",
                    "bom-ref": purl,
                    "name": name,
                    "version": version,
                    "purl": purl,
                    "hashes": [],
                }
            )
            if pinned["marker"]:
                found[-1]["properties"] = [{"name": "marker", "value": pinned["marker"]}]
        elif hashed is not None and found:
            found[-1]["hashes"].append({"alg": "SHA-256", "content": hashed[1]})
        else:
            raise ValueError(f"requirements.lock: {text!r} is neither a pinned package nor a hash")
    return sorted(found, key=lambda each: each["bom-ref"])


def bill(project: dict[str, Any], lock: str) -> dict[str, Any]:
    """The whole document, without a time or a number that another run would not write."""
    purl = f"pkg:pypi/{project['name']}@{project['version']}"
    parts = components(lock)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": purl,
                "name": project["name"],
                "version": project["version"],
                "description": project["description"],
                "licenses": [{"license": {"id": project["license"]}}],
                "purl": purl,
            }
        },
        "components": parts,
        "dependencies": [{"ref": purl, "dependsOn": [each["bom-ref"] for each in parts]}],
    }


def main() -> None:
    project = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lock = (HERE / "requirements.lock").read_text(encoding="utf-8")
    json.dump(bill(project, lock), sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
