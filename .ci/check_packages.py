"""The wheel and the sdist hold what they should, and each of their forms can be imported."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from mlx_spectro.distribution import NAME

ROOT = Path(__file__).parent.parent
IMPORTS = (
    "import mlx_spectro, mlx_spectro.compat, pathlib, sys\n"
    "assert pathlib.Path(mlx_spectro.__file__).is_relative_to(sys.argv[1]), mlx_spectro.__file__\n"
    "for name in mlx_spectro.__all__: getattr(mlx_spectro, name)\n"
    "from mlx_spectro.compat import numerics, torch\n"
    "z = torch.stft(torch.ones(500), 64, window=torch.ones(64), return_complex=True)\n"
    "assert z.shape == (33, 32)\n"
)


def build(folder: Path, source: Path, *what: str) -> Path:
    """Build ``what`` from ``source``; the one file that came of it."""
    before = set(folder.iterdir())
    command = [sys.executable, "-m", "build", "--no-isolation", *what, "--outdir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    (made,) = set(folder.iterdir()) - before
    return made


def expect_contents(wheel: Path) -> None:
    if not wheel.name.startswith(f"{NAME.replace('-', '_')}-"):
        raise SystemExit(f"{wheel.name} is not called {NAME}, as what we say about installing it assumes")
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {str(p.relative_to(ROOT)) for p in (ROOT / "mlx_spectro").rglob("*.py*") if "__pycache__" not in p.parts}
    package = {name for name in package if not name.startswith("mlx_spectro/compat/")} | {"mlx_spectro/py.typed"}
    adapters = {f"mlx_spectro/{p.relative_to(ROOT)}" for p in (ROOT / "compat").rglob("*.py")}
    adapters |= {f"mlx_spectro/{p.relative_to(ROOT)}" for p in (ROOT / "compat").rglob("*.jinja")}
    missing = (package | adapters) - names
    strays = {name for name in names if not name.startswith("mlx_spectro") or "__pycache__" in name}
    (entries,) = (name for name in names if name.endswith("/entry_points.txt"))
    if b"mlx-spectro = mlx_spectro.compat.runner.cli:main" not in zipfile.ZipFile(wheel).read(entries):
        raise SystemExit(f"{wheel.name}: the command mlx-spectro is missing")
    if missing or strays:
        raise SystemExit(f"{wheel.name}: missing {sorted(missing)}, stray {sorted(strays)}")


def expect_import(wheel: Path, folder: Path) -> None:
    """Import the wheel from a place of its own, beside this environment's libraries."""
    target = folder / wheel.stem
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    code = f"import sys; sys.path.insert(0, {str(target)!r})\n{IMPORTS}"
    subprocess.run([sys.executable, "-c", code, str(target)], check=True, cwd=folder)
    # the parity table, on a person's own recording
    audio = ROOT / "parity_tests" / "table" / "audio" / "speech_8k.flac"
    parity = ["-m", "mlx_spectro.compat", "parity", "--only", "spectrogram", "--audio", str(audio)]
    subprocess.run(
        [sys.executable, *parity, "--html", "parity.html"], check=True, cwd=target, stdout=subprocess.DEVNULL
    )


def main() -> None:
    subprocess.run([sys.executable, "-c", IMPORTS, str(ROOT)], check=True, cwd=ROOT)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        wheel = build(folder, ROOT, "--wheel")
        sdist = build(folder, ROOT, "--sdist")
        unpacked = folder / "unpacked"
        with tarfile.open(sdist) as archive:
            archive.extractall(unpacked, filter="data")
        (source,) = unpacked.iterdir()
        second = folder / "second"
        second.mkdir()
        for found in (wheel, build(second, source, "--wheel")):
            expect_contents(found)
            expect_import(found, found.parent)
    print("packages: wheel, sdist and a wheel out of the sdist hold what they should and can be imported")


if __name__ == "__main__":
    main()
