"""What a consumer of the module gets."""

from pathlib import Path

from tools.module import EXAMPLES, MODULES, copy_module


def test_a_copy_holds_the_module_and_its_package_and_nothing_else(tmp_path: Path) -> None:
    copied = copy_module(tmp_path / "copy")
    names = {str(path.relative_to(copied)) for path in copied.rglob("*") if path.is_file()}
    assert {"main.tf", "lambda_src/dist/lambda.zip", "modules/s3/main.tf"} <= names
    # Terraform reads it, wherever the module lies.
    assert "prices.json" in names
    assert not [name for name in names if "state" in name or ".terraform" in name]
    assert not [name for name in names if name.endswith(".py")]


def test_modules_and_examples_are_found() -> None:
    assert {"s3", "lambda", "dynamodb"} <= {folder.name for folder in MODULES}
    assert {"minimal", "complete"} <= {folder.name for folder in EXAMPLES}
