"""Tables and descriptions are what the HCL says, and every attribute is described."""

import json
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.paths import ROOT
from tools import docs, inputs
from tools.module import MODULES

VARIABLES = """
variable "plain" {
  description = "A plain one."
  type        = string
}

variable "table" {
  # BEGIN description
  description = <<-EOT
    An "object".
  EOT
  # END description
  type = object({
    # Its name.
    name = optional(string) # `<prefix>-events`
    # How many,
    # in units.
    units = optional(number, 5)
    # Labels: a | b.
    labels = optional(map(string), { a = "b, c" })
    # What is inside.
    inner = optional(list(object({
      # Whether it is on.
      on = optional(bool, true)
      # How much.
      level = string
    })), [])
  })
  default = {}
}

variable "alarms" {
  # BEGIN description
  description = <<-EOT
    Alarms.
  EOT
  # END description
  type = object({
    # Something is high.
    high = optional(object({
      # Where it goes off.
      threshold = optional(number, 5)
    }), {})
    # Something is low.
    low = optional(object({
      threshold = optional(number, 1)
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
PAGE = "<!-- BEGIN inputs-reference -->\n<!-- END inputs-reference -->\n"


@pytest.fixture
def module(tmp_path: Path) -> Path:
    (tmp_path / "variables.tf").write_text(VARIABLES)
    (tmp_path / "outputs.tf").write_text(OUTPUTS)
    (tmp_path / "README.md").write_text(README)
    (tmp_path / "docs/reference").mkdir(parents=True)
    (tmp_path / "docs/reference/inputs.md").write_text(PAGE)
    return tmp_path


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_what_is_generated_in_the_repository_is_up_to_date() -> None:
    assert docs.run(check=True) == 0


def test_every_module_has_a_readme_with_its_inputs_and_outputs() -> None:
    assert {path.parent for path in docs.readmes()} == {ROOT, *MODULES}
    for module in MODULES:
        text = (module / "README.md").read_text()
        assert "<!-- BEGIN inputs -->" in text, module
        assert "<!-- BEGIN outputs -->" in text, module
    assert "<!-- BEGIN inputs-index -->" in (ROOT / "README.md").read_text()
    assert "<!-- BEGIN inputs-reference -->" in (ROOT / "docs/reference/inputs.md").read_text()
    assert "<!-- BEGIN outputs -->" in (ROOT / "docs/reference/outputs.md").read_text()


def described(attributes: tuple[inputs.Attribute, ...], path: str) -> dict[str, str]:
    """The description of each attribute by its path."""
    found = {}
    for attribute in attributes:
        found[f"{path}.{attribute.name}"] = attribute.text
        if not attribute.like:
            found |= described(attribute.inner, f"{path}.{attribute.name}")
    return found


def test_every_attribute_of_the_module_is_described_in_sentences() -> None:
    found: dict[str, str] = {}
    for variable in inputs.variables(ROOT):
        found |= described(variable.attributes, variable.name)
    assert {"bucket.create", "delivery.buffer.batch_size", "alarms.errors"} <= set(found)
    assert {path: text for path, text in found.items() if not text.endswith(".")} == {}


def test_a_description_for_the_registry_names_each_attribute() -> None:
    bodies = inputs.blocks(ROOT, "variable")
    for variable in inputs.variables(ROOT):
        for attribute in variable.attributes:
            assert f"\n- `{attribute.name}`" in bodies[variable.name]["description"], variable.name


def test_a_cell_names_each_attribute_with_its_default(module: Path) -> None:
    assert docs.inputs(module).splitlines()[2:] == [
        "| `plain` | A plain one. | string, required |",
        '| `table` | An "object". | `name` (`<prefix>-events`)<br>`units` (`5`)'
        '<br>`labels` (`{a = "b, c"}`)<br>`inner` { `on` (`true`) `level` (required) } (`[]`) |',
        "| `alarms` | Alarms. | `high` { `threshold` (`5`) }<br>`low` { `threshold` (`1`) } |",
    ]


def test_the_index_has_one_line_a_variable_that_links_to_its_attributes(module: Path) -> None:
    assert docs.inputs_index(module).splitlines()[2:] == [
        "| [`alarms`](docs/reference/inputs.md#alarms) | Alarms. |",
        "| [`plain`](docs/reference/inputs.md#plain) | A plain one. |",
        '| [`table`](docs/reference/inputs.md#table) | An "object". |',
    ]


def test_the_reference_has_one_line_an_attribute_nested_ones_too(module: Path) -> None:
    text = docs.inputs_reference(module)
    assert "## plain\n\nA plain one.\n\nType `string`, required.\n" in text
    assert text.partition("## table\n\n")[2].splitlines()[4:] == [
        "| `name` | `string` | `<prefix>-events` | Its name. |",
        "| `units` | `number` | `5` | How many, in units. |",
        '| `labels` | `map(string)` | `{a = "b, c"}` | Labels: a \\| b. |',
        "| `inner` | `list(object)` | `[]` | What is inside. |",
        "| `inner[].on` | `bool` | `true` | Whether it is on. |",
        "| `inner[].level` | `string` | required | How much. |",
    ]


def test_attributes_that_recur_are_described_once_with_each_ones_default(module: Path) -> None:
    text = docs.inputs_reference(module)
    assert text.count("Where it goes off.") == 1
    assert "`high` and `low` have these attributes:" in text
    assert "| `high` | `5` |\n| `low` | `1` |" in text


def test_a_description_keeps_its_first_paragraph_and_gets_its_attributes(module: Path) -> None:
    docs.run(check=False, root=module)
    assert """
  description = <<-EOT
    An "object".

    - `name` (`<prefix>-events`): Its name.
    - `units` (`5`): How many, in units.
    - `labels` (`{a = "b, c"}`): Labels: a | b.
    - `inner` (`[]`): What is inside.
      - `on` (`true`): Whether it is on.
      - `level` (required): How much.
  EOT
""" in (module / "variables.tf").read_text()


def test_only_what_stands_between_the_markers_changes(module: Path) -> None:
    assert docs.run(check=False, root=module) == 0
    text = (module / "README.md").read_text()
    assert text.startswith("# Module\n\n<!-- BEGIN inputs -->\n")
    assert "\nold\n" not in text
    assert "\nbetween\n" in text
    assert text.endswith("| `arn` | The ARN. |\n\n<!-- END outputs -->\nafter\n")


def test_check_names_what_is_out_of_date_until_it_is_written(
    module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert docs.run(check=True, root=module) == 1
    assert "\nold\n" in (module / "README.md").read_text()
    docs.run(check=False, root=module)
    assert docs.run(check=True, root=module) == 0
    change(module / "variables.tf", "    # Its name.", "    # Its new name.")
    capsys.readouterr()
    assert docs.run(check=True, as_json=True, root=module) == 1
    found = json.loads(capsys.readouterr().out)
    assert sorted(found["stale"]) == ["docs/reference/inputs.md", "variables.tf"]


@pytest.mark.parametrize(
    ("comment", "path"),
    [
        ("    # Its name.\n", "table.name"),
        ("      # Whether it is on.\n", "table.inner.on"),
        ("    # Something is low.\n", "alarms.low"),
        ("      # Where it goes off.\n", "alarms.high.threshold"),
    ],
)
def test_an_attribute_without_a_description_is_refused_by_place_and_name(
    comment: str, path: str, module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = module / "variables.tf"
    change(file, comment, "")
    name = path.rpartition(".")[2]
    line = 1 + next(
        i for i, line in enumerate(file.read_text().splitlines()) if f" {name} =" in line
    )
    before = (module / "README.md").read_text()
    for check in True, False:
        assert docs.run(check, root=module) == 1
        said = capsys.readouterr().out
        assert f"variables.tf:{line}: {path} has no description: write a comment" in said
    assert (module / "README.md").read_text() == before


def test_two_attributes_in_one_line_are_refused_by_name(module: Path) -> None:
    change(module / "variables.tf", "list(object({\n", "list(object({ odd = string,\n")
    with pytest.raises(PipelineError, match="odd shares its line"):
        docs.run(check=True, root=module)


def test_a_description_without_its_markers_is_an_error(module: Path) -> None:
    change(module / "variables.tf", "  # END description\n", "")
    with pytest.raises(PipelineError, match="the description of table is not between"):
        docs.run(check=True, root=module)


def test_a_marker_without_its_partner_is_an_error(module: Path) -> None:
    (module / "README.md").write_text("<!-- BEGIN inputs -->\n")
    with pytest.raises(PipelineError, match="lacks one of the markers"):
        docs.run(check=True, root=module)


def test_broken_hcl_is_named(module: Path) -> None:
    (module / "outputs.tf").write_text('output "x" {')
    with pytest.raises(PipelineError, match=r"outputs\.tf is no HCL"):
        docs.run(check=True, root=module)
