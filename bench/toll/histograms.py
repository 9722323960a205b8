"""What most people do: histograms of the latents in TensorBoard, by torch's own writer."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor


class Histograms:
    """`add_histogram` of the mean representation once a block: a histogram a dimension, or one of all values."""

    block = 10

    def __init__(self, folder: Path, each: bool) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(folder)
        self.each = each
        self.seconds: list[float] = []
        self._steps = 0

    def on(self) -> None:
        """Nothing to do."""

    def off(self) -> None:
        """Wait for the writer's thread, which must not slow the next block down."""
        self.writer.flush()

    def after(self, mean: Tensor) -> bool:
        """Log at the first step of a block, so that the thread has the others to write it."""
        self._steps += 1
        if self._steps % self.block == 1:
            for j, column in enumerate(mean.detach().T if self.each else (mean.detach(),)):
                self.writer.add_histogram(f"latent/{j}", column, self._steps)
        return False
