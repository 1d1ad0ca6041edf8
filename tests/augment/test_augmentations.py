"""What all augmentations promise: strength 0, both engines, own numbers per sample, fresh per epoch, no recompiling."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import augment, random, tree
from chainrule.errors import SettingError, ShapeError, UnknownNameError
from chainrule.settings import replace, values

rng = np.random.default_rng(0)
images = rng.normal(size=(5, 10, 7, 2))
KEY = random.key(3)
every = pytest.mark.parametrize("name", augment.names())


def strengths(made: Any) -> list[str]:
    return [f.name for f in fields(made) if f.type == "float" and f.name != "smoothness"]


@every
def test_a_strength_of_0_changes_nothing(name: str) -> None:
    made = augment.get(name)
    for setting in strengths(made):
        made = replace(made, setting, 0.0)
    for dtype in (np.float32, np.float64):
        x = images.astype(dtype)
        assert np.array_equal(made(x, KEY), x)


def test_several_of_strength_0_change_nothing() -> None:
    x = images.astype(np.float32)
    made = augment.get("shift:0,rotation:0,elastic:0,blur:0,noise:0,mixup:0")
    assert np.array_equal(made(x, KEY), x)


@every
def test_each_sample_has_its_own_numbers_and_each_key_others(name: str) -> None:
    x = rng.normal(size=(40, 10, 7, 2))
    x[1::2] = x[0]  # equal images, but partners that differ
    made = augment.get(name)
    augmented = made(x, KEY)
    assert augmented.shape == x.shape
    assert len(np.unique(augmented[1::2], axis=0)) > 1
    assert not np.array_equal(augmented, made(x, random.key(4)))
    assert np.array_equal(augmented, made(x, KEY))


@every
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_engines_draw_and_compute_the_same(name: str, dtype: str) -> None:
    import jax

    with jax.enable_x64(dtype == "float64"):
        x, made = images.astype(dtype), augment.get(name)
        augmented = jax.jit(made)(x, KEY)
        assert augmented.dtype == dtype
        tolerance = {"float32": 2e-5, "float64": 1e-10}[dtype]
        np.testing.assert_allclose(augmented, made(x, KEY), rtol=tolerance, atol=tolerance)


@every
def test_a_description_gives_the_same_again(name: str) -> None:
    made = augment.get(name)
    for setting in strengths(made):
        made = replace(made, setting, 0.75)
    for one in (made, augment.get((made, "noise:0.5"))):
        assert augment.get(one.to_dict()) == one


def test_a_repr_can_be_typed_in_again() -> None:
    assert repr(augment.get("shift:1.5:false,elastic:2:3")) == "Compose((Shift(1.5, False), Elastic(2.0, 3.0)))"
    assert repr(augment.Rotation(5, border="reflect")) == "Rotation(5, border='reflect')"


# In training


@dataclass(frozen=True)
class Kept(augment.Augmentation, name="kept_of_test_augmentations"):
    """Keeps what another augmentation makes of each batch, on the NumPy engine."""

    inner: Any
    seen: Any

    def __call__(self, x: Any, key: Any) -> Any:
        augmented = self.inner(x, key)
        self.seen.append(np.array(augmented))
        return augmented


del augment.Augmentation.registry[Kept.name]  # it is known to these tests only


class Seen(list):  # type: ignore[type-arg]
    __hash__ = object.__hash__  # type: ignore[assignment]


def fit(net: Any = None, **settings: Any) -> Any:
    net = net or cr.Sequential(cr.Flatten(), cr.Dense(3, "softmax"))
    fixed: dict[str, Any] = {"epochs": 3, "batch_size": 8, "engine": "numpy", "progress": False, "normalize": False}
    return cr.fit(net, DATA, **(fixed | settings))


DATA = (np.repeat(rng.normal(size=(1, 6, 6, 1)), 16, axis=0), np.arange(16) % 3)


def test_every_epoch_sees_other_versions_and_the_seed_gives_them_again() -> None:
    def run(seed: int) -> np.ndarray:
        seen = Seen()
        fit(augment=Kept(augment.Shift(2, whole=False), seen), seed=seed)
        return np.concatenate(seen)

    first, again, other = run(0), run(0), run(1)
    assert len(first) == 3 * 16
    assert len(np.unique(first, axis=0)) == len(first)  # of one image, 48 versions
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_only_training_is_augmented() -> None:
    run = fit(augment="noise:1000", optimizer=cr.SGD(1e-30), validation=DATA)
    plain = fit(optimizer=cr.SGD(1e-30), validation=DATA)
    assert run.history["val_loss"] == plain.history["val_loss"]
    assert run.history["loss"][0] > 10 * plain.history["loss"][0]
    assert np.array_equal(run.model.predict_proba(DATA[0]), plain.model.predict_proba(DATA[0]))


def test_strengths_are_values_of_the_state_and_changing_them_compiles_nothing() -> None:
    made = augment.get("shift:1,rotation:5,mixup:0.2")
    assert values(made) == {"parts": {"0": {"pixels": 1.0}, "1": {"degrees": 5.0}, "2": {"alpha": 0.2}}}
    first = fit(engine="jax", augment=made)
    second = fit(engine="jax", augment="shift:2,rotation:15,mixup:0.4")
    assert first.traces["train"] >= 1
    assert sum(second.traces.values()) == 0
    assert first.history["loss"] != second.history["loss"]


def test_both_engines_train_alike() -> None:
    settings: dict[str, Any] = {"augment": "shift:1:whole=false,rotation:20,mixup", "epochs": 2}
    numpy, jax = (fit(engine=engine, precision="float64", **settings) for engine in ("numpy", "jax"))
    np.testing.assert_allclose(jax.history["loss"], numpy.history["loss"], rtol=1e-9)


def test_a_callback_may_change_a_strength() -> None:
    still: dict[str, Any] = {"optimizer": cr.SGD(1e-30), "epochs": 2}
    calm = lambda event: cr.Decision(settings={"augment.pixels": 0.0})
    run, plain = fit(augment="shift:3", callbacks=calm, **still), fit(**still)
    assert run.history["loss"][0] != plain.history["loss"][0]
    assert run.history["loss"][1] == plain.history["loss"][1]


def test_parts_of_a_batch_and_several_functions() -> None:
    double = lambda x, key: np.maximum(x, -1.0) * 2.0
    for engine in ("numpy", "jax"):
        run = fit(augment=["shift:1", double, "mixup"], engine=engine, micro_batches=2)
        assert np.isfinite(run.history["loss"]).all()


def test_a_run_folder_holds_the_settings_and_a_picture(tmp_path: Path) -> None:
    from PIL import Image

    made = augment.get("shift:2,elastic:1.4:3,mixup")
    fit(augment=made, out=tmp_path / "run")
    config = tomllib.loads((tmp_path / "run" / "config.toml").read_text())
    assert augment.get(config["augment"]) == made
    with Image.open(tmp_path / "run" / "augment.png") as picture:
        assert picture.size[0] > 500


def test_functions_are_named_in_the_settings(tmp_path: Path) -> None:
    def brighter(x: Any, key: Any) -> Any:
        return x + 0.1

    fit(augment=("shift", brighter), out=tmp_path)
    config = tomllib.loads((tmp_path / "config.toml").read_text())
    assert config["augment"]["parts"][1]["function"].endswith("brighter")


@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_going_on_gives_the_same_weights(tmp_path: Path, engine: str) -> None:
    settings: dict[str, Any] = {"augment": "rotation:20,mixup", "engine": engine}
    whole = fit(epochs=4, **settings)
    fit(epochs=2, out=tmp_path, **settings)
    resumed = fit(epochs=4, out=tmp_path, resume=True, **settings)
    for a, b in zip(tree.leaves(whole.model.params), tree.leaves(resumed.model.params), strict=True):
        assert np.array_equal(a, b)
    with pytest.raises(SettingError, match="augment"):
        fit(epochs=6, out=tmp_path, resume=True, engine=engine, augment="rotation:30,mixup")


# What is typed


@pytest.mark.parametrize(
    ("spelled", "made"),
    [
        ("shift", augment.Shift()),
        (" Shift : 3 ", augment.Shift(3.0)),
        ("translation:1", augment.Shift(1.0)),
        ("shift:1.5:false", augment.Shift(1.5, whole=False)),
        ("elastic:1.4:smoothness=3", augment.Elastic(1.4, 3.0)),
        ("rotation:5:border=reflect", augment.Rotation(5.0, border="reflect")),
        ("horizontal-flip", augment.HorizontalFlip()),
        ("flip,intensity:0.1", augment.Compose((augment.HorizontalFlip(), augment.Brightness(0.1)))),
        (["zoom:0.2", "noise"], augment.Compose((augment.Zoom(0.2), augment.Noise()))),
        ({"type": "cutout", "size": 4}, augment.Cutout(4)),
    ],
)
def test_names_and_strengths(spelled: Any, made: Any) -> None:
    assert augment.get(spelled) == made


@pytest.mark.parametrize(
    ("spelled", "error", "message"),
    [
        ("shfit", UnknownNameError, "did you mean 'shift'"),
        ("shift:2,rotatoin:3", UnknownNameError, "did you mean 'rotation'"),
        ("shift:two", SettingError, "a strength is a number"),
        ("shift:-1", SettingError, "pixels must be at least 0"),
        ("shift:nan", SettingError, "pixels must be"),
        ("shift:inf", SettingError, "pixels must be"),
        ("rotation:181", SettingError, "at most 180"),
        ("mixup:5", SettingError, "at most 4"),
        ("swap:1.5", SettingError, "at most 1"),
        ("shift:1:maybe", SettingError, "true or false"),
        ("shift:1:true:2", SettingError, "by name, as in border="),
        ("shift:1:true:2:3", SettingError, "has the settings"),
        ("shift:pixel=1", SettingError, "did you mean 'pixels'"),
        ("shift:1:border=black", SettingError, "Known: edge, reflect"),
        ("", SettingError, "no name"),
        ("shift,", SettingError, "no name"),
        ([], SettingError, "empty list"),
        (3, SettingError, "Expected a name"),
        (augment.Shift, SettingError, r"call it: Shift\(\)"),
        ({"type": "shift", "pixel": 1}, SettingError, "no setting 'pixel'"),
        ({"type": "function", "function": "f"}, UnknownNameError, "function"),
    ],
)
def test_bad_input(spelled: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        augment.get(spelled)


def test_a_flag_must_be_a_flag() -> None:
    with pytest.raises(SettingError, match="whole must be True or False, got 'no'"):
        augment.Shift(1, whole="no")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="tuple of augmentations"):
        augment.Compose(("shift",))  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_image_augmentation_of_tables_is_refused_before_training(engine: str) -> None:
    rows = (rng.normal(size=(20, 5)), np.arange(20) % 2)
    for spelled in ("noise,shift", "cutout"):
        with pytest.raises(ShapeError, match=r"is for images .* shape \(5,\).*cr.Flatten.*noise, mixup and swap"):
            cr.fit(cr.Dense(2, "softmax"), rows, augment=spelled, engine=engine, progress=False)
    cr.fit(cr.Dense(2, "softmax"), rows, augment="noise,mixup,swap", engine="numpy", epochs=1, progress=False)


def test_codes_of_categories_are_not_blurred() -> None:
    import pandas as pd

    frame = pd.DataFrame({"a": rng.normal(size=600), "b": np.arange(600) % 60, "y": np.arange(600) % 2})
    table = cr.Table.read(frame.assign(b="c" + frame["b"].astype(str)), target="y", name="many categories")
    settings: dict[str, Any] = {"epochs": 1, "progress": False}
    net = cr.Sequential(cr.Embedding((61,)), cr.Dense(2, "softmax"))
    cr.fit(net, table, augment="swap", **settings)
    with pytest.raises(SettingError, match=r"'noise' changes numbers.*embedded columns: 1.*Use 'swap'"):
        cr.fit(net, table, augment="swap,noise", **settings)
