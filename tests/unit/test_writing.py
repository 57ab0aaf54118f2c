"""Small texts appear whole under their name, or nothing changes."""

import os
import sys

import pytest

from kfx import writing
from kfx.errors import KfxError


def test_what_is_there_is_replaced_and_keeps_its_rights(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text("old")
    if sys.platform != "win32":
        path.chmod(0o640)
    writing.write(path, "one\ntwo 한국어\n")
    assert path.read_bytes() == "one\ntwo 한국어\n".encode()
    assert [one.name for one in tmp_path.iterdir()] == ["a.toml"]
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o640


def test_a_new_file_may_be_read_by_whom_others_may_be_read(tmp_path):
    writing.write(tmp_path / "new" / "er" / "a.txt", "x")
    other = tmp_path / "other"
    other.touch()
    assert (tmp_path / "new" / "er" / "a.txt").stat().st_mode == other.stat().st_mode


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "a.toml").write_text("old")
    link = tmp_path / "a.toml"
    link.symlink_to("far/a.toml")
    writing.write(link, "new")
    assert link.is_symlink()
    assert (tmp_path / "far" / "a.toml").read_text() == "new"
    assert os.listdir(tmp_path / "far") == ["a.toml"]


def test_what_fails_leaves_no_trace(tmp_path, monkeypatch):
    path = tmp_path / "a.toml"
    path.write_text("old")

    def busy(part, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", busy)
    for name in ("a.toml", "no/such/folder.toml"):
        with pytest.raises(KfxError, match=r"toml: the disk is full; make room"):
            writing.write(tmp_path / name, "new")
    assert [one.name for one in tmp_path.iterdir()] == ["a.toml"]
    assert path.read_text() == "old"
