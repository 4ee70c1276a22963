"""A file is the old one or the new one, never half of it; one that cannot be written is named."""

import os

import pytest
from numpy.testing import assert_array_equal
from support import model_directory
from support.model_directory import CONFIG
from support.refusals import refusal

from minisft import checkpoint
from minisft.formats import files

tokenizer, theta, directory = model_directory.fixtures


def test_a_write_that_is_interrupted_leaves_the_previous_file_whole(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"previous")
    with pytest.raises(KeyboardInterrupt), files.replacing(path) as beside:
        beside.write_bytes(b"half of the ne")
        assert path.read_bytes() == b"previous"
        raise KeyboardInterrupt
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("model.safetensors", b"previous")]


def test_what_a_killed_process_left_beside_a_file_does_not_matter(directory, theta, tokenizer):
    (directory / "model.safetensors.partial").write_bytes(b"half of the ne")
    checkpoint.save(directory, theta, CONFIG, tokenizer)
    assert_array_equal(checkpoint.load(directory)[0].flat, theta.flat)
    assert not (directory / "model.safetensors.partial").exists()


def test_every_file_is_renamed_into_its_place(theta, tokenizer, tmp_path, monkeypatch):
    renamed = []
    monkeypatch.setattr(files.os, "replace", lambda beside, path: renamed.append((beside.name, path.name)))
    checkpoint.save(tmp_path, theta, CONFIG, tokenizer)
    assert sorted(renamed) == [
        (f"{name}.partial", name)
        for name in (
            "chat_template.jinja",
            "config.json",
            "generation_config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
        )
    ]
    assert renamed[-1][1] == "model.safetensors"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "generation_config.json"])
def test_a_file_that_cannot_be_written_is_refused(theta, tokenizer, tmp_path, name):
    (tmp_path / name).mkdir()
    refusal(lambda: checkpoint.save(tmp_path, theta, CONFIG, tokenizer), tmp_path / name, "cannot be written")


def test_an_output_directory_that_cannot_be_made_is_refused(theta, tokenizer, tmp_path):
    (tmp_path / "file").write_text("in the way")
    refusal(lambda: checkpoint.save(tmp_path / "file" / "out", theta, CONFIG, tokenizer), tmp_path / "file" / "out")


def test_a_full_disk_is_refused_naming_the_file(theta, tokenizer, tmp_path, monkeypatch):
    def no_space(tensors, path, metadata):
        raise checkpoint.SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoint, "save_file", no_space)
    refusal(
        lambda: checkpoint.save(tmp_path, theta, CONFIG, tokenizer), tmp_path / "model.safetensors", "No space left"
    )
