"""Reports of GPUs say which texts they are of, and one that is older than the texts is told."""

from __future__ import annotations

import ast
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import texts as reports
from mlx_spectro.kernels import gpu
from mlx_spectro.kernels.gpu import convolution, medians, texts
from mlx_spectro.kernels.gpu.dialect import Kernel


def makers(module: ast.Module) -> set[str]:
    """Public functions that make kernels; what builds one of given parts is called by another."""
    functions = (node for node in module.body if isinstance(node, ast.FunctionDef) and node.returns is not None)
    made = (one for one in functions if "Kernel" in {n.id for n in ast.walk(one.returns) if isinstance(n, ast.Name)})  # type: ignore[arg-type]
    return {one.name for one in made if not one.name.startswith("_")} - {"build"}


def test_no_kind_of_kernel_is_left_out() -> None:
    (folder,) = map(Path, gpu.__path__)
    named = {
        (node.value.id, node.attr)
        for node in ast.walk(ast.parse((folder / "texts.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    others = (file for file in folder.glob("*.py") if file.stem not in ("texts", "dialect", "launch_mlx"))
    made = {(file.stem, name) for file in others for name in makers(ast.parse(file.read_text(encoding="utf-8")))}
    assert len(made) > 20
    assert made <= named


def test_kernels_are_told_by_their_names() -> None:
    names = [kernel.name for kernel in texts.kernels()]
    assert len(set(names)) == len(names)


def changed(kernel: Kernel) -> Kernel:
    return dataclasses.replace(kernel, body=kernel.body + "int more = 1;\n")


def test_a_report_is_older_than_a_text_that_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    report: dict[str, Any] = {"device": "a GPU", "texts": texts.digests()}
    assert reports.outdated(report) == ""
    kernels = texts.kernels()
    now = [changed(kernel) if kernel.name in ("medians", "istft_63", "istft_512") else kernel for kernel in kernels]
    monkeypatch.setattr(texts, "kernels", lambda: now)
    assert reports.outdated(report) == "is older than the text of istft, medians"
    del report["texts"]["convolution"]
    assert reports.outdated(report) == "is older than the text of istft, medians and has nothing of convolution"
    monkeypatch.setattr(texts, "kernels", lambda: [medians.kernel(), convolution.kernel()])
    assert reports.outdated(report) == "has nothing of convolution"
    assert reports.outdated({"device": "a GPU"}) == "does not say which texts it is of"


def test_the_newest_report_of_a_kind_counts_and_none_of_a_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    contents: dict[str, Any] = {
        "2026-01-02-card": {"device": "a GPU"},
        "2026-01-03-card": {"device": "a GPU", "texts": texts.digests()},
        "2026-01-02-other-card": {"device": "another GPU"},
        "2026-01-02-cpu": {"device": "cpu:one"},
        "2026-01-02-shares": {"rows": []},
    }
    for name, report in contents.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(report), encoding="utf-8")
    (tmp_path / "upstream.json").write_text("[]", encoding="utf-8")
    monkeypatch.setattr(reports, "_ROOT", tmp_path)
    monkeypatch.setattr(reports, "_FOLDERS", (tmp_path,))
    reports.main()
    said = "does not say which texts it is of"
    assert capsys.readouterr().out == f"warning: 2026-01-02-other-card.json, of another GPU, {said}\n"


def test_the_parity_report_of_a_gpu_says_its_texts() -> None:
    from parity_tests.table.report import as_json

    assert json.loads(as_json([], "torch's card"))["texts"] == texts.digests()
    assert "texts" not in json.loads(as_json([], "cpu:one"))
