from ._checks import InvalidInput as InvalidInput
from .advice import Advice as Advice
from .advice import tune as tune
from .comparison import (
    Comparison as Comparison,
)
from .comparison import (
    Settings as Settings,
)
from .comparison import (
    StabilityWarning as StabilityWarning,
)
from .comparison import (
    compare as compare,
)
from .data import Data as Data
from .data import load as load
from .dynamics.conventions import (
    from_sgd as from_sgd,
)
from .dynamics.conventions import (
    to_keras as to_keras,
)
from .dynamics.conventions import (
    to_optax as to_optax,
)
from .dynamics.conventions import (
    to_torch as to_torch,
)
from .dynamics.forecast import (
    forecast as forecast,
)
from .dynamics.forecast import (
    forecast_loss as forecast_loss,
)
from .dynamics.forecast import (
    steps_to as steps_to,
)
from .dynamics.method import (
    Method as Method,
)
from .dynamics.method import (
    gradient_descent as gradient_descent,
)
from .dynamics.method import (
    heavy_ball as heavy_ball,
)
from .dynamics.method import (
    nesterov as nesterov,
)
from .dynamics.method import (
    nesterov_varying as nesterov_varying,
)
from .dynamics.modes import (
    amplification as amplification,
)
from .dynamics.modes import (
    roots as roots,
)
from .dynamics.modes import (
    spectral_radius as spectral_radius,
)
from .dynamics.modes import (
    stability_limit as stability_limit,
)
from .dynamics.train import initial_residual as initial_residual
from .dynamics.train import train as train
from .dynamics.trajectory import Trajectory as Trajectory
from .problem.kernel import (
    finite_gram as finite_gram,
)
from .problem.kernel import (
    infinite_gram as infinite_gram,
)
from .problem.kernel import (
    output_covariance as output_covariance,
)
from .problem.landscape import Landscape as Landscape
from .problem.landscape import survey as survey
from .problem.network import Network as Network
from .problem.spectrum import (
    Extremes as Extremes,
)
from .problem.spectrum import (
    Spectrum as Spectrum,
)
from .problem.spectrum import (
    decompose as decompose,
)
from .problem.spectrum import (
    extremes as extremes,
)
from .store import read_run as read_run

__version__: str
