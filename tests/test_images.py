import gzip
import io
import tarfile

import numpy as np
import pytest

from image_files import cifar_archive, cifar_batches, idx_bytes, images, write_cifar, write_idx
from inertial._checks import InvalidInput
from inertial.data.images import CIFAR_BATCHES, read_cifar, read_idx

LABELS = [3, 0, 1, 9, 1, 0]


def pair(folder, suffix=""):
    return (
        folder / f"train-images-idx3-ubyte{suffix}",
        folder / f"train-labels-idx1-ubyte{suffix}",
    )


@pytest.mark.parametrize("packed", [False, True])
def test_idx_keeps_the_first_two_classes_in_file_order(tmp_path, packed):
    pixels = write_idx(tmp_path, LABELS, packed=packed)
    raw = read_idx(*pair(tmp_path, ".gz" if packed else ""))
    np.testing.assert_array_equal(raw.y, [1, -1, -1, 1])
    np.testing.assert_array_equal(raw.x, pixels[[1, 2, 4, 5]].reshape(4, 9) / 255)
    assert raw.columns == tuple("123456789")


def test_idx_names_a_wrong_magic_number(tmp_path):
    write_idx(tmp_path, LABELS)
    images_path, labels_path = pair(tmp_path)
    with pytest.raises(InvalidInput, match=r"train-labels.*00000801.*00000803; give the original"):
        read_idx(labels_path, images_path)
    images_path.write_bytes(b"")
    with pytest.raises(InvalidInput, match=r"train-images.*empty file.*00000803"):
        read_idx(images_path, labels_path)


@pytest.mark.parametrize("change", [-1, 1, -60])
def test_idx_names_a_wrong_length(tmp_path, change):
    write_idx(tmp_path, LABELS)
    images_path, labels_path = pair(tmp_path)
    content = images_path.read_bytes()
    assert len(content) == 16 + 6 * 9
    images_path.write_bytes(content[:change] if change < 0 else content + b"\0" * change)
    with pytest.raises(
        InvalidInput,
        match=rf"train-images.* has {70 + change} bytes where .* asks for \d+; .*again",
    ):
        read_idx(images_path, labels_path)


def test_idx_names_truncated_gzip(tmp_path):
    write_idx(tmp_path, LABELS, packed=True)
    images_path, labels_path = pair(tmp_path, ".gz")
    images_path.write_bytes(images_path.read_bytes()[:-12])
    with pytest.raises(InvalidInput, match=r"train-images.*gz is truncated.*again"):
        read_idx(images_path, labels_path)


def test_idx_notices_flipped_bytes_inside_gzip(tmp_path):
    write_idx(tmp_path, LABELS)
    images_path, labels_path = pair(tmp_path)
    packed = bytearray(gzip.compress(images_path.read_bytes()))
    packed[-5] ^= 255
    images_path.write_bytes(packed)
    with pytest.raises(InvalidInput, match=r"train-images.* damaged"):
        read_idx(images_path, labels_path)


def test_idx_refuses_files_that_do_not_belong_together(tmp_path):
    write_idx(tmp_path, LABELS)
    images_path, labels_path = pair(tmp_path)
    labels_path.write_bytes(idx_bytes(np.array(LABELS[:-1])))
    with pytest.raises(InvalidInput, match=r"6 images but .*train-labels.* 5 labels; give two"):
        read_idx(images_path, labels_path)


def test_idx_refuses_images_without_pixels(tmp_path):
    write_idx(tmp_path, LABELS)
    images_path, labels_path = pair(tmp_path)
    images_path.write_bytes(idx_bytes(images(LABELS)[:, :0]))
    with pytest.raises(InvalidInput, match=r"train-images.*shape \(6, 0, 3\); give"):
        read_idx(images_path, labels_path)


def test_missing_idx_file_is_named(tmp_path):
    with pytest.raises(
        InvalidInput, match=r"train-images.*cannot be read .*No such file.*check it"
    ):
        read_idx(*pair(tmp_path))


def test_cifar_reads_five_batches_in_order(tmp_path):
    pixels = write_cifar(tmp_path, [1, 5, 0])
    raw = read_cifar([tmp_path / f"data_batch_{k}.bin" for k in range(1, 6)])
    np.testing.assert_array_equal(raw.y, [-1, 1] * 5)
    np.testing.assert_array_equal(raw.x, pixels[np.arange(15) % 3 != 1] / 255)


def test_cifar_archive_reads_like_the_batches(tmp_path):
    batches, pixels = cifar_batches([1, 5, 0])
    members = [("cifar-10-batches-bin/readme.html", b"hello")]
    # Out of order, as an archive may be.
    members += list(zip(CIFAR_BATCHES, batches, strict=True))[::-1]
    path = tmp_path / "cifar-10-binary.tar.gz"
    path.write_bytes(cifar_archive(members))
    raw = read_cifar([path])
    np.testing.assert_array_equal(raw.y, [-1, 1] * 5)
    np.testing.assert_array_equal(raw.x, pixels[np.arange(15) % 3 != 1] / 255)


def test_cifar_archive_is_not_unpacked_to_disk(tmp_path):
    batches, _ = cifar_batches([1, 0])
    members = [("../outside", b"x"), *zip(CIFAR_BATCHES, batches, strict=True)]
    folder = tmp_path / "inner"
    folder.mkdir()
    path = folder / "cifar-10-binary.tar.gz"
    path.write_bytes(cifar_archive(members))
    read_cifar([path])
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [path]


def test_cifar_names_a_wrong_length(tmp_path):
    write_cifar(tmp_path, [0, 1])
    files = [tmp_path / f"data_batch_{k}.bin" for k in range(1, 6)]
    files[2].write_bytes(files[2].read_bytes()[:-1])
    with pytest.raises(InvalidInput, match=r"data_batch_3.bin has 6145 bytes.*3073.*again"):
        read_cifar(files)


def test_cifar_names_an_impossible_label(tmp_path):
    write_cifar(tmp_path, [0, 10])
    with pytest.raises(InvalidInput, match=r"data_batch_1.bin has the label 10 .* 9; give"):
        read_cifar([tmp_path / f"data_batch_{k}.bin" for k in range(1, 6)])


def test_cifar_archive_names_a_missing_batch(tmp_path):
    batches, _ = cifar_batches([1, 0])
    path = tmp_path / "cifar-10-binary.tar.gz"
    path.write_bytes(cifar_archive(list(zip(CIFAR_BATCHES, batches, strict=True))[:4]))
    with pytest.raises(InvalidInput, match=r"lacks cifar-10-batches-bin/data_batch_5.bin; give"):
        read_cifar([path])


@pytest.mark.parametrize("keep", [0, 40, -40])
def test_cifar_archive_names_truncation(tmp_path, keep):
    batches, _ = cifar_batches([1, 0])
    path = tmp_path / "cifar-10-binary.tar.gz"
    content = cifar_archive(list(zip(CIFAR_BATCHES, batches, strict=True)))
    path.write_bytes(content[:keep])
    with pytest.raises(InvalidInput, match=r"cifar-10-binary.tar.gz is truncated.*again"):
        read_cifar([path])


def test_cifar_archive_follows_no_links(tmp_path):
    batches, _ = cifar_batches([1, 0])
    path = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        link = tarfile.TarInfo(CIFAR_BATCHES[0])
        link.type, link.linkname = tarfile.SYMTYPE, "other.bin"
        archive.addfile(link)
        other = tarfile.TarInfo("cifar-10-batches-bin/other.bin")
        other.size = len(batches[0])
        archive.addfile(other, io.BytesIO(batches[0]))
    with pytest.raises(InvalidInput, match=r"lacks cifar-10-batches-bin/data_batch_1.bin"):
        read_cifar([path])
