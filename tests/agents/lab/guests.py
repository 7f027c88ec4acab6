"""Worlds of guests that tests script, all of one shape, so that one is compiled."""

from agents.guests import Guests
from agents.lab.guest import Guest
from agents.lab.model import LabModel
from tests.worlds import SEED, small

USD = 1_000_000


class Idle(Guest):
    def step(self):
        pass


class Scripted(Guest):
    """Does what the test says for each block, by a function of the agent."""

    def __init__(self, model, account):
        super().__init__(model, account)
        self.script = {}

    def step(self):
        self.script.get(self.model.snapshot.block, lambda agent: None)(self)


def model(kind: type[Guest] = Scripted, usd: int = 50_000) -> LabModel:
    """The small world with one guest of a class and an idle one.

    Whatever the class, its group has one name: the program is the same.
    """
    guests = [
        Guests(kind, name="Scripted", collateral=usd * USD),
        Guests(Idle, collateral=usd * USD),
    ]
    return LabModel(*small(), seed=SEED, guests=guests)
