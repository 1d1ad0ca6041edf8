# The public names of the room, read by `lazy_loader` and by type checkers.

from .catalogue import CAUSES as CAUSES
from .catalogue import SYMPTOMS as SYMPTOMS
from .diagnosis import Diagnosis as Diagnosis
from .evidence import Cause as Cause
from .evidence import Evidence as Evidence
from .evidence import Finding as Finding
from .evidence import Proof as Proof
from .evidence import Stage as Stage
from .fix import DataChange as DataChange
from .fix import Fix as Fix
