"""Many networks trained at once: members that differ in seed, data or settings, as one program where they can be."""

from chainrule.population.comparison import Comparison, compare
from chainrule.population.cross_validation import CrossValidation, cross_validate
from chainrule.population.fit import fit_population
from chainrule.population.member import Member
from chainrule.population.population import Population
from chainrule.population.trainer import PopulationTrainer

__all__ = [
    "Comparison",
    "CrossValidation",
    "Member",
    "Population",
    "PopulationTrainer",
    "compare",
    "cross_validate",
    "fit_population",
]
