"""`ganvas film`: each moment of a run's pictures is a frame, shown as long as was asked."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commands import ganvas, refused
from ganvas.run import timeline

GOLDEN = Path(__file__).parent / "golden" / "format-1"
LEVELS = (0, 90, 180, 250)


@pytest.fixture
def run(tmp_path):
    """A run with four plain gray pictures of 40 x 30."""
    folder = tmp_path / "run"
    (folder / "samples").mkdir(parents=True)
    shutil.copy(GOLDEN / "vanilla" / "config.json", folder)
    for step, level in zip((0, 5, 50, 1234), LEVELS, strict=True):
        Image.new("L", (40, 30), level).save(timeline.picture_path(folder, step))
    return folder


def frames_in(path):
    """(milliseconds, pixels) of each frame."""
    with Image.open(path) as film:
        found = []
        for number in range(film.n_frames):
            film.seek(number)
            film.load()
            found.append((film.info["duration"], np.asarray(film.convert("RGB"))))
        return found, film.info.get("loop")


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_a_film_shows_every_moment_for_its_time_and_the_last_one_longer(suffix, run, capsys):
    out = run.parent / f"film{suffix}"
    assert ganvas("film", run, "--out", out, "--fps", "5") == 0
    assert "4 moments from step 0 to 1,234, 1.8 s" in capsys.readouterr().out
    frames, loop = frames_in(out)
    assert [time for time, _ in frames] == [200, 200, 200, 1200] and loop == 0
    for (_, pixels), level in zip(frames, LEVELS, strict=True):
        assert pixels.shape == (30 * 7 + 20, 40 * 7, 3)  # seven times as large, the step below
        assert abs(int(pixels[100, 100, 0]) - level) < 4
        assert pixels[-20:].min() < 120 < pixels[-20:].max()
    assert not np.array_equal(frames[0][1][-20:], frames[3][1][-20:])  # other steps


def test_seconds_are_shared_by_the_moments(run):
    assert ganvas("film", run, "--out", run.parent / "a.png", "--seconds", "2", "--width", "100", "--plain") == 0
    frames, _ = frames_in(run.parent / "a.png")
    assert [time for time, _ in frames] == [500, 500, 500, 1500] and frames[0][1].shape == (75, 100, 3)


def test_damaged_pictures_and_those_of_another_size_are_left_out(run):
    timeline.picture_path(run, 5).write_bytes(b"no picture")
    Image.new("L", (50, 30)).save(timeline.picture_path(run, 50))
    assert ganvas("film", run, "--out", run.parent / "a.gif") == 0
    assert [time for time, _ in frames_in(run.parent / "a.gif")[0]] == [250, 1250]


def test_moments_that_are_alike_last_as_long_together(run):
    for step in (5, 50):
        Image.new("L", (40, 30), 0).save(timeline.picture_path(run, step))
    assert ganvas("film", run, "--out", run.parent / "a.gif", "--plain") == 0
    assert sum(time for time, _ in frames_in(run.parent / "a.gif")[0]) == 4 * 250 + 1000


def test_what_cannot_be_filmed_is_one_line(run, capsys):
    out = run.parent / "film.gif"
    assert "choose .webp" in refused(capsys, "film", run, "--out", run.parent / "film.mp4")
    assert ".webp, .gif or .png" in refused(capsys, "film", run, "--out", run.parent / "film.jpg")
    assert "either" in refused(capsys, "film", run, "--out", out, "--fps", "2", "--seconds", "2")
    assert "--fps must be 0.1 to 50" in refused(capsys, "film", run, "--out", out, "--fps", "0")
    assert "--width must be 16 to 4096" in refused(capsys, "film", run, "--out", out, "--width", "99999")
    assert "which run" in refused(capsys, "film", "--out", out)
    assert "where to write" in refused(capsys, "film", run)
    assert "is not a run" in refused(capsys, "film", run / "samples", "--out", out)
    assert not out.exists()
    out.write_text("mine")
    assert "--overwrite" in refused(capsys, "film", run, "--out", out)
    assert out.read_text() == "mine"
    assert ganvas("film", run, "--out", out, "--overwrite") == 0
    for step in (5, 50, 1234):
        timeline.picture_path(run, step).unlink()
    assert "keeps 1 picture of its samples" in refused(capsys, "film", run, "--out", run.parent / "b.gif")
    timeline.picture_path(run, 0).unlink()
    assert "keeps no pictures" in refused(capsys, "film", run, "--out", run.parent / "b.gif")


def test_a_film_needs_no_torch(run):
    words = json.dumps(["film", str(run), "--out", str(run.parent / "film.gif")])
    code = f"from ganvas import cli\ntry: cli.main({words})\nexcept SystemExit: pass"
    code += "\nimport sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
