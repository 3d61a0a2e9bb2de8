"""What maintainers of this repository run; none of it ships in the wheel."""
