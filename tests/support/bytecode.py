"""Where writing bytecode is switched off, every process that a test starts would compile all its modules anew.

That is a second or two for each of some fifty. They keep it among pytest's own things instead, whatever the shell says.
A plugin and not a part of `conftest.py`, so that what is imported there is kept too.
"""

import os
import sys
from pathlib import Path

if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    kept = Path(__file__).parents[2] / ".pytest_cache" / "bytecode"
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = str(kept)
    sys.dont_write_bytecode = False
