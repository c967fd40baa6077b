"""The official EN 16931 rules, run by Saxon in a process of its own: XML in, broken rules out, a line each.

`python judge.py FILE.xslt` reads the path of a document a line and answers with the rules that it breaks as JSON
{"fired": rules looked at, "broken": [[id, flag], ...]}. That something was looked at is told, since a document that no
rule fits would break none.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

_FAILED = re.compile(r"<svrl:failed-assert\b([^>]*)>")
_ATTRIBUTE = re.compile(r'\b(id|flag)="([^"]*)"')


class Judge:
    """One stylesheet in one process."""

    def __init__(self, stylesheet: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(stylesheet)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def broken(self, document: bytes, folder: Path) -> list[str]:
        """Ids of the rules that `document` breaks, warnings left out."""
        file = folder / "document.xml"
        file.write_bytes(document)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(file, file=self._process.stdin, flush=True)
        found = json.loads(self._process.stdout.readline())
        assert found["fired"] > 20, "the rules did not look at the document"
        return [rule for rule, flag in found["broken"] if flag != "warning"]

    def close(self) -> None:
        self._process.communicate(timeout=60)


def main(stylesheet: str) -> None:
    from saxonche import PySaxonProcessor

    with PySaxonProcessor(license=False) as processor:
        compiled = processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=stylesheet)
        for line in sys.stdin:
            document = processor.parse_xml(xml_text=Path(line.strip()).read_text(encoding="utf-8"))
            report = compiled.transform_to_string(xdm_node=document)
            broken = [dict(_ATTRIBUTE.findall(found)) for found in _FAILED.findall(report)]
            answer = [(found.get("id", ""), found.get("flag", "")) for found in broken]
            print(json.dumps({"fired": report.count("<svrl:fired-rule"), "broken": answer}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
