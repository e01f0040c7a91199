"""A laboratory for momentum on wide neural networks.

Data, kernel, spectrum, tuned method, trajectory: the names in ``__init__.pyi`` are the whole public
interface, and each is imported when it is first used.
"""

from importlib.metadata import version

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = version("inertial")
