"""Runs the code blocks of Markdown pages in one process: `python block_runner.py JOB.json`, see `readme_blocks.run_pages`.

Each page has its own empty folder and namespace. TensorFlow is imported once for all of them.
"""

import json
import os
import subprocess
import sys
import time

del sys.path[0]  # the folder of this file, so that the pages do not import `tests/data`


def run_verb(arguments: list[str]) -> None:
    """Runs `tfplm ...` in this process."""
    from tfplm import cli

    if status := cli.main(arguments):
        raise SystemExit(f"tfplm {' '.join(arguments)}: exit status {status}")


def run_block(block: dict, page: str, namespace: dict) -> None:
    if block["verbs"]:
        for arguments in block["verbs"]:
            run_verb(arguments)
    elif block["language"] == "python":
        exec(compile("\n" * block["line"] + block["code"], page, "exec"), namespace)
    else:
        subprocess.run(["bash", "-euo", "pipefail", "-c", block["code"]], check=True)


def main(job: str) -> None:
    with open(job, encoding="utf-8") as file:
        pages = json.load(file)
    for page in pages:
        os.makedirs(page["folder"], exist_ok=True)
        os.chdir(page["folder"])
        namespace = {"__name__": "page"}
        for block in page["blocks"]:
            start = time.monotonic()
            run_block(block, page["path"], namespace)
            print(f"{page['path']}, line {block['line']}: {time.monotonic() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
