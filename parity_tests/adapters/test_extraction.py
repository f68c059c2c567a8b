"""Features of data sets: nothing lost, nothing doubled, whatever happens meanwhile."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import pickle
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("numba")
librosa = pytest.importorskip("librosa")
soundfile = pytest.importorskip("soundfile")
pytest.importorskip("pyarrow")

import mlx_spectro
from mlx_spectro import compat
from mlx_spectro.compat.extraction import ExtractionError, blocks, command, engines, recordings, shards
from mlx_spectro.compat.extraction.folder import Progress

pytestmark = pytest.mark.slow

Array = npt.NDArray[Any]
SMALL: dict[str, Any] = {"n_mels": 8, "n_fft": 128, "hop_length": 64}
OPTIONS = ["--n-mels", "8", "--n-fft", "128", "--hop-length", "64", "--mfcc.n-mfcc", "5", "--shard-size", "4"]


def record(folder: Path, count: int, seed: int = 0) -> Path:
    """A folder of short recordings."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        samples = rng.integers(-9999, 9999, rng.integers(300, 2000)).astype(np.int16)
        soundfile.write(folder / f"{i:03d}.wav", samples, 8000)
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows_of(folder: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet

    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(folder).to_pylist()
    return rows


def begin(audio: Path, out: Path, *options: str, **how: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mlx_spectro.compat", "extract", str(audio), "--features", "mel,mfcc"]
    return subprocess.Popen(
        [*command, *OPTIONS, "--out", str(out), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **how,
    )


def run(audio: Path, out: Path, *options: str, **how: Any) -> tuple[int, str, str]:
    process = begin(audio, out, *options, **how)
    printed, said = process.communicate(timeout=300)
    return process.returncode, printed, said


def wait_for(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_rows_hold_what_the_functions_return(tmp_path: Path) -> None:
    audio = record(tmp_path / "audio", 6)
    done = mlx_spectro.extract(audio, "mel,mfcc,rms", tmp_path / "out", workers=0, shard_size=4, **SMALL)
    assert (done.rows, done.failed) == (6, {})
    rows = rows_of(tmp_path / "out")
    assert [row["path"] for row in rows] == [str(path) for path in sorted(audio.iterdir())]
    for row in rows:
        y, rate = soundfile.read(row["path"], dtype="float32")
        assert (row["sample_rate"], row["channels"], row["samples"]) == (rate, 1, len(y))
        assert row["frames"] == len(row["mel"]) == len(row["mfcc"])
        expected = {
            "mel": librosa.feature.melspectrogram(y=y, sr=rate, **SMALL),
            "mfcc": librosa.feature.mfcc(y=y, sr=rate, **SMALL),
            "rms": librosa.feature.rms(y=y, hop_length=64),
        }
        for name, values in expected.items():
            # float32 from double precision inside: a few units in the last place of the largest
            np.testing.assert_allclose(np.array(row[name]).T, values, atol=8e-7 * np.abs(values).max(), rtol=0)


def test_npy_files_hold_the_same_frames(tmp_path: Path) -> None:
    audio = record(tmp_path / "audio", 5)
    for kind in ("parquet", "npy"):
        mlx_spectro.extract(audio, "mel,rms", tmp_path / kind, format=kind, workers=0, shard_size=3, **SMALL)
    rows = iter(rows_of(tmp_path / "parquet"))
    for table in sorted((tmp_path / "npy").glob("*.rows.jsonl")):
        for line in table.read_text().splitlines():
            row, theirs = json.loads(line), next(rows)
            for name in ("mel", "rms"):
                values = np.load(str(table).replace("rows.jsonl", f"{name}.npy"), mmap_mode="r")
                frames = values[row["first"][name] : row["last"][name]]
                assert np.array_equal(frames, np.array(theirs[name], np.float32))
            assert row["path"] == theirs["path"]
    assert next(rows, None) is None


def test_options_mean_the_same_in_workers(tmp_path: Path) -> None:
    audio, options = record(tmp_path / "audio", 2), {"window": ("kaiser", 4.0), **SMALL}
    for workers in (0, 1):
        done = mlx_spectro.extract(audio, "mel, mel", tmp_path / str(workers), workers=workers, **options)
        assert (done.rows, done.failed) == (2, {})
    assert tree(tmp_path / "0") == tree(tmp_path / "1")
    with pytest.raises(ExtractionError, match=r"options are numbers, texts, and lists or tuples of them: .*ndarray"):
        mlx_spectro.extract(audio, "mel", tmp_path / "none", **{**options, "window": np.hanning(128)})
    assert not (tmp_path / "none").exists()


MANIFESTS = {
    "marked.csv": "\ufeffpath,text\na.wav,said\n",
    "UPPER.CSV": "path,text\na.wav,said\n",
    "marked.txt": "\ufeffa.wav\n",
    "lines.csv": 'text,path\n"said in\ntwo lines",a.wav\n',
    "separators.jsonl": '{"text": "said\u2028in\x85lines", "path": null, "audio": "a.wav"}\n',
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifests_are_read_as_others_write_them(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(MANIFESTS[name], encoding="utf-8")
    assert recordings.recordings_of((), tmp_path / name) == [str(tmp_path / "a.wav")]


def ran_through(audio: Path, out: Path) -> dict[str, bytes]:
    """What is in the folder of an extraction that nothing interrupts."""
    options: dict[str, Any] = {**SMALL, "mfcc.n_mfcc": 5}
    mlx_spectro.extract(audio, "mel,mfcc", out, workers=0, shard_size=4, **options)
    return tree(out)


@pytest.mark.skipif(sys.platform != "linux", reason="where caches lie is told otherwise")
def test_rows_are_the_same_before_kernels_are_compiled_and_after(tmp_path: Path) -> None:
    audio = record(tmp_path / "audio", 3)
    here = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "MLX_SPECTRO_COMPILATION": "background"}
    for out in ("before", "after"):
        status, _, said = run(audio, tmp_path / out, "--workers", "1", env=here)
        assert status == 0, said
    assert rows_of(tmp_path / "before") == rows_of(tmp_path / "after")


def wait_for_shards(out: Path, count: int, process: subprocess.Popen[str]) -> None:
    wait_for(lambda: len(list((out / "_extraction").glob("part-*.json"))) >= count or process.poll() is not None)


def test_what_was_killed_twice_is_what_ran_through(tmp_path: Path) -> None:
    audio = record(tmp_path / "audio", 160)
    (audio / "031.wav").write_bytes(b"no recording")
    expected = ran_through(audio, tmp_path / "through")
    out = tmp_path / "killed"
    for parts in (1, 15):
        process = begin(audio, out, "--workers", "1")
        wait_for_shards(out, parts, process)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    status, printed, said = run(audio, out, "--workers", "1")
    assert status == 1
    assert "159 rows" in printed
    assert f"no row: {audio / '031.wav'}: LibsndfileError" in said
    assert tree(out) == expected


def test_ctrl_c_says_one_line_and_leaves_no_worker(tmp_path: Path) -> None:
    # as from a terminal, whose processes all get it; and whoever runs the tests may have them ignore it
    process = begin(
        record(tmp_path / "audio", 400), tmp_path / "out", "--workers", "2", start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    wait_for_shards(tmp_path / "out", 1, process)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "mlx-spectro extract: interrupted; the same command goes on\n")
    assert not _worker_of(process.pid)


def test_a_killed_worker_s_shard_is_made_again(tmp_path: Path) -> None:
    audio = record(tmp_path / "audio", 400)
    process = begin(audio, tmp_path / "out", "--workers", "1")
    wait_for_shards(tmp_path / "out", 1, process)
    victim = _worker_of(process.pid)
    assert victim, "of process 0, the signal would end this one"
    os.kill(victim, signal.SIGKILL)
    process.communicate(timeout=300)
    assert process.returncode == 0
    assert tree(tmp_path / "out") == ran_through(audio, tmp_path / "through")


def _worker_of(parent: int) -> int:
    """The process id of a worker; 0 for none."""
    done = subprocess.run(["ps", "-ww", "-o", "pid=,args=", "--ppid", str(parent)], capture_output=True, text=True)
    return next((int(line.split()[0]) for line in done.stdout.splitlines() if "extraction.worker" in line), 0)


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    process = begin(record(tmp_path / "audio", 40), tmp_path / "out", "--workers", "1")
    wait_for(lambda: _worker_of(process.pid))
    worker = _worker_of(process.pid)
    process.kill()
    process.communicate()
    wait_for(lambda: not Path(f"/proc/{worker}").exists())


def test_a_recording_that_kills_its_worker_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audio = record(tmp_path / "audio", 7)
    # soundfile, as a worker finds it
    lethal = tmp_path / "lethal"
    lethal.mkdir()
    (lethal / "sitecustomize.py").write_text(
        "import os, soundfile\n"
        "class SoundFile(soundfile.SoundFile):\n"
        "    def __init__(self, path, *rest):\n"
        "        if path.endswith('002.wav'): os.abort()\n"
        "        super().__init__(path, *rest)\n"
        "soundfile.SoundFile = SoundFile\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(lethal))
    done = mlx_spectro.extract(audio, "mel", tmp_path / "out", workers=1, shard_size=4, **SMALL)
    assert done.rows == 6
    assert done.failed == {str(audio / "002.wav"): "its worker was killed 2 times (status -6)"}
    assert [Path(row["path"]).name for row in rows_of(tmp_path / "out")] == [f"00{i}.wav" for i in (0, 1, 3, 4, 5, 6)]


def test_odd_recordings_have_a_row_or_a_reason(tmp_path: Path) -> None:
    audio = tmp_path / "audio"
    audio.mkdir()
    rng = np.random.default_rng(1)
    soundfile.write(audio / "empty.wav", np.zeros(0, np.float32), 8000)
    soundfile.write(audio / "one.wav", np.ones(1, np.float32), 8000)
    soundfile.write(audio / "eight.wav", rng.standard_normal((3000, 8)).astype(np.float32) / 9, 8000)
    soundfile.write(audio / "fast.wav", rng.standard_normal(9000).astype(np.float32) / 9, 192000)
    soundfile.write(audio / "long.wav", rng.standard_normal(8000 * 3).astype(np.float32) / 9, 8000)
    soundfile.write(audio / "longnotnumber.wav", np.full(24000, np.nan, np.float32), 8000, subtype="FLOAT")
    soundfile.write(audio / "notnumber.wav", np.full(999, np.nan, np.float32), 8000, subtype="FLOAT")
    (audio / "text.wav").write_text("no recording")
    (audio / "torn.flac").write_bytes((Path(__file__).parents[1] / "table/audio/speech_8k.flac").read_bytes()[:5000])
    (audio / "notes.txt").write_text("is no recording by its name")
    (tmp_path / "list.jsonl").write_text('{"audio_filepath": "audio/one.wav"}\n\n{"path": "audio/missing.wav"}\n')
    done = mlx_spectro.extract(
        [audio], "mel", tmp_path / "out", manifest=tmp_path / "list.jsonl", workers=0, longest=2.0, **SMALL
    )
    reasons = {Path(path).name: reason for path, reason in done.failed.items()}
    assert reasons.pop("text.wav").startswith("LibsndfileError")
    assert reasons.pop("torn.flac")
    assert reasons.pop("notnumber.wav").startswith("ParameterError: Audio buffer is not finite")
    assert "not finite" in reasons.pop("longnotnumber.wav")
    assert reasons == {
        "empty.wav": "ValueError: it holds no samples",
        "missing.wav": "FileNotFoundError: there is no such file",
    }
    rows = {Path(row["path"]).name: row for row in rows_of(tmp_path / "out")}
    assert sorted(rows) == ["eight.wav", "fast.wav", "long.wav", "one.wav"]
    assert rows["fast.wav"]["sample_rate"] == 192000
    mixed = soundfile.read(audio / "eight.wav", dtype="float32")[0].mean(axis=1)
    expected = librosa.feature.melspectrogram(y=mixed, sr=8000, **SMALL)
    np.testing.assert_allclose(np.array(rows["eight.wav"]["mel"]).T, expected, atol=8e-7 * expected.max(), rtol=0)
    assert rows["eight.wav"]["channels"] == 8

    soundfile.write(audio / "empty.wav", np.ones(900, np.float32) / 9, 8000)
    again = mlx_spectro.extract(
        audio,
        "mel",
        tmp_path / "out",
        manifest=tmp_path / "list.jsonl",
        workers=0,
        longest=2.0,
        retry_failed=True,
        **SMALL,
    )
    assert again.rows == 5


def long_recording(path: Path) -> str:
    """Nine seconds that grow louder, so that no part has the maximum of the whole but the last."""
    noise = np.random.default_rng(4).standard_normal((72_000, 2))
    soundfile.write(
        path, (noise * np.linspace(1e-3, 0.3, len(noise))[:, None]).astype(np.float32), 8000, subtype="FLOAT"
    )
    return str(path)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "_BLOCK", 2 * 7_001)
    monkeypatch.setattr(blocks, "_FRAMES", 37)


@pytest.mark.parametrize(
    ("like", "features", "options"),
    [
        ("librosa", "mel,logmel,rms,zero_crossing_rate", {"n_mels": 16, "rate": 11025}),
        ("librosa", "mel,chroma,spectral_centroid,spectral_bandwidth,spectral_rolloff", {"tuning": 0.1, "n_mels": 16}),
        ("librosa", "mel,spectral_flatness,spectral_contrast", {"linear": True, "fmin": 100.0, "n_mels": 16}),
        ("torchaudio", "mel,logmel,spectrogram", {"n_mels": 16, "n_fft": 400}),
        ("native", "mel,logmel", {"n_mels": 16, "top_db": None}),
    ],
)
def test_a_long_recording_is_the_same_in_blocks(
    like: str, features: str, options: dict[str, Any], tmp_path: Path, small_blocks: None
) -> None:
    pytest.importorskip({"native": "mlx.core"}.get(like, like))
    path = long_recording(tmp_path / "long.wav")
    with compat.route("ours"), compat.device("cpu"):
        whole = mlx_spectro.FeatureExtractor(features, like, **options)(path)
    parts = mlx_spectro.FeatureExtractor(features, like, longest=1.0, **options)(path)
    assert {name: (values.shape, values.dtype) for name, values in parts.items()} == {
        name: (values.shape, values.dtype) for name, values in whole.items()
    }
    assert [name for name in whole if not np.array_equal(parts[name], whole[name])] == []


@pytest.mark.parametrize("like", ["librosa", "torchaudio"])
def test_cepstra_in_blocks_are_of_rounded_decibels(like: str, tmp_path: Path, small_blocks: None) -> None:
    pytest.importorskip(like)
    path = long_recording(tmp_path / "long.wav")
    options: dict[str, Any] = {"n_mels": 16, "n_fft": 512, "mfcc.n_mfcc": 16}
    whole = mlx_spectro.FeatureExtractor("mfcc", like, **options)(path)["mfcc"]
    parts = mlx_spectro.FeatureExtractor("mfcc", like, longest=1.0, **options)(path)["mfcc"]
    assert parts.shape == whole.shape
    # decibels of at most 200, rounded once more, and again in a sum of products with n_mels cosines of at most
    # sqrt(2 / n_mels)
    rounding = 2 * 200 * np.finfo(np.float32).eps * 16 * np.sqrt(2 / 16)
    np.testing.assert_allclose(parts, whole, atol=rounding, rtol=0)


@pytest.mark.parametrize(
    ("like", "options", "reason"),
    [
        ("librosa", {"features": "chroma"}, "tuning must be given"),
        ("librosa", {"features": "spectral_contrast"}, "linear must be True"),
        ("librosa", {"features": "mel", "pad_mode": "wrap"}, "circular padding"),
        (
            "torchaudio",
            {"features": "mel", "rate": 16000, "n_mels": 16},
            "like torchaudio's, it is resampled as a whole",
        ),
        ("native", {"features": "mel"}, "top_db=80.0 cannot be streamed"),
        ("native", {"features": "mfcc"}, "takes its decibels from the maximum of the whole recording"),
    ],
)
def test_what_needs_a_long_recording_as_a_whole_is_refused(
    like: str, options: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    pytest.importorskip({"native": "mlx.core"}.get(like, like))
    extractor = mlx_spectro.FeatureExtractor(like=like, longest=1.0, **options)
    with pytest.raises(
        ValueError, match=f"it lasts 9 s, longer than 1 s, and cannot be computed in blocks: .*{reason}"
    ):
        extractor(long_recording(tmp_path / "long.wav"))


@pytest.mark.parametrize("kind", ["parquet", "npy"])
def test_rows_of_long_recordings_are_the_same(
    kind: str, tmp_path: Path, small_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "_GROUP", 3000)
    audio = record(tmp_path / "audio", 3)
    long_recording(audio / "001.wav")
    for longest in (1.0, 100.0):
        done = mlx_spectro.extract(
            audio, "mel,rms", tmp_path / str(longest), format=kind, longest=longest, workers=0, **SMALL
        )
        assert (done.rows, done.failed) == (3, {})
    parts, whole = (
        {name: content for name, content in tree(tmp_path / folder).items() if "settings" not in name}
        for folder in ("1.0", "100.0")
    )
    assert parts == whole


def test_a_disk_that_fills_up_in_a_long_recording_ends_it(tmp_path: Path) -> None:
    audio = tmp_path / "audio"
    audio.mkdir()
    long_recording(audio / "long.wav")

    def little() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))

    status, _, said = run(audio, tmp_path / "out", "--workers", "1", "--longest", "1", preexec_fn=little)
    assert status == 2
    assert "File too large" in said
    assert "the same call goes on from it" in said


def test_features_are_computed_on_a_device(tmp_path: Path) -> None:
    pytest.importorskip("torchaudio")
    audio = record(tmp_path / "audio", 3)
    long_recording(audio / "long.wav")
    options: dict[str, Any] = {"like": "torchaudio", "workers": 0, "longest": 5.0, "n_mels": 8, "n_fft": 128}
    # another name for where tensors lie anyway
    for device in ("cpu", "cpu:0"):
        done = mlx_spectro.extract(audio, "mel,logmel,mfcc", tmp_path / device, device=device, n_mfcc=5, **options)
        assert done.failed == {}
    assert rows_of(tmp_path / "cpu:0") == rows_of(tmp_path / "cpu")
    with pytest.raises(ExtractionError, match="device 'cpu', now 'cpu:0'"):
        mlx_spectro.extract(audio, "mel,logmel,mfcc", tmp_path / "cpu", device="cpu:0", n_mfcc=5, **options)


def test_two_extractions_do_not_write_to_one_folder(tmp_path: Path) -> None:
    audio, out = record(tmp_path / "audio", 3), tmp_path / "out"
    (out / "_extraction").mkdir(parents=True)
    with (out / "_extraction/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ExtractionError, match="another extraction is writing to"):
            mlx_spectro.extract(audio, "mel", out, **SMALL)
    assert list(tree(out)) == ["_extraction/lock"]


def test_another_extraction_s_folder_is_left_alone(tmp_path: Path) -> None:
    audio, out = record(tmp_path / "audio", 3), tmp_path / "out"
    mlx_spectro.extract(audio, "mel", out, workers=0, **SMALL)
    before = tree(out)
    with pytest.raises(ExtractionError, match=r"holds another extraction \(options .*'n_mels': 8.*now .*'n_mels': 9"):
        mlx_spectro.extract(audio, "mel", out, **{**SMALL, "n_mels": 9})
    record(tmp_path / "audio", 4)
    with pytest.raises(ExtractionError, match="recordings 3, now 4"):
        mlx_spectro.extract(audio, "mel", out, **SMALL)
    assert tree(out) == before
    before = tree(audio)
    with pytest.raises(ExtractionError, match="is not empty, and holds no extraction"):
        mlx_spectro.extract(audio, "mel", audio, **SMALL)
    assert tree(audio) == before
    assert not (audio / "_extraction").exists()


@pytest.mark.parametrize("name", ["\udcff.wav", "\ud800.wav"], ids=["bytes", "half a pair"])
def test_a_name_that_is_no_text_is_a_reason(name: str, tmp_path: Path) -> None:
    record(tmp_path, 1)
    (tmp_path / "list.jsonl").write_text("".join(json.dumps({"path": path}) + "\n" for path in (name, "000.wav")))
    done = mlx_spectro.extract((), "mel", tmp_path / "out", manifest=tmp_path / "list.jsonl", workers=0, **SMALL)
    assert done.rows == 1
    assert done.failed == {str(tmp_path / name): "its name is no text in UTF-8, and has no place in a table"}
    with pytest.raises(ExtractionError, match="the name of the folder must be text in UTF-8"):
        mlx_spectro.extract(tmp_path / "000.wav", "mel", tmp_path / name, workers=0, **SMALL)
    assert not [path for path in os.listdir(tmp_path) if path.startswith(("\udcff", "\ud800"))]


def test_a_full_disk_ends_it_and_loses_nothing(tmp_path: Path) -> None:
    audio, out = record(tmp_path / "audio", 20), tmp_path / "out"
    expected = ran_through(audio, tmp_path / "through")

    def little() -> None:  # room for records, and for no shard
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

    # compiled code is there already, and nothing else that large is written
    status, _, said = run(audio, out, "--workers", "1", preexec_fn=little)
    assert status == 2
    assert "File too large" in said
    assert "the same call goes on from it" in said
    assert not list(out.glob("part-*"))
    assert not list((out / "_extraction").glob("unfinished/*"))
    assert ran_through(audio, out) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.wav"], "there is no nowhere.wav"),
        (["*.flac"], "there is no *.flac: no file matches"),
        ([], "there are no recordings"),
        (["--manifest", "none.txt"], "the manifest none.txt cannot be read"),
        (["--manifest", "bad.csv"], "has none of the columns path"),
        (["--manifest", "long.csv"], "the manifest long.csv is no table: field larger than field limit"),
        (["a", "--longest", "nan"], "longest must be at least 0, got nan"),
        (["--manifest", "bad.jsonl"], "line 1 of the manifest bad.jsonl names no path"),
        (["--manifest", "rows.jsonl"], "line 1 of the manifest rows.jsonl names no path"),
        (["a", "--features", "mels"], "features like librosa's are mel, logmel"),
        (["a", "--n-mel", "3"], "no feature takes n_mel; options are"),
        (["a", "--n-mels", "-3"], "librosa refuses the options"),
        (["a", "--n-mels", "0"], "by the options, mel has no values"),
        (["a", "--shard-size", "0"], "shard_size must be at least 1"),
        (["a", "--rate", "-5"], "rate must be at least 1, got -5"),
        (["a", "--channel", "-1"], "channel must be at least 0, got -1"),
        (["a", "--center", "no"], "center is True or False, got 'no'"),
        (["a", "--like", "torchaudio", "--center", "no"], "center is True or False, got 'no'"),
        (["a", "--like", "torchaudio", "--features", "spectrogram", "--power", "None"], "spectrogram is complex"),
        (["a", "--device", "cuda"], "device cuda is for features like torchaudio's, not like librosa's"),
        (["a", "--device", "quantum", "--like", "torchaudio"], "torch has no device quantum here"),
    ],
)
def test_the_command_says_what_is_wrong(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    record(tmp_path / "a", 1)
    (tmp_path / "bad.csv").write_text("name\nx.wav\n")
    (tmp_path / "long.csv").write_text(f"path\n{'x' * (csv.field_size_limit() + 1)}\n")
    (tmp_path / "bad.jsonl").write_text("{}\n")
    (tmp_path / "rows.jsonl").write_text('{"audio": {"path": "x.wav"}}\n')
    monkeypatch.chdir(tmp_path)
    assert command.main([*arguments, "--out", "out"]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("word", ["False", "false", "FALSE", "None", "none", "0"])
def test_what_a_word_denies_is_denied(word: str, tmp_path: Path) -> None:
    audio, plainly = str(record(tmp_path / "audio", 1)), dict(SMALL, htk=False)
    assert command.main([audio, "--htk", word, *OPTIONS[:6], "--workers", "0", "--out", str(tmp_path / "out")]) == 0
    mlx_spectro.extract(audio, "mel", tmp_path / "plainly", workers=0, **plainly)
    assert [row["mel"] for row in rows_of(tmp_path / "out")] == [row["mel"] for row in rows_of(tmp_path / "plainly")]


def test_an_option_is_no_other_s_value(tmp_path: Path, capsys: Any) -> None:
    with pytest.raises(SystemExit):
        command.main([str(record(tmp_path / "audio", 1)), "--htk", "--center=False", "--out", str(tmp_path / "out")])
    assert "--htk needs a value" in capsys.readouterr().err


def test_complex_features_are_written_as_arrays(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    audio, out = record(tmp_path / "audio", 1), tmp_path / "out"
    mlx_spectro.extract(audio, "spectrogram", out, like="torchaudio", format="npy", workers=0, power=None)
    (path,) = out.glob("*spectrogram*.npy")
    assert np.load(path).dtype == np.complex64


def test_folders_behind_links_are_read_once(tmp_path: Path) -> None:
    there = record(tmp_path / "there", 2)
    audio = record(tmp_path / "audio", 1)
    (audio / "again").symlink_to(there)
    (audio / "above").symlink_to(audio)
    (audio / "linked").symlink_to(there)
    listed = recordings.recordings_of([audio])
    assert [os.path.relpath(path, audio) for path in listed] == ["000.wav", "again/000.wav", "again/001.wav"]


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audio = record(tmp_path / "audio", 1)
    secret = record(audio / "secret", 1)
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if str(path) == str(secret):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ExtractionError, match=f"{secret} cannot be read: Permission denied"):
        mlx_spectro.extract(audio, "mel", tmp_path / "out", workers=0, **SMALL)


def test_a_folder_s_own_modules_are_not_taken_for_python_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audio = record(tmp_path / "audio", 1)
    for name in ("random", "queue", "glob", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('a program of the user')\n")
    monkeypatch.chdir(tmp_path)
    assert mlx_spectro.extract(audio, "mel", "out", workers=1, **SMALL).rows == 1


@pytest.mark.parametrize("like", ["librosa", "torchaudio"])
def test_samples_of_another_kind_or_shape_are_refused(like: str) -> None:
    pytest.importorskip("torchaudio" if like == "torchaudio" else like)
    extractor = mlx_spectro.FeatureExtractor("mel", like, **SMALL)
    samples, several = np.arange(2000, dtype=np.int16), np.zeros((2, 2000), np.float32)
    for item in ((samples, 8000), {"audio": {"array": samples, "sampling_rate": 8000}}, (several, 8000)):
        with pytest.raises(ValueError, match="samples are in floating point, from -1 to 1, on one axis, got "):
            extractor(item)


def test_the_command_shows_a_bar_on_a_terminal_alone(tmp_path: Path) -> None:
    pytest.importorskip("rich")

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, shows in ((Terminal(), True), (io.StringIO(), False)):
        with command._Shown(stream) as shown:
            shown.begin(2, 4)
            shown.event({"row": "x", "seconds": 60.0})
            shown.event({"warning": "of filters"})
            shown.event({"warning": "of filters"})
        said = stream.getvalue()
        assert said.count("of filters") == 1
        assert ("3/4" in said) == shows
        assert ("2 of 4 recordings were done before" in said) != shows


def test_progress_counts_every_recording_once(tmp_path: Path) -> None:
    class Count(Progress):
        def __init__(self) -> None:
            self.events: list[dict[str, Any]] = []

        def event(self, event: dict[str, Any]) -> None:
            self.events.append(event)

    audio, count = record(tmp_path / "audio", 9), Count()
    mlx_spectro.extract(audio, "mel", tmp_path / "out", workers=2, shard_size=2, progress=count, **SMALL)
    assert sum(event.get("progress", 0) for event in count.events) == 0
    assert sorted(event["row"] for event in count.events if "row" in event) == sorted(map(str, audio.iterdir()))


@pytest.mark.parametrize(
    ("like", "features", "options"),
    [
        ("torchaudio", "mel,logmel,mfcc,spectrogram", {"n_mels": 8, "n_fft": 128, "mfcc.n_mfcc": 5}),
        ("native", "mel,logmel,mfcc", {"n_mels": 8, "n_fft": 128, "hop_length": 64, "mfcc.n_mfcc": 5}),
        (
            "librosa",
            "logmel,chroma,zero_crossing_rate,spectral_centroid,spectral_contrast",
            {"n_fft": 512, "fmin": 100.0},
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:At least one mel filterbank", "ignore:Empty filters", "ignore:Trying to estimate")
def test_features_are_those_of_each_library(like: str, features: str, options: dict[str, Any]) -> None:
    pytest.importorskip({"native": "mlx.core"}.get(like, like))
    extractor = mlx_spectro.FeatureExtractor(features, like, **options)
    y = np.random.default_rng(2).standard_normal(4000).astype(np.float32)
    widths = extractor.values()
    results = pickle.loads(pickle.dumps(extractor)).of(y, 8000)
    assert list(results) == features.split(",")
    for name, values in results.items():
        assert values.shape[1] == widths[name][0]
        assert values.dtype == widths[name][1]
    if "mfcc" in results and like != "librosa":
        assert results["mfcc"].shape[1] == 5
        assert results["mel"].shape[1] == 8


def test_a_recording_is_resampled_and_one_channel_taken(tmp_path: Path) -> None:
    samples = np.random.default_rng(3).standard_normal((4000, 2)).astype(np.float32) / 9
    soundfile.write(tmp_path / "x.wav", samples, 16000, subtype="FLOAT")
    extractor = mlx_spectro.FeatureExtractor("mel", rate=8000, channel=1, **SMALL)
    y = librosa.resample(samples[:, 1], orig_sr=16000, target_sr=8000)
    expected = librosa.feature.melspectrogram(y=y, sr=8000, **SMALL)
    values = extractor(str(tmp_path / "x.wav"))["mel"]
    np.testing.assert_allclose(values.T, expected, atol=8e-7 * expected.max(), rtol=0)
    with pytest.raises(ValueError, match="it has 2 channels, and no channel 2"):
        mlx_spectro.FeatureExtractor("mel", channel=2, **SMALL)(str(tmp_path / "x.wav"))


def test_rows_and_batches_have_their_features_beside_them(tmp_path: Path) -> None:
    paths = sorted(map(str, record(tmp_path / "audio", 3).iterdir()))
    extractor = mlx_spectro.FeatureExtractor("mel", **SMALL)
    alone = [extractor(path)["mel"] for path in paths]
    batch = extractor({"path": np.array(paths), "label": np.arange(3)})
    assert [np.array_equal(a, b) for a, b in zip(batch["mel"], alone, strict=True)] == [True] * 3
    y, rate = soundfile.read(paths[0], dtype="float32")
    row = extractor({"audio": {"array": y, "sampling_rate": rate}, "text": "hm"})
    assert np.array_equal(row["mel"], alone[0])
    assert row["text"] == "hm"
    assert np.array_equal(extractor({"audio": {"path": paths[1], "array": None}})["mel"], alone[1])
    assert np.array_equal(extractor((y, rate))["mel"], alone[0])
    with pytest.raises(FileNotFoundError):
        extractor({"path": [paths[0], "missing.wav"]})
    lenient = mlx_spectro.FeatureExtractor("mel", on_error="record", **SMALL)
    mixed = lenient({"path": [paths[0], "missing.wav"]})
    assert list(mixed["error"]) == [None, "FileNotFoundError: there is no such file"]
    assert mixed["mel"][1] is None
    with pytest.raises(ValueError, match="needs a column path or audio, got file"):
        extractor({"file": paths[0]})


class Recordings:
    """A data set for torch's loader."""

    def __init__(self, paths: list[str]) -> None:
        self.paths, self.extractor = paths, mlx_spectro.FeatureExtractor("mel,mfcc", **SMALL)
        self.extractor(paths[0])  # kernels have run before the fork

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> tuple[str, Array]:
        return self.paths[i], self.extractor(self.paths[i])["mel"]


def _first(batch: list[Any]) -> Any:
    return batch[0]


@pytest.mark.parametrize("context", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_torch_s_workers_extract(tmp_path: Path, context: str) -> None:
    data = pytest.importorskip("torch.utils.data")
    recordings = Recordings(sorted(map(str, record(tmp_path / "audio", 5).iterdir())))
    expected = {path: recordings.extractor(path)["mel"] for path in recordings.paths}
    loader = data.DataLoader(recordings, num_workers=2, multiprocessing_context=context, collate_fn=_first, timeout=120)
    results = dict(loader)
    assert results.keys() == expected.keys()
    assert all(np.array_equal(results[path], values) for path, values in expected.items())


def test_datasets_map_extracts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    datasets = pytest.importorskip("datasets")
    paths = sorted(map(str, record(tmp_path / "audio", 4).iterdir()))
    extractor = mlx_spectro.FeatureExtractor("mel", **SMALL)
    rows = datasets.Dataset.from_dict({"path": paths}).map(extractor, num_proc=2)
    assert [np.array_equal(np.array(row["mel"], np.float32), extractor(row["path"])["mel"]) for row in rows] == [
        True
    ] * 4
    batches = datasets.Dataset.from_dict({"path": paths}).map(extractor, batched=True, batch_size=3)
    assert np.array_equal(np.array(batches[3]["mel"], np.float32), extractor(paths[3])["mel"])


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
def test_ray_extracts(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    audio = record(tmp_path / "audio", 10)
    with pytest.raises(ExtractionError, match="needs a Ray cluster that runs"):
        mlx_spectro.extract(audio, "mel", tmp_path / "none", engine="ray", **SMALL)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        options: dict[str, Any] = {**SMALL, "shard_size": 3}
        done = mlx_spectro.extract(audio, "mel", tmp_path / "ray", engine="ray", **options)
        assert done.rows == 10
        mlx_spectro.extract(audio, "mel", tmp_path / "local", workers=0, **options)
        assert tree(tmp_path / "ray") == tree(tmp_path / "local")
        extractor = mlx_spectro.FeatureExtractor("mel", **SMALL)
        paths = sorted(map(str, audio.iterdir()))
        table = ray.data.from_items([{"path": path} for path in paths]).map_batches(extractor)
        rows = {row["path"]: row["mel"] for row in table.take_all()}
        assert all(np.array_equal(rows[path], extractor(path)["mel"]) for path in paths)
    finally:
        ray.shutdown()


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"extraction needs soundfile: pip install '.*\[data\]'"):
        mlx_spectro.extract(tmp_path, "mel", tmp_path / "out")


def test_features_like_torchaudio_s_need_neither_librosa_nor_mlx(tmp_path: Path) -> None:
    pytest.importorskip("torchaudio")
    code = (
        "import sys, mlx_spectro\n"
        "sys.modules.update(dict.fromkeys(('mlx', 'librosa', 'scipy', 'soxr', 'rich')))\n"
        "audio, out = sys.argv[1:]\n"
        "done = mlx_spectro.extract(audio, 'mel,mfcc', out, like='torchaudio', workers=0, n_mels=8, n_mfcc=5)\n"
        "print(done.rows, done.failed)\n"
        "try: mlx_spectro.extract(audio, 'mel', out + '2')\n"
        "except ImportError as error: print(error)\n"
    )
    arguments = [str(record(tmp_path / "audio", 2)), str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    rows, missing = done.stdout.splitlines()
    assert rows == "2 {}"
    assert "features like librosa's need librosa: pip install" in missing


def test_options_that_are_refused_take_no_folder(tmp_path: Path) -> None:
    audio = record(tmp_path / "audio", 2)
    with pytest.raises(ExtractionError, match="librosa refuses the options"):
        mlx_spectro.extract(audio, "mel", tmp_path / "out", n_mels=-3)
    assert mlx_spectro.extract(audio, "mel", tmp_path / "out", workers=0, **SMALL).rows == 2


def test_importing_it_imports_no_library() -> None:
    code = (
        "import sys, mlx_spectro; mlx_spectro.extract; mlx_spectro.FeatureExtractor('mel')\n"
        "heavy = {'pyarrow', 'ray', 'rich', 'torch', 'mlx.core', 'soundfile', 'datasets'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_engines_and_formats_are_what_the_command_offers() -> None:
    assert set(engines.ENGINES) == {"local", "ray"}
    assert set(shards.WRITERS) == {"parquet", "npy"}
