"""The JAX engine: traces the very same training step and lets XLA compile it, many steps in one program."""

from __future__ import annotations

import functools
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import tree
from chainrule.engine import lowering
from chainrule.engine.cache import use_compilation_cache
from chainrule.engine.devices import Sharding
from chainrule.engine.eager import Body, Every

#: Programs are traced one after the other, also where several threads run them.
_TRACING = threading.RLock()

#: Up to so many bytes an array is copied by NumPy and handed over. `jax.numpy.asarray` copies once, but compiles a
#: program for each shape, which takes longer than copying a small array.
HANDED_OVER = 2**20


@dataclass(eq=False)
class _Program:
    """A function that JAX compiles, how many compiled forms it has, and how many calls are under way."""

    function: Any = None
    forms: int = 0
    running: int = 0


class Programs:
    """The compiled programs of this process: those that ran longest ago give way when there are too many.

    JAX never lets one go by itself, and each new structure of a network needs some. A program that has given way is
    compiled again when it is called, or read from the cache on the disk.

    Parameters
    ----------
    most : so many compiled forms are kept, one for each shape of arguments
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._known: OrderedDict[int, _Program] = OrderedDict()  # the last one ran last
        self._lock = threading.RLock()

    def jit(self, f: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        """Return ``jax.jit(f, **options)``, whose compiled forms count among those of the process."""
        import jax

        program = _Program()

        @functools.wraps(f)
        def counted(*args: Any) -> Any:
            with self._lock:  # runs while JAX traces, not when the program runs
                program.forms += 1
                self._make_room()
            return f(*args)

        program.function = jax.jit(counted, **options)

        @functools.wraps(f)
        def run(*args: Any) -> Any:
            with self._lock:
                program.running += 1
                self._known[id(program)] = program
                self._known.move_to_end(id(program))
            try:
                return program.function(*args)
            finally:
                with self._lock:
                    program.running -= 1

        return run

    def __len__(self) -> int:
        return sum(program.forms for program in self._known.values())

    def _make_room(self) -> None:
        for key, program in list(self._known.items()):
            if len(self) <= self.most:
                return
            if not program.running:
                program.function.clear_cache()
                program.forms = 0
                del self._known[key]


#: A program takes some 4 MB on the CPU: 64 of them 250 MB. A population or search goes from one structure to the next,
#: and needs the two to five programs of one at a time.
PROGRAMS = Programs(most=64)


class JaxEngine:
    """Arrays of JAX. `compile` is ``jax.jit``, `loop` is ``lax.fori_loop``. JAX's gradients are not used."""

    name = "jax"

    #: Whether a function is compiled for each shape of its arguments.
    compiles = True

    def __init__(self, precision: str = "float32", devices: tuple[Any, ...] = (), alone: bool = False) -> None:
        self.precision = precision
        #: Whether a program on the CPU keeps to the thread that calls it, because several threads call programs.
        self.alone = alone
        self.sharding = Sharding(devices) if devices else None
        #: How often each program was traced (and compiled, or found in the cache), by its name.
        self.traces: Counter[str] = Counter()
        use_compilation_cache()

    @property
    def platform(self) -> str:
        """What the programs run on, as JAX names it: "cpu", "gpu" or "tpu"."""
        import jax

        return str(self.sharding.platform if self.sharding is not None else jax.default_backend())

    @property
    def turns_matrices(self) -> bool:
        """Whether narrow weight matrices are faster on their side (see `chainrule.training.layout`)."""
        return self.platform == "cpu"

    @property
    def shards(self) -> int:
        """Parts that a batch is split into, one for each device."""
        return self.sharding.shards if self.sharding is not None else 1

    def local(self, batch_size: int) -> slice:
        """Return the columns of a batch that this process gives: all of them, unless there are several processes."""
        return self.sharding.local(batch_size) if self.sharding is not None else slice(batch_size)

    def put(self, values: Any, sharded: bool = False) -> Any:
        """Put arrays where the engine works on them: all on every device, or the second axis sharded among them.

        Of an array (steps, batch, …) that is sharded, each process gives its `local` columns.
        """
        with self._precision():
            if self.sharding is None:
                return tree.map(_put, values)
            return tree.map(functools.partial(self.sharding.put, sharded=sharded), values)

    def copy(self, values: Any) -> Any:
        """Return arrays that stay as they are when the originals are given away (`compile`'s ``donate``)."""
        with self._precision():
            return _copier(self._replicated)(values)

    def fetch(self, values: Any) -> Any:
        """Return NumPy arrays of the engine's arrays."""
        return tree.map(np.asarray if self.sharding is None else self.sharding.fetch, values)

    def compile(self, f: Callable[..., Any], donate: tuple[int, ...] = ()) -> Callable[..., Any]:
        """Return the function as one compiled program for each shape of its arguments.

        The arguments at the positions in ``donate`` are given away: the program writes its results over them.
        """

        @functools.wraps(f)
        def traced(*args: Any) -> Any:
            with _TRACING, lowering.on(self.platform):
                self.traces[f.__name__] += 1  # runs while JAX traces, not when the program runs
                return f(*args)

        options = {"xla_cpu_multi_thread_eigen": False} if self.alone and self.platform == "cpu" else None
        compiled = PROGRAMS.jit(traced, donate_argnums=donate, out_shardings=self._replicated, compiler_options=options)

        ready, compiling = set(), threading.Lock()

        @functools.wraps(f)
        def run(*args: Any) -> Any:
            with self._precision():
                if not self.alone:
                    return compiled(*args)
                # Of several threads that need a program one compiles it.
                key = tuple((np.shape(v), str(getattr(v, "dtype", type(v)))) for v in tree.leaves(args))
                if key in ready:
                    return compiled(*args)
                with compiling:
                    results = compiled(*args)
                    ready.add(key)
                return results

        return run

    def loop(
        self, body: Body, carry: Any, length: int, first: Any, last: Any, every: Every | None = None
    ) -> tuple[Any, Any]:
        """Run ``for i in range(first, last): carry, results[i] = body(i, carry)``, with results of a fixed length.

        ``every`` is (another body, n, offset): it takes the steps whose number i + offset is a multiple of n. All of
        ``first``, ``last``, n and offset may be traced, so that one program runs any part of an epoch.
        """
        import jax
        from jax import lax

        once = jax.jit(body)  # so that asking for the shapes and looping trace it once: with numbers of one type
        first, last = (jax.numpy.asarray(bound, np.int32) for bound in (first, last))
        _, shapes = jax.eval_shape(once, first, carry)
        empty = tree.map(lambda s: jax.numpy.zeros((length, *s.shape), s.dtype), shapes)

        def steps(body: Body, start: Any, stop: Any, state: Any) -> Any:
            def run(i: Any, state: Any) -> Any:
                carry, new = body(i, state[0])
                write = functools.partial(_write, i)
                return carry, tree.map(write, state[1], new)

            return lax.fori_loop(start, stop, run, state)

        if every is None:
            all_steps: tuple[Any, Any] = steps(once, first, last, (carry, empty))
            return all_steps
        other, n, offset = every

        # A branch in every step would copy the state each time; loops of one step, or none, leave it where it is.
        def stretch(at: Any) -> Any:
            i, state = at
            due = i + (-(i + offset)) % n  # the next step that the other body takes
            state = steps(once, i, jax.numpy.minimum(due, last), state)
            stop = jax.numpy.minimum(due + 1, last)
            return stop, steps(other, due, stop, state)

        ended: tuple[Any, Any] = lax.while_loop(lambda at: at[0] < last, stretch, (first, (carry, empty)))[1]
        return ended

    def together(self, f: Callable[..., Any], axes: Sequence[Any], out: Any) -> Callable[..., Any]:
        """Vectorize a function over many members: each has its own part of the arguments along the axis given for it.

        Arguments, or parts of them, whose axis is None are the same for all. ``out`` are the axes of the results.
        """
        import jax

        return functools.wraps(f)(jax.vmap(f, in_axes=tuple(axes), out_axes=out))

    def rows(self, values: Any, at: Any) -> Any:
        """Return ``values[at]`` for positions that are known to exist: without the checks of an index that may not."""
        return values.at[at].get(mode="promise_in_bounds")

    @property
    def _replicated(self) -> Any:
        """Where results lie: on every device, or where JAX puts them."""
        return self.sharding.replicated if self.sharding is not None else None

    def _precision(self) -> Any:
        import jax

        # Float64 is allowed inside only: a user's other JAX code keeps its own setting.
        return jax.enable_x64(self.precision == "float64")


def _put(value: Any) -> Any:
    """Return an array of JAX's own, which shares no memory with the value."""
    import jax

    if isinstance(value, np.ndarray) and value.nbytes > HANDED_OVER:
        return jax.numpy.asarray(value)
    return jax.device_put(np.array(value) if isinstance(value, np.ndarray | np.generic) else value)


def _write(i: Any, row: Any, value: Any) -> Any:
    """Set ``row[i] = value`` for a position that exists."""
    return row.at[i].set(value, mode="promise_in_bounds")


@functools.cache
def _copier(sharding: Any) -> Any:
    """Return one program that copies a whole tree."""
    import jax

    return PROGRAMS.jit(
        lambda values: tree.map(lambda v: jax.numpy.array(v, copy=True), values),
        out_shardings=sharding,
    )
