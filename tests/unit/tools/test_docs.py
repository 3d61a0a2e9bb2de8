"""The tables in the READMEs are what the HCL says."""

from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.paths import ROOT
from tools import docs
from tools.module import MODULES

VARIABLES = """
variable "plain" {
  description = "A plain one."
  type        = string
}

variable "table" {
  description = "An object."
  type = object({
    name   = optional(string) # <prefix>-events
    units  = optional(number, 5)
    labels = optional(map(string), { a = "b, c" })
    inner = optional(object({
      on    = optional(bool, true)
      level = string
    }), {})
  })
  default = {}
}
"""
OUTPUTS = """
output "arn" {
  description = "The ARN."
  value       = "x"
}
"""
README = """# Module

<!-- BEGIN inputs -->
old
<!-- END inputs -->

between

<!-- BEGIN outputs -->
<!-- END outputs -->
after
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    (tmp_path / "variables.tf").write_text(VARIABLES)
    (tmp_path / "outputs.tf").write_text(OUTPUTS)
    (tmp_path / "README.md").write_text(README)
    return tmp_path


def test_the_tables_in_the_repository_are_up_to_date() -> None:
    assert docs.run(check=True) == 0


def test_every_module_has_a_readme_with_both_tables() -> None:
    for readme in docs.readmes():
        text = readme.read_text()
        assert "<!-- BEGIN inputs -->" in text, readme
        if readme.parent == ROOT:  # whose README links to a page
            text = (ROOT / "docs/reference/outputs.md").read_text()
        assert "<!-- BEGIN outputs -->" in text, readme
    assert {path.parent for path in docs.readmes()} == {ROOT, *MODULES}


def test_a_table_names_each_attribute_with_its_default(module: Path) -> None:
    assert docs.table(module, "inputs").splitlines()[2:] == [
        "| `plain` | A plain one. | string, required |",
        "| `table` | An object. | `name` (&lt;prefix>-events)<br>`units` (`5`)"
        '<br>`labels` (`{a = "b, c"}`)<br>`inner` { `on` (`true`) `level` (required) } |',
    ]


def test_only_what_stands_between_the_markers_changes(module: Path) -> None:
    assert docs.run(check=False, root=module) == 0
    text = (module / "README.md").read_text()
    assert text.startswith("# Module\n\n<!-- BEGIN inputs -->\n")
    assert "old" not in text
    assert "\nbetween\n" in text
    assert text.endswith("| `arn` | The ARN. |\n\n<!-- END outputs -->\nafter\n")


def test_check_exits_1_until_the_tables_are_written(module: Path) -> None:
    assert docs.run(check=True, root=module) == 1
    assert "old" in (module / "README.md").read_text()
    docs.run(check=False, root=module)
    assert docs.run(check=True, root=module) == 0


def test_a_marker_without_its_partner_is_an_error(module: Path) -> None:
    (module / "README.md").write_text("<!-- BEGIN inputs -->\n")
    with pytest.raises(PipelineError, match="lacks one of the markers"):
        docs.run(check=True, root=module)


def test_broken_hcl_is_named(module: Path) -> None:
    (module / "outputs.tf").write_text('output "x" {')
    with pytest.raises(PipelineError, match=r"outputs\.tf is no HCL"):
        docs.run(check=True, root=module)
