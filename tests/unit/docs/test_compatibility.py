"""Whatever the module makes was compared with the upgrade guide of provider 6."""

import re

from pipeline.paths import ROOT
from tools.hcl import used_in
from tools.module import MODULES


def test_every_type_that_the_module_uses_was_looked_for_in_the_guide() -> None:
    page = (ROOT / "docs/reference/compatibility.md").read_text()
    listed = page.partition("Compared with the guide")[2].partition("\n\n")[0]
    resources, data = listed.partition("The guide names")[0].split("and the data sources")
    compared = {("resource", name) for name in re.findall(r"`(aws_\w+)`", resources)}
    compared |= {("data", name) for name in re.findall(r"`(aws_\w+)`", data)}
    files = (file for folder in [ROOT, *MODULES] for file in folder.glob("*.tf"))
    assert used_in(files, ROOT).types() == compared
