"""What a stage that is failing says to do."""

from pipeline.deployed.session import DriftError, Session
from pipeline.deployed.target import Target
from pipeline.verify.stages import examine


def drifted(_: Session) -> str:
    raise DriftError("The function has no role")


def test_what_puts_a_stage_back_is_terraform_and_in_the_lab_the_labs_own_command() -> None:
    stack, lab = Target({}, "The root"), Target({}, "The lab", apply="run `pipeline lab up`")
    assert [examine(Session(each, "1"), "function", drifted).message for each in (stack, lab)] == [
        "The function has no role: run `terraform apply` in the stack's root, which puts it back.",
        "The function has no role: run `pipeline lab up`, which puts it back.",
    ]
