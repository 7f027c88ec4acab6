"""Only regular files of a bounded size are read, and what is wrong names the file."""

import os

import pytest

from experiments.config import files
from experiments.config.errors import ConfigError


def pipe(path):
    os.mkfifo(path)


def link_to_nowhere(path):
    path.symlink_to("nowhere")


def circle(path):
    path.symlink_to(path.name)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (pipe, "is a pipe; name a file"),
        (os.mkdir, "is a folder; name a file"),
        (link_to_nowhere, "is a link to nowhere, which is not there"),
        (circle, "its links lead in a circle|is a link to"),
        (lambda path: None, "no such file"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device; name a file"),
        (lambda path: path.write_bytes(b"x" * 101), "101 bytes; .* at most 100"),
    ],
)
def test_what_is_no_small_regular_file_is_refused(tmp_path, make, problem):
    path = tmp_path / "input"
    make(path)
    with pytest.raises(ConfigError, match=f"input: .*{problem}"):
        files.read_bytes(path, 100)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"a\n\xff", r"input:2: is not UTF-8 text \(byte 2 is 0xff\)"),
        (b"[1,\n", "input:2: is not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"9" * 5000, "a number of thousands of digits"),
        (b"", "input:1: is not JSON"),
    ],
)
def test_damaged_json_names_the_file_and_the_line(tmp_path, data, problem):
    path = tmp_path / "input"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=problem):
        files.read_json(path, 1_000_000)


@pytest.mark.parametrize("name", ["a\0b", "~nobody-of-this-name/x"])
def test_a_name_that_no_file_can_have_is_refused(name):
    with pytest.raises(ConfigError, match=r"no name of a file|no such home"):
        files.expanded(name)


def under_a_file(folder):
    (folder / "file").touch()
    return folder / "file" / "out"


def in_a_locked_folder(folder):
    (folder / "locked").mkdir(mode=0o500)
    return folder / "locked" / "out"


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        (lambda folder: folder, "is a directory; name a file"),
        (under_a_file, "file: not a directory; name a folder"),
        (lambda folder: folder / ("x" * 300), "name too long; choose a shorter name"),
        (in_a_locked_folder, "locked: permission denied; change its permissions"),
    ],
)
def test_a_place_that_cannot_be_written_is_found_before_the_work(
    tmp_path, place, problem
):
    if os.getuid() == 0 and place is in_a_locked_folder:
        pytest.skip("root writes everywhere")
    with pytest.raises(ConfigError, match=problem):
        files.check_place(place(tmp_path))


def test_missing_folders_are_no_problem(tmp_path):
    files.check_place(tmp_path / "new" / "folder" / "out")
