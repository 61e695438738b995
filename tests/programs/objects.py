"""Classes: dataclasses, named tuples, methods, properties, inheritance, operators."""

from collections import namedtuple
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from tests.programs.registry import program, vector


@dataclass
class Particle:
    position: np.ndarray
    velocity: np.ndarray
    time: float = 0.0
    energies: list = field(default_factory=list)

    @property
    def potential(self):
        return np.sum(self.position**4) / 4

    def energy(self):
        return 0.5 * np.sum(self.velocity**2) + self.potential

    def step(self, dt):
        self.velocity = self.velocity - dt * self.position**3
        self.position = self.position + dt * self.velocity
        self.time += dt
        self.energies.append(self.energy())
        return self


@program(vector(4), smooth=True)
def leapfrog_by_a_method(x):
    particle = Particle(x, 0.5 * x)
    for _ in range(4):
        particle.step(0.1)
    return particle.energy() + sum(particle.energies) * particle.time


class Layer:
    scale = 2.0

    def __init__(self, weights, offset):
        self.weights = weights
        self.offset = offset

    def __call__(self, x):
        return np.tanh(x @ self.weights + self.offset) * self.scale

    @staticmethod
    def squared(x):
        return x * x

    @classmethod
    def symmetric(cls, x):
        return cls(np.outer(x, x), 0.1)


class Amplified(Layer):
    def __init__(self, weights, offset, factor):
        super().__init__(weights, offset)
        self.factor = factor

    def __call__(self, x):
        return super().__call__(x) * self.factor


@program(vector(3), smooth=True)
def network_of_layer_objects(x):
    layers = [Layer.symmetric(x), Amplified(np.outer(x, x), x, 3.0)]
    out = x
    for layer in layers:
        out = layer(out)
    return np.sum(out) + np.sum(Layer.squared(x))


class Polynomial:
    def __init__(self, constant, slope):
        self.constant = constant
        self.slope = slope

    def __add__(self, other):
        return Polynomial(self.constant + other.constant, self.slope + other.slope)

    def __mul__(self, other):
        if isinstance(other, Polynomial):
            slope = self.constant * other.slope + self.slope * other.constant
            return Polynomial(self.constant * other.constant, slope)
        return Polynomial(self.constant * other, self.slope * other)

    __rmul__ = __mul__

    def __neg__(self):
        return -1.0 * self

    def __getitem__(self, place):
        return self.slope if place else self.constant

    def __len__(self):
        return 2


@program(vector(2), smooth=True)
def operators_of_a_class(x):
    p = Polynomial(x[0], 1.0)
    q = 2.0 * (p * p + p) * x[1] + -p
    return q[0] * q[1] + len(q)


class Point(NamedTuple):
    x: float
    y: float = 2.0

    def norm(self):
        return np.sqrt(self.x**2 + self.y**2)


Pair = namedtuple("Pair", "left right")


@program(vector(3), smooth=True)
def named_tuples_with_methods(v):
    point = Point(v[0])
    pair = Pair(v, point)
    left, (a, b) = pair
    return point.norm() * np.sum(left) + pair.right.y * point._replace(y=v[1]).norm() + a * b


@program(vector(4), smooth=True)
def object_replaced_in_a_branch(x):
    particle = Particle(x, x)
    other = particle
    if x[0] > 0:
        particle.position = x * 2
    else:
        other = Particle(x, 3 * x)
    return np.sum(particle.position * other.velocity) + other.time


@program(vector(4), smooth=True)
def namespace_updated_in_a_loop(x):
    state = SimpleNamespace(total=x[0], all=x)
    for v in x:
        state.total = state.total * v + 1.0
    return state.total * np.sum(state.all)


@program(vector(4), smooth=True)
def one_object_under_two_names(x):
    particle = Particle(x, x)
    same = particle
    for v in x:
        same.time = same.time + v * particle.time + 1
        same.position = same.position * v
    return particle.time + np.sum(particle.position)


@dataclass(frozen=True)
class Settings:
    rate: float
    start: np.ndarray
    steps: int = 3


@program(lambda rng: (Settings(0.3, rng.uniform(0.2, 1.5, 3)), rng.uniform(0.5, 1.5)), smooth=True)
def frozen_dataclass_as_argument(settings, k):
    faster = replace(settings, rate=settings.rate * k)
    x = settings.start
    for _ in range(3):
        x = x - faster.rate * np.sin(x)
    return np.sum(x * settings.start)


class Account:
    def __init__(self, balance):
        self.balance = balance
        self._rate = 0.1

    @property
    def rate(self):
        return self._rate * self.balance

    @rate.setter
    def rate(self, value):
        self._rate = value / 2


@program(vector(3), smooth=True)
def property_with_a_setter(x):
    account = Account(x[0])
    for v in x:
        account.rate = v
        account.balance += account.rate
    return account.balance


class Node:
    def __init__(self, value, following=None):
        self.value = value
        self.following = following


@program(vector(3), smooth=True)
def linked_list(x):
    head = Node(x[0], Node(x[1] * x[0], Node(x[2])))
    total, node = 0.0, head
    while node is not None:
        total = total * node.value + node.value**2
        node = node.following
    return total


@program(vector(3), smooth=True)
def arrays_in_fields_written_in_place(x):
    particle = Particle(x * 1.0, np.zeros(3))
    for i in range(3):
        particle.velocity[i] = particle.position[i] ** 2
        particle.position[i] += particle.velocity[i]
    view = particle.velocity
    view *= 2.0
    return particle.energy()
