"""Many networks trained at once: members that differ in seed, data or settings, as one program where they can be."""

from chainrule.population.comparison import Comparison, compare
from chainrule.population.crew import Crew
from chainrule.population.cross_validation import CrossValidation, cross_validate
from chainrule.population.fit import fit_population
from chainrule.population.gain import Gain, ensemble_gain
from chainrule.population.member import Member
from chainrule.population.population import Population

__all__ = [
    "Comparison",
    "Crew",
    "CrossValidation",
    "Gain",
    "Member",
    "Population",
    "compare",
    "cross_validate",
    "ensemble_gain",
    "fit_population",
]
