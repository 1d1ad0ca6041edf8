"""Which devices train, and how arrays lie on them: replicated on each, or each batch sharded among them.

Data parallelism: every device has all weights and a part of each batch. The program is the same as for one device; XLA
splits it by where its arrays lie, and puts the sums over all devices in (GSPMD: Xu et al., 2021, arXiv:2105.04663).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.engine.distributed import rank_and_size
from chainrule.errors import SettingError, unknown_name

Device = Any

PLATFORMS = ("cpu", "gpu", "tpu")


def find_devices(devices: str | int | None) -> tuple[Device, ...]:
    """Return the devices of a name or number, in the order in which they share a batch; () for JAX's own choice of one.

    Parameters
    ----------
    devices : None; "all"; a number n, for the first n of the default platform; "cpu", "gpu" or "tpu" for one device of
        that platform, or "gpu:2" for a certain one, counted from 0. In a run of several processes a number counts the
        devices of all of them, of which each must give equally many.

    >>> from chainrule.engine.devices import find_devices
    >>> [device.platform for device in find_devices("cpu:0")]
    ['cpu']
    """
    if devices is None:
        return ()
    _, processes = rank_and_size()
    text = str(devices).strip()
    if isinstance(devices, bool) or not isinstance(devices, str | int | np.integer):
        raise SettingError(f"devices is a number, \"all\", or a name such as 'gpu' or 'gpu:2'; got {devices!r}.")
    if text == "all" or text.lstrip("-").isdecimal():
        return _first(None if text == "all" else int(text), processes)
    platform, _, number = text.partition(":")
    if platform not in PLATFORMS:
        raise unknown_name("device", text, ("all", *PLATFORMS))
    if processes > 1:
        raise SettingError(f'A run of several processes takes devices="all" or their number, got {text!r}.')
    present = _of_platform(platform)
    if not number.isdecimal() and ":" in text:
        raise SettingError(f"devices={text!r}: after the colon comes a number from 0, such as {platform}:0.")
    if int(number or 0) >= len(present):
        raise SettingError(f"There is no device {text!r}; there are: {_present()}.")
    return (present[int(number or 0)],)


def check_split(batch_size: int, shards: int) -> None:
    """Raise if a batch cannot be split into equal parts."""
    if batch_size % shards:
        below, above = batch_size // shards * shards, -(-batch_size // shards) * shards
        near = f"{below} or {above}" if below else f"{above}"
        raise SettingError(
            f"{shards} devices cannot share a batch of {batch_size} samples equally: use batch_size={near} (a multiple "
            f"of {shards}), or other devices. (A batch is never larger than the training data.)"
        )


def _first(number: int | None, processes: int) -> tuple[Device, ...]:
    import jax

    by_process: dict[int, list[Device]] = {}
    for device in sorted(jax.devices(), key=lambda device: (device.process_index, device.id)):
        by_process.setdefault(device.process_index, []).append(device)
    total = sum(map(len, by_process.values()))
    if len({len(local) for local in by_process.values()}) > 1:
        counts = ", ".join(f"process {i}: {len(local)}" for i, local in by_process.items())
        raise SettingError(f"Every process must have the same number of devices; here: {counts}.")
    number = total if number is None else number
    if number < 1 or number > total:
        hint = " (for a try on the CPU: set XLA_FLAGS=--xla_force_host_platform_device_count=4)"
        raise SettingError(
            f"devices={number}: there are {_present()}{hint if jax.default_backend() == 'cpu' else ''}."
            if number > 0
            else f"devices is at least 1, got {number}."
        )
    if number % processes:
        raise SettingError(f"{processes} processes give equally many devices: a multiple of {processes}, not {number}.")
    return tuple(device for local in by_process.values() for device in local[: number // processes])


def _of_platform(platform: str) -> list[Device]:
    import jax

    try:
        devices: list[Device] = jax.devices(platform)
    except RuntimeError:
        raise SettingError(f"There is no {platform} here that JAX can use; there are: {_present()}.") from None
    return devices


def _present() -> str:
    """Return the devices that there are, such as "cpu (1 device), gpu (4 devices)"."""
    import jax

    counts = {}
    for platform in PLATFORMS:
        try:
            counts[platform] = len(jax.devices(platform))
        except RuntimeError:
            continue
    return ", ".join(f"{name} ({n} device{'s' * (n > 1)})" for name, n in counts.items())


class Sharding:
    """How a run's arrays lie on its devices.

    Attributes
    ----------
    devices, shards : those given, and into how many parts a batch is split: one for each
    replicated : the sharding of an array that every device has all of
    sharded : the sharding of an array (steps, batch, …) of which every device has some columns
    """

    def __init__(self, devices: tuple[Device, ...]) -> None:
        from jax.sharding import Mesh, NamedSharding, PartitionSpec

        spec: Any = PartitionSpec
        mesh = Mesh(np.array(devices), ("batch",))
        self.devices, self.shards = devices, len(devices)
        self.platform = devices[0].platform
        self.replicated = NamedSharding(mesh, spec())
        self.sharded = NamedSharding(mesh, spec(None, "batch"))
        owners = sorted({device.process_index for device in devices})
        self._parts, self._part = len(owners), owners.index(rank_and_size()[0])

    def local(self, batch_size: int) -> slice:
        """Return the columns of a batch that this process gives."""
        each = batch_size // self._parts
        return slice(self._part * each, (self._part + 1) * each)

    def put(self, value: Any, sharded: bool = False) -> Any:
        """Return an array on all devices; of a sharded one every process gives its `local` columns."""
        import jax

        make: Any = jax.make_array_from_process_local_data
        return make(self.sharded if sharded else self.replicated, np.asarray(value))

    def fetch(self, value: Any) -> np.ndarray:
        """Return the NumPy array of an array that lies here."""
        import jax

        if isinstance(value, jax.Array) and not (value.is_fully_addressable or value.is_fully_replicated):
            value = jax.jit(lambda v: v, out_shardings=self.replicated)(value)
        return np.asarray(value)
