"""Where things are."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(folder for folder in (ROOT / "modules").iterdir() if (folder / "main.tf").exists())
EXAMPLES = sorted(folder for folder in (ROOT / "examples").iterdir() if folder.is_dir())
