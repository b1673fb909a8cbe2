"""What MkDocs adds to the pages of docs/: files of the repository that lie elsewhere."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]

# Where a file of the repository lies in the site.
ADDED = {
    "trainability-digits.svg": ROOT / "reports" / "default" / "figures" / "trainability-digits.svg",
    "llms.txt": ROOT / "llms.txt",
}
EXAMPLE = ROOT / "reports" / "quick" / "index.html"
NO_EXAMPLE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>No example page</title></head>
<body><p>This copy of the documentation was built without the example page. <code>make docs</code> adds it.</p></body></html>
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the picture, llms.txt and the page of the quick study; a sentence stands in for a page that was not made."""
    for place, path in ADDED.items():
        files.append(File.generated(config, place, abs_src_path=str(path)))
    if EXAMPLE.is_file():
        files.append(File.generated(config, "example/quick.html", abs_src_path=str(EXAMPLE)))
    else:
        files.append(File.generated(config, "example/quick.html", content=NO_EXAMPLE))
    return files
