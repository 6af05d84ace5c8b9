"""What is learnt on top of the encoder: the one thing a task brings to training. The loop knows nothing else of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from tailtune.training.job import FitJob
    from tailtune.training.model import AdaptedEncoder


@dataclass(frozen=True)
class Visit:
    """One per optimiser step: which batch of which pass. Random choices are a pure function of it."""

    seed: int
    epoch: int
    batch: int


@dataclass(frozen=True)
class DevScore:
    """One per dev pass.

    Attributes:
        loss: Mean over the dev rows.
        quality: In the goal's measure, 0 to 1.
        error: Standard error of `quality`: what dev cannot tell apart.
    """

    loss: float
    quality: float
    error: float


class Objective(ABC):
    """One per run: tokenised rows, and the heads that learn from them. Items are train rows by number.

    Attributes:
        lengths: Padded tokens that each train row puts through the encoder.
        heads: The trained tensors on top of the encoder, by name; their gradients are on.
        temperature: Divide the main head's logits by this for calibrated probabilities; 1 before `calibrate`.
    """

    lengths: Sequence[int]
    heads: dict[str, Tensor]
    temperature: float = 1.0

    @abstractmethod
    def start(self, model: AdaptedEncoder) -> None:
        """Give the heads their first values from what the untrained encoder says of the train rows."""

    @abstractmethod
    def losses(self, model: AdaptedEncoder, batch: Sequence[int], visit: Visit) -> Iterator[Tensor]:
        """The loss of a batch, in parts that fit the cache.

        Args:
            model: Encodes.
            batch: Train rows.
            visit: Which batch it is.

        Yields:
            The sum of the losses of some of the rows, with a graph; the parts make up the batch.
        """

    @abstractmethod
    def score(self, model: AdaptedEncoder) -> DevScore:
        """Answer the dev rows and hold the answers against their labels."""

    @abstractmethod
    def calibrate(self, model: AdaptedEncoder) -> None:
        """Fit on dev what makes probabilities honest; called once, with the weights that are kept."""

    @abstractmethod
    def write(self, folder: Path) -> Mapping[str, object]:
        """Write the heads and what they mean into a model's folder.

        Args:
            folder: Exists, and holds `adapter/`.

        Returns:
            What `tailtune.json` says besides the encoder's name.
        """


class Goal(ABC):
    """One per job: the rows of a task as they come, and the measure they are learnt for.

    Attributes:
        metric: Of `DevScore.quality`, a name of core/measures.py.
    """

    metric: str

    @abstractmethod
    def parts(self) -> Iterator[str]:
        """Everything of the rows and their labels that decides the result, for a checkpoint's digest."""

    @abstractmethod
    def begin(self, job: FitJob, model: AdaptedEncoder) -> Objective:
        """Check the rows, tokenise them, make the heads.

        Raises:
            TrainingError: Rows that cannot be trained on; all faults at once.
        """
